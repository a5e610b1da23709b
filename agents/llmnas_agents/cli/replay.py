"""The command `replay`: a search by a language model once more, from its recorded answers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmnas_agents.cli.progress import Progress
from llmnas_agents.cli.shared import AsJson, Store, err, print_json, run
from llmnas_mcp.errors import LabError
from llmnas_mcp.settings import Settings

if TYPE_CHECKING:
    from llmnas_agents.recording import Recording


commands = typer.Typer()


@commands.command()
def replay(
    search: Annotated[str, typer.Argument(help="An id (see `llmnas searches`), or the recording.json of a search.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Run a search by a language model again from its recorded answers: no key, no model, the same front.

    What it finds is compared with what the search found, and not kept.
    """
    with tempfile.TemporaryDirectory() as folder:
        was, now, changed = run(_replay(search, store, f"sqlite:///{folder}/llmnas.db", as_json))
    if as_json:
        print_json(now)
    if changed:
        err.print(f"{changed} prompts differ from those the answers were given to: the prompts have changed since.")
    front = [point.model_dump(mode="json") for point in was.front]
    if "stopped" in now:
        err.print(f"The recording ends before the search does: {now['stopped']}")
    if (front, was.hypervolume) != (now["front"], now["hypervolume"]):
        gone = next((p["architecture"] for p in front if p not in now["front"]), None)
        which = f"; {gone!r:.120} was on it" if gone else ""
        raise LabError(
            f"The front differs: {len(now['front'])} architectures with hypervolume {now['hypervolume']:.6f}, was"
            f" {len(front)} with {was.hypervolume:.6f}{which}."
        )
    if not front:
        raise LabError("There is nothing to compare: the search evaluated nothing.")
    err.print(f"The same front: {len(front)} architectures, hypervolume {was.hypervolume:.6f}.")


async def _replay(search: str, store: str | None, scratch: str, quiet: bool) -> tuple[Recording, dict[str, Any], int]:
    from llmnas_agents import recording, runner
    from llmnas_agents.laboratory import open_laboratory
    from llmnas_agents.llm.exchanges import Exchanges

    if search.endswith(".json"):
        was = recording.read(Path(search))
    else:
        async with open_laboratory(None, store) as lab:
            found = await lab.get_search(search)
            exchanges = Exchanges(store or Settings().store, runner.run_id(found))
            try:
                was = await recording.record(lab, found, exchanges)
            finally:
                exchanges.close()
    async with open_laboratory(None, scratch) as lab:
        with Progress(search, quiet) as progress:
            return was, *await runner.replay(was, lab, scratch, progress.listen)
