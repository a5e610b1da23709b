"""The command `report`: a search as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmnas_agents.cli.shared import Server, Store, err, run
from llmnas_agents.files import write_whole
from llmnas_mcp.errors import LabError
from llmnas_mcp.settings import Settings

commands = typer.Typer()


@commands.command()
def report(
    search_id: Annotated[str, typer.Argument(help="See `llmnas searches`.")],
    server: Server = None,
    store: Store = None,
    file: Annotated[Path | None, typer.Option("--out", help="Default: ID.html in this folder.")] = None,
) -> None:
    """Save the report of a search: one HTML file with its front, table, lineage and rules, to open in a browser."""
    with err.status("running what the search is held against"):
        page = run(_page(search_id, server, store))
    path = file or Path(f"{search_id}.html")
    try:
        write_whole(path, page.encode())
    except OSError as error:
        raise LabError(f"--out {path}: cannot write it ({error.strerror}). Name another file.") from error
    err.print(f"saved {path}")


async def _page(search_id: str, server: str | None, store: str | None) -> str:
    from llmnas_agents.laboratory import open_laboratory
    from llmnas_agents.llm.exchanges import Exchanges, Ledger
    from llmnas_agents.operators import LANGUAGE
    from llmnas_agents.report import report_page
    from llmnas_agents.runner import run_id

    async with open_laboratory(server, store) as lab:
        search = await lab.get_search(search_id)
        used = Ledger()
        if search.operator in LANGUAGE:
            exchanges = Exchanges(store or Settings().store, run_id(search))
            try:
                used = exchanges.ledger()
            finally:
                exchanges.close()
        return await report_page(lab, search_id, used)
