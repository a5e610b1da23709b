"""Commands that compare searches: bench coverage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from llmnas_agents.cli.app import AsJson, Store, app, err, out, print_json
from llmnas_agents.files import write_whole
from llmnas_mcp.errors import LabError
from llmnas_mcp.settings import Settings

if TYPE_CHECKING:
    from llmnas_mcp.reports import Comparison, Spread

group = typer.Typer(help="Searches compared with each other.", no_args_is_help=True)
app.add_typer(group, name="bench")


@group.command()
def coverage(
    search_ids: Annotated[list[str], typer.Argument(metavar="ID", help="See `llmnas searches`.")],
    store: Store = None,
    picture: Annotated[Path | None, typer.Option("--out", help="FILE.png for the picture.")] = None,
    as_json: AsJson = False,
) -> None:
    """How many latency (or energy) ranges and niches of the space searches have reached.

    Ten equally wide ranges; the niches that the space falls into. Of a search that asked a model, what it designed
    counts, and not what was bred in its place.
    """
    from llmnas_agents.operators import LANGUAGE
    from llmnas_mcp.reports import compare_coverage, plot_coverage
    from llmnas_mcp.search.service import Laboratory

    if picture is not None and picture.suffix != ".png":
        raise LabError(f"--out {picture}: the picture is a PNG, name it FILE.png.")
    lab = Laboratory(Settings(store=store) if store else Settings())
    try:
        compared = compare_coverage(lab, search_ids, LANGUAGE)
    finally:
        lab.close()
    if picture is not None:
        try:
            write_whole(picture, plot_coverage(compared))
        except OSError as error:
            raise LabError(f"--out {picture}: cannot write it ({error.strerror}). Name another file.") from error
    if as_json:
        print_json(compared.model_dump(mode="json"))
        return
    out.print(_table(compared))
    if picture is not None:
        err.print(f"saved {picture}")


def _table(compared: Comparison) -> Table:
    table = Table(
        Column("search", overflow="fold"),
        Column("operator", overflow="fold"),
        Column("designs", justify="right"),
        Column("bred in\ntheir place", justify="right"),
        Column(f"{compared.objective}\nranges", justify="right"),
        Column("most\nin one", justify="right"),
        Column("niches", justify="right"),
        Column("most\nin one", justify="right"),
        title=f"Coverage of {compared.space} on {compared.device}, {compared.dataset}",
        box=SIMPLE_HEAD,
    )
    for s in compared.searches:
        table.add_row(
            Text(s.search_id), Text(s.operator), str(s.designs), str(s.bred), *_reached(s.ranges), *_reached(s.niches)
        )
    return table


def _reached(own: Spread) -> tuple[str, str]:
    """Bins reached, and the part of the designs in the fullest."""
    most = "" if own.fullest is None else f"{100 * own.fullest:.0f} %"
    return f"{own.reached}/{len(own.counts)} {100 * own.share:.0f} %", most
