"""Commands on own devices: device add, measure, check, list, remove."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from llmnas_agents.cli.left import Left
from llmnas_agents.cli.shared import AsJson, Dataset, Space, err, out, print_json
from llmnas_agents.cli.space import known_name
from llmnas_mcp.settings import Settings

if TYPE_CHECKING:
    from llmnas_mcp.devices.own import OwnDevice
    from llmnas_mcp.spaces import Dataset as Shape
    from llmnas_mcp.spaces import Space as Choices

commands = typer.Typer(help="Your own devices: networks are timed on them, and others predicted.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="See `llmnas device list`.")]


@commands.command()
def add(
    name: Annotated[str, typer.Argument(help="What to call it: letters, digits, '-' and '_'.")],
    runtime: Annotated[str, typer.Option(help="onnxruntime, torch, torch-compile, openvino, executorch or litert.")],
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Of the runtime, each on a core of its own.")] = 1,
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Images at once.")] = 1,
    precision: Annotated[str, typer.Option(help="f32, bf16 or f16.")] = "f32",
    accelerator: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    ssh: Annotated[
        str | None, typer.Option(help="The host it is, as ssh knows it; its python3 has the runtime.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="A command that runs python on FOLDER/runner.py FOLDER elsewhere; {folder} stands for FOLDER."
        ),
    ] = None,
    adb: Annotated[
        str | None, typer.Option(help="An Android phone's serial number (adb devices), for executorch and litert.")
    ] = None,
    cuda_graphs: Annotated[bool, typer.Option("--cuda-graphs", help="Replay a GPU's work as one graph.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a runtime with its settings, here or elsewhere, a device. Nothing is measured yet."""
    from llmnas_mcp.devices.own import OwnDevice, add_device
    from llmnas_mcp.measuring.campaign import check_device

    device = OwnDevice(name, runtime, threads, batch, precision, accelerator, ssh, run, adb, cuda_graphs)
    check_device(device)
    add_device(device, Settings().data)
    if as_json:
        print_json(asdict(device))
        return
    out.print(f"{name} is added: {device.title}", soft_wrap=True)
    err.print(f"Measure it: llmnas device measure {name} --space nasbench201 --dataset cifar10")


@commands.command()
def measure(
    name: Name,
    space: Space = "nasbench201",
    dataset: Dataset = None,
    architectures: Annotated[
        int, typer.Option(min=2, max=10_000, help="At most so many, earlier ones included.")
    ] = 150,
    as_json: AsJson = False,
) -> None:
    """Time networks of a space on a device until a model of them gets no better. Broken off, it goes on from there."""
    from llmnas_mcp.measuring.campaign import measure_space

    device, where, shape = _find(name, space, dataset)
    with err.status(f"measuring on {name}") as status:
        left = Left(lambda text: status.update(f"{name}: {text}") if err.is_terminal else err.print(text))

        def progress(done: int, total: int, what: str) -> None:
            left.hear(done, total, f"{done} of {total} measured" + (f", {what}" if what else ""))

        try:
            found = measure_space(device, where, shape, Settings().data, architectures=architectures, progress=progress)
        except KeyboardInterrupt:
            err.print("Stopped. What was measured is kept: the same command goes on from there.")
            raise
    warnings = list(dict.fromkeys(found.warnings))
    refused = {where.format(genotype): reason for genotype, reason in found.refused.items()}
    told = {
        "device": name,
        "space": where.name,
        "dataset": shape.name,
        "measured": found.measured,
        "error": found.fit.error if found.fit else None,
        "spearman": found.fit.spearman if found.fit else None,
        "errors": found.errors,
        "no_energy": found.no_energy,
        "warnings": warnings,
        "refused": refused,
    }
    if as_json:
        print_json(told)
        return
    out.print(f"{found.measured} networks of {where.name} are measured on {name}.")
    if found.fit:
        out.print(
            f"Others are predicted: median error {found.fit.error:.1%}, Spearman {found.fit.spearman:.3f} (held out)."
        )
        err.print(f"Search: llmnas search --device {name} --space {where.name} --dataset {shape.name}")
    else:
        err.print("That is too few to predict others from: run it again with more --architectures.")
    if found.no_energy:
        err.print(f"Energy is not known there: {found.no_energy}.")
    for warning in warnings:
        err.print(warning)
    for architecture, reason in list(refused.items())[:5]:
        err.print(f"{architecture[:200]} {reason}", soft_wrap=True)


@commands.command()
def check(
    name: Name,
    space: Space = "nasbench201",
    dataset: Dataset = None,
    as_json: AsJson = False,
) -> None:
    """Time a few networks again, and say how far the times have drifted. Nothing is kept."""
    from llmnas_mcp.measuring.campaign import check as measure_again

    device, where, shape = _find(name, space, dataset)
    with err.status(f"measuring on {name}"):
        found = measure_again(device, where, shape, Settings().data)
    if as_json:
        print_json(asdict(found))
        return
    out.print(
        f"{found.architectures} networks timed again: {found.drift:+.1%} (median), at most {found.spread:.1%} apart."
    )
    if found.changed:
        err.print(f"Not the same device any more: {found.changed}. Measure it again: llmnas device measure {name}")
    for warning in found.warnings:
        err.print(warning)


@commands.command("list")
def list_(as_json: AsJson = False) -> None:
    """List your own devices, and what was measured on each."""
    from llmnas_mcp.devices.own import measured_counts, own_devices

    data = Settings().data
    rows = [
        {**asdict(device), "title": device.title, "measured": measured_counts(name, data)}
        for name, device in own_devices(data).items()
    ]
    if as_json:
        print_json({"devices": rows})
        return
    table = Table("device", Column("what it is", overflow="fold"), Column("measured", overflow="fold"), box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(row["name"], row["title"], ", ".join(f"{n} {what}" for what, n in row["measured"].items()) or "-")
    if rows:
        out.print(table)
    else:
        err.print("No devices of your own yet: llmnas device add NAME --runtime onnxruntime")


@commands.command()
def remove(name: Name, as_json: AsJson = False) -> None:
    """Forget a device, and all that was measured on it."""
    from llmnas_mcp.devices.own import remove_device

    remove_device(name, Settings().data)
    if as_json:
        print_json({"device": name})
    else:
        out.print(f"{name} is forgotten, and what was measured on it.")


def _find(name: str, space: str, dataset: str | None) -> tuple[OwnDevice, Choices, Shape]:
    from llmnas_mcp.devices.own import own_device
    from llmnas_mcp.search.instruments import dataset_for
    from llmnas_mcp.spaces import get_space

    data = Settings().data
    device = own_device(name, data)
    where = get_space(known_name(space, keep=True))
    return device, where, dataset_for(where, dataset, data)
