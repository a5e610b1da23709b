"""The command `replay`: a search by a language model once more, from its recorded answers."""

from __future__ import annotations

import tempfile
from typing import Annotated, Any

import typer

from llmnas_agents.cli.app import AsJson, Store, app, err, print_json, run
from llmnas_agents.cli.progress import Progress
from llmnas_mcp.errors import LabError
from llmnas_mcp.settings import Settings


@app.command()
def replay(
    search_id: Annotated[str, typer.Argument(help="See `llmnas searches`.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Run a search by a language model again from its recorded answers: no key, no model, the same front.

    What it finds is compared with what the search found, and not kept.
    """
    with tempfile.TemporaryDirectory() as folder:
        was, now, changed = run(_replay(search_id, store, f"sqlite:///{folder}/llmnas.db", as_json))
    if as_json:
        print_json(now)
    if changed:
        err.print(f"{changed} prompts differ from those the answers were given to: the prompts have changed since.")
    if (was["front"], was["hypervolume"]) != (now["front"], now["hypervolume"]):
        raise LabError(f"The front differs: hypervolume {now['hypervolume']:.6f}, was {was['hypervolume']:.6f}.")
    err.print(f"The same front: {len(now['front'])} architectures, hypervolume {now['hypervolume']:.6f}.")


async def _replay(
    search_id: str, store: str | None, scratch: str, quiet: bool
) -> tuple[dict[str, Any], dict[str, Any], int]:
    from llmnas_agents import runner
    from llmnas_agents.laboratory import open_laboratory
    from llmnas_agents.llm import recorded
    from llmnas_agents.llm.exchanges import Ledger
    from llmnas_agents.operators import LANGUAGE

    async with open_laboratory(None, store) as lab:
        search = await lab.get_search(search_id)
        was = await runner.front_json(lab, search_id, 0.0, Ledger())
    if search.operator not in LANGUAGE:
        raise LabError(f"Search {search_id} asked no model. Run it again with: llmnas search --seed {search.seed} ...")
    with recorded(runner.run_id(search), store or Settings().store) as correspondent:
        async with open_laboratory(None, scratch) as lab:
            started = await lab.start_search(
                niches=len(search.niches),
                **{name: getattr(search, name) for name in ("space", "dataset", "device", "objective", "max_cost")},
                **{name: getattr(search, name) for name in ("evaluations", "rounds", "offspring", "seed", "operator")},
            )
            with Progress(started.search_id, quiet) as progress:
                now = await runner.run(lab, started.search_id, scratch, None, progress.listen, replayed=correspondent)
        return was, now, correspondent.changed
