"""The command `pick`: which network of a search to take."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from llmnas_agents.cli.progress import accuracy_cells
from llmnas_agents.cli.shared import (
    AsJson,
    MaxEnergy,
    MaxLatency,
    MaxMacs,
    MaxMemory,
    MaxParams,
    Server,
    Store,
    check_limits,
    out,
    print_json,
    run,
)
from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError

commands = typer.Typer()


@commands.command()
def pick(
    search_id: Annotated[str, typer.Argument(help="See `llmnas searches`.")],
    max_latency: MaxLatency = None,
    max_energy: MaxEnergy = None,
    max_memory: MaxMemory = None,
    max_macs: MaxMacs = None,
    max_params: MaxParams = None,
    top: Annotated[int, typer.Option(min=1, max=50, help="How many, the best first, that differ as designs.")] = 5,
    server: Server = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Choose one network of a search within limits, by the best that is known of it, and others that differ from it.

    What `llmnas train` showed comes first, else accuracies of an imported table, then estimates, which say how far they
    are off, then the score. Tables and estimates count once a search is done. Without a limit it is the cheapest within
    error of the best.
    """
    most = {"latency": max_latency, "energy": max_energy, "memory": max_memory, "macs": max_macs, "params": max_params}
    limits = check_limits(most)

    async def work() -> tuple[r.Search, r.Front]:
        from llmnas_agents.laboratory import open_laboratory

        async with open_laboratory(server, store) as lab:
            asked = {"search_id": search_id, "limits": limits, "top": top}
            return await lab.get_search(search_id), await lab.call("compute_pareto_front", r.Front, **asked)

    search, found = run(work())
    if not found.picks:
        raise LabError(f"{found.why} Carry it on: llmnas resume {search_id}")
    if as_json:
        picks = [one.model_dump(mode="json") for one in found.picks]
        print_json({"search_id": search_id, "limits": {**search.limits, **limits}, "why": found.why, "picks": picks})
        return
    out.print(found.why, soft_wrap=True)
    out.print(_table(search, found.picks))


def _table(search: r.Search, picks: list[r.Pick]) -> Table:
    costs = [one.costs or {search.objectives[0]: one.cost} for one in picks]
    table = Table(
        Column("architecture", overflow="fold", ratio=1),
        Column("accuracy (%)", justify="right"),
        "by",
        Column("score", justify="right"),
        *(
            Column(f"{name} ({unit})", justify="right")
            for name, unit in zip(search.objectives, search.units, strict=True)
        ),
        Column("params (M)", justify="right"),
        box=SIMPLE_HEAD,
    )
    for one, own in zip(picks, costs, strict=True):
        table.add_row(
            Text(one.short),
            *accuracy_cells(one.model_dump()),
            f"{one.score:.4f}",
            *(f"{own[name]:.3f}" for name in search.objectives),
            f"{one.params_m:.3f}",
        )
    return table
