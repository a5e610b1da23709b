"""Search with the local model and keep what it answered: the recordings that tests and docs/results.md replay.

    python scripts/record_searches.py [FOLDER]

A recording holds the hashes of its prompts: make them anew when a prompt changes.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from llmnas_agents import runner
from llmnas_agents.laboratory import open_laboratory

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "agents" / "recordings"
SETTINGS: dict[str, Any] = {"device": "raspi4", "evaluations": 36, "seed": 0}
NICHES = {"local": 3, "plain-prompt": 1, "latency-prompt": 1}


async def record(operator: str, folder: Path) -> None:
    """One search."""
    with tempfile.TemporaryDirectory() as scratch:
        store, out = f"sqlite:///{scratch}/llmnas.db", Path(scratch) / "out"
        async with open_laboratory(store=store) as lab:
            niches = NICHES[operator]
            started = await lab.start_search(
                **SETTINGS, operator=operator, niches=niches, offspring=4 if niches > 1 else 6
            )
            front = await runner.run(lab, started.search_id, store, out, print, {"model": "local"})
        print(operator, front["llm"], f"hypervolume {front['hypervolume']:.4f}")
        folder.mkdir(parents=True, exist_ok=True)
        (out / "recording.json").replace(folder / f"{operator}.json")


if __name__ == "__main__":
    for name in NICHES:
        asyncio.run(record(name, Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
