"""Commands that look something up: latency, devices, spaces."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.table import Column, Table
from rich.text import Text

from llmnas_agents.cli.left import Left
from llmnas_agents.cli.shared import AsJson, Dataset, Device, Objective, Server, Space, out, print_json, run
from llmnas_agents.cli.space import known_name
from llmnas_mcp import results as r

commands = typer.Typer()
Architectures = Annotated[list[str], typer.Argument(help="Architecture strings, quoted: they contain |.")]


@commands.command()
def latency(
    architectures: Architectures,
    device: Device = None,
    dataset: Dataset = None,
    objective: Objective = "latency",
    space: Space = "nasbench201",
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Latency (ms) or energy (mJ) of architectures on a device, MACs or parameters (M), with source and error."""
    found = call(
        server,
        "query_latency",
        r.Costs,
        architectures=architectures,
        device=device,
        dataset=dataset,
        objective=objective,
        space=known_name(space, server),
    )
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    table = Table(
        Column("architecture", overflow="fold", min_width=24), Column(objective, overflow="fold"), "error", "source"
    )
    for cost in found.results:
        value = f"{cost.value:.4g} {cost.unit}" if cost.value is not None else str(cost.reason)
        error = "" if cost.error is None else f"±{100 * cost.error:.1f} %"
        table.add_row(Text(cost.architecture), value, error, cost.source)
    out.print(table)
    if any(cost.error is not None for cost in found.results):
        out.print("error: median relative error of the fitted model on cells held out from the fit")


@commands.command()
def devices(space: Space = "nasbench201", server: Server = None, as_json: AsJson = False) -> None:
    """Devices, and where their numbers come from."""
    found = call(server, "list_devices", r.Devices, space=known_name(space, server))
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    own = ["measured"] if any(d.measured for d in found.devices) else []
    table = Table("device", "name", "objective", "dataset", "source", "median error", "Spearman", "held out", *own)
    for d in found.devices:
        table.add_row(
            d.device,
            d.title,
            f"{d.objective} ({d.unit})",
            d.dataset,
            d.source,
            "" if d.error is None else f"{100 * d.error:.2f} %",
            "" if d.spearman is None else f"{d.spearman:.4f}",
            "" if d.held_out is None else f"{d.held_out:,}",
            *([d.measured or ""] if own else []),
        )
    out.print(table)


@commands.command()
def spaces(server: Server = None, as_json: AsJson = False) -> None:
    """Search spaces, and how their architectures are written."""
    found = call(server, "list_spaces", r.Spaces)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    for space in found.spaces:
        out.print(Text.assemble((space.space, "bold"), f"  {space.title}"))
        out.print(Text(f"  {space.size:,} architectures"))
        for choice in space.choices:
            positions = choice.positions
            where = ", ".join(positions) if len(positions) < 8 else f"{positions[0]} to {positions[-1]}"
            out.print(Text(f"  {where}: {', '.join(choice.values)}"))
        out.print(Text(f"  datasets: {', '.join(space.datasets)}"))
        out.print(Text(f"  encoding: {space.encoding}"))
        out.print(Text(f"  example:  {space.example}, in short {space.short}"))
        out.print(Text(f"  source:   {space.source}"))


def call(server: str | None, tool: str, answer: type[BaseModel], **arguments: Any) -> Any:
    """The answer of one tool, of the laboratory at `server` or of one in this process."""

    async def work() -> BaseModel:
        from llmnas_agents.laboratory import open_laboratory

        async with open_laboratory(server) as lab:
            lab.progress = Left()
            return await lab.call(tool, answer, **arguments)

    return run(work())
