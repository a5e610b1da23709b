"""Commands on search spaces of a user's own: space add, check, list, remove."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from llmnas_agents.cli.shared import AsJson, err, out, print_json
from llmnas_mcp.errors import LabError, UnknownNameError

if TYPE_CHECKING:
    from llmnas_mcp.spaces.checking import Checked

commands = typer.Typer(help="Search spaces of your own: a file with a class.", no_args_is_help=True)
Spec = Annotated[str, typer.Argument(metavar="FILE.py:CLASS", help="A subclass of Space. Runs that file here.")]
SAMPLES, BINS, REFERENCE, WIDTH = 3, 8, 200, 30


@commands.command()
def add(spec: Spec, as_json: AsJson = False) -> None:
    """Make a space known by its name, here and to servers of the same LLMNAS_DATA. The file stays where it is."""
    from llmnas_mcp.spaces.registry import remember

    space = remember(spec)
    if as_json:
        print_json({"space": space.name, "spec": space.spec})
        return
    out.print(f"{space.name} is added: {space.spec}", soft_wrap=True)
    err.print(f"Try it: llmnas space check {spec}; use it: --space {space.name}")


@commands.command()
def check(
    spec: Spec,
    dataset: Annotated[
        str | None, typer.Option(help="What to build for. Default: the first of the space's, else cifar10.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what is wrong with a space, or show what is in it. Builds a few hundred networks, and scores one or two."""
    from llmnas_mcp.scoring.engine import build, measure
    from llmnas_mcp.settings import Settings
    from llmnas_mcp.spaces import DATASETS, with_images
    from llmnas_mcp.spaces.checking import check_space
    from llmnas_mcp.spaces.registry import load_space

    space = load_space(spec)
    asked = dataset or space.dataset
    known = with_images(Settings().data) | DATASETS
    if asked not in known:
        raise UnknownNameError("dataset", asked, known)
    with err.status(f"building networks of {space.name} for {asked}"), redirect_stdout(sys.stderr):
        found = check_space(space, known[asked], lambda factory, shape: measure(build(factory), shape))
    told = _told(found)
    if as_json:
        print_json(told)
    else:
        _show(told)


@commands.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the spaces there are, where they are from, and what is wrong with those that cannot be loaded."""
    from llmnas_mcp.spaces import known_spaces
    from llmnas_mcp.spaces.registry import remembered

    found, broken = known_spaces()
    added = remembered()
    rows = [{"space": s.name, "title": s.title, "from": added.get(s.name, s.source), "problem": None} for s in found]
    rows += [{"space": n, "title": "", "from": added.get(n, ""), "problem": why} for n, why in broken.items()]
    if as_json:
        print_json({"spaces": rows})
        return
    table = Table("space", Column("title", overflow="fold"), Column("from", overflow="fold"), box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(str(row[key])) for key in ("space", "title", "from")))
    out.print(table)
    for name, why in broken.items():
        err.print(Text(f"{name}: {why}"))


@commands.command()
def remove(name: Annotated[str, typer.Argument(help="See `llmnas space list`.")], as_json: AsJson = False) -> None:
    """Forget a space that was added. Its file stays; searches in it need it to be added again."""
    from llmnas_mcp.spaces.registry import forget

    spec = forget(name)
    if as_json:
        print_json({"space": name, "spec": spec})
    else:
        out.print(f"{name} is forgotten; its file stays: {spec}", soft_wrap=True)


def known_name(space: str, server: str | None = None, keep: bool = False) -> str:
    """The name to go on with of what --space says: of FILE.py:CLASS, which is made known, the class's own.

    keep: remember it, so that a later command or a server finds what this one leaves.
    """
    from llmnas_mcp.spaces.registry import add_for_process, is_file, remember, remembered

    if not is_file(space):
        return space
    if server not in (None, "stdio"):
        raise LabError(
            f"--space {space}: the server at {server} runs no code of yours. Where it runs, llmnas space add {space};"
            " then give the name here."
        )
    before = remembered() if keep or server else {}
    if keep or server:
        made = remember(space)
        if before.get(made.name) != made.spec:
            err.print(f"{made.name} is remembered as {made.spec}; llmnas space remove {made.name} forgets it.")
    return add_for_process(space).name


def _told(found: Checked) -> dict[str, Any]:
    """What is shown of a space that is in order, as values."""
    import numpy as np

    space, reference = found.space, found.reference
    params = reference.params.astype(float)
    low, high = float(params.min()), float(params.max())
    edges = np.geomspace(low, high, BINS + 1) if high > low else np.array([low, high])
    counts = np.histogram(np.log(params), np.log(edges) if high > low else 1, weights=reference.weights)[0]
    last = found.scored[-1]
    return {
        "space": space.name,
        "title": space.title,
        "spec": space.spec,
        "dataset": found.dataset.name,
        "architectures": space.size,
        "distinct": len(reference.genotypes) if reference.complete else None,
        "samples": [s.__dict__ for s in found.samples[:SAMPLES]],
        "smallest": found.samples[-2].__dict__,
        "largest": found.samples[-1].__dict__,
        "complexity": [
            {"from_params": round(a), "to_params": round(b), "share": float(n / counts.sum())}
            for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
        ],
        "scored": [{"architecture": s.architecture, "seconds": s.seconds, "proxies": s.proxies} for s in found.scored],
        "reference_seconds": last.seconds * min(REFERENCE, len(reference.genotypes)),
    }


def _show(told: dict[str, Any]) -> None:
    distinct = "" if told["distinct"] is None else f", {told['distinct']:,} of them different"
    out.print(Text.assemble((told["space"], "bold"), f"  {told['title']}"))
    out.print(f"{told['architectures']:,} architectures{distinct}; for {told['dataset']}:", soft_wrap=True)
    table = Table(
        "",
        Column("architecture", overflow="fold"),
        Column("in short", overflow="fold"),
        Column("params (M)", justify="right"),
        Column("MACs (M)", justify="right"),
        box=SIMPLE_HEAD,
    )
    rows = [("drawn", sample) for sample in told["samples"]]
    for label, s in [*rows, ("smallest", told["smallest"]), ("largest", told["largest"])]:
        params, macs = (f"{s[key] / 1e6:.4g}" for key in ("params", "macs"))
        table.add_row(label, Text(s["architecture"]), Text(s["short"]), params, macs)
    out.print(table)
    what = "all" if told["distinct"] is not None else f"the {REFERENCE} or so that stand for the space"
    out.print(f"Parameters (M) of {what}:")
    most = max(bar["share"] for bar in told["complexity"])
    for bar in told["complexity"]:
        ends = f"{bar['from_params'] / 1e6:>8.4g} to {bar['to_params'] / 1e6:>8.4g}"
        out.print(f"  {ends}  {'█' * round(WIDTH * bar['share'] / most):<{WIDTH}} {100 * bar['share']:5.1f} %")
    for one in told["scored"]:
        proxies = ", ".join(f"{name} {value:.4g}" for name, value in one["proxies"].items())
        out.print(Text(f"Scored in {one['seconds']:.2f} s: {one['architecture']}: {proxies}"), soft_wrap=True)
    seconds = told["scored"][-1]["seconds"]
    out.print(f"{REFERENCE} like the last take {_time(REFERENCE * seconds)} on this machine.")


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"
