"""A llmnas-mcp without atlas whose measurements wait for the test: run as `live.py FOLDER`, over stdio.

In FOLDER, every byte written to the pipe `gate` lets one measurement through, `measured` gets a line from each, and
`pid` tells the process. What the measurements give is made up; a call becomes a task at once.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

from llmnas_mcp.scoring import atlas, engine, score, workers
from llmnas_mcp.server import main, tasks

SAMPLE = 2


def serve(folder: Path) -> None:
    @cache
    def gate() -> int:
        return os.open(folder / "gate", os.O_RDONLY)

    def measure(space: Any, genotype: tuple[int, ...], _: Any, proxies: tuple[str, ...]) -> tuple[float, ...]:
        os.read(gate(), 1)
        with (folder / "measured").open("a") as file:
            file.write(f"{space.format(genotype)}\n")
        return tuple(float(i + sum(genotype)) for i, _ in enumerate(proxies))

    (folder / "pid").write_text(str(os.getpid()))
    atlas.SHIPPED = folder / "none"
    score.SAMPLE = SAMPLE
    workers.FEW = 1000  # all in this process, one after another
    engine.measure_genotype = measure
    tasks.PATIENCE = 0
    main.main()


if __name__ == "__main__":
    serve(Path(sys.argv.pop()))
