"""Commands that compare: bench run, bench coverage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from llmnas_agents.cli.shared import AsJson, Store, err, out, print_json
from llmnas_agents.cli.space import known_name
from llmnas_agents.files import write_whole
from llmnas_mcp.errors import LabError
from llmnas_mcp.settings import Settings

if TYPE_CHECKING:
    from llmnas_agents.bench.plan import Job, Plan, Row
    from llmnas_mcp.reports import Comparison, Spread

commands = typer.Typer(help="Searches and methods compared with each other.", no_args_is_help=True)
Names = Annotated[str | None, typer.Option(metavar="A,B,...")]


@commands.command("run")
def run_(
    plan: Annotated[Path | None, typer.Argument(help="A YAML file of settings; options count more.")] = None,
    datasets: Names = None,
    devices: Names = None,
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Operators, with ablations (evolution+no-partition); random, nsga2, regularised-evolution,"
            " local-search, exhaustive; MODULE:FUNCTION. Any with +train: ten short trainings before it chooses.",
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="How many: 0, 1, ... Default: 10.")] = None,
    budgets: Annotated[str | None, typer.Option(metavar="N,N,...", help="Evaluations. Default: 400.")] = None,
    limits: Annotated[
        str | None,
        typer.Option(metavar="MS,MS,...", help="Choose within these. Default: the 10, 25, 50, 75 % quantiles."),
    ] = None,
    objective: Annotated[list[str] | None, typer.Option(help="latency, energy, ...; twice for two costs.")] = None,
    space: Annotated[str | None, typer.Option(help="The search space: see `llmnas spaces`; or FILE.py:CLASS.")] = None,
    model: Annotated[str | None, typer.Option(help="Of operators that ask one.")] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="US dollars a run may cost.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens a run may use.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Runs at once. Default: the number of cores.")] = os.cpu_count()
    or 1,
    parquet: Annotated[bool, typer.Option("--parquet", help="Leave runs.parquet too.")] = False,
    folder: Annotated[Path, typer.Option("--out", help="What is there already is not run again.")] = Path("bench"),
) -> None:
    """Run methods on datasets and devices, and judge them by trained accuracies where a table of them is imported.

    Leaves runs.csv, tables.md, tables.tex and hypervolume.png and .svg in --out; the same command goes on where it was
    stopped.
    """
    from llmnas_agents.bench.plan import read_plan

    lists = {"datasets": datasets, "devices": devices, "methods": methods, "budgets": budgets, "limits": limits}
    flags: dict[str, Any] = {name: [one.strip() for one in v.split(",")] for name, v in lists.items() if v is not None}
    single: dict[str, Any] = {
        "seeds": seeds,
        "objective": objective or None,
        "space": space and known_name(space, keep=True),
        "model": model,
    }
    single |= {"max_cost": max_cost, "max_tokens": max_tokens}
    flags |= {name: value for name, value in single.items() if value is not None}
    settings = read_plan(plan, flags)
    settings.check()
    rows, failed = _run_all(settings, folder, processes)
    if rows:
        _leave(rows, folder, parquet)
    for key, reason in list(failed.items())[:5]:
        err.print(Text(f"failed: {key}: {reason}"))
    if failed:
        raise LabError(f"{len(failed)} of {len(settings.jobs())} runs failed. The same command tries them again.")


def _run_all(plan: Plan, folder: Path, processes: int) -> tuple[list[Row], dict[str, str]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from llmnas_agents.bench.runs import run_plan

    jobs = plan.jobs()
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}", markup=False), *columns, console=err) as shown:
        task = shown.add_task("runs", total=len(jobs))
        ended = 0

        def tell(job: Job, reason: str | None) -> None:
            nonlocal ended
            ended += 1
            shown.update(task, advance=1, description=f"{job.method} on {job.device}, {job.dataset}")
            if not err.is_terminal and (ended == 1 or ended % 20 == 0 or reason):
                err.print(
                    f"{ended} run{'s' * (ended > 1)} ended, now {job.key}" + (f" failed: {reason}" if reason else "")
                )

        def begin(done: int) -> None:
            shown.update(task, completed=done)

        try:
            return run_plan(plan, folder, processes, begin, tell)
        except KeyboardInterrupt:
            err.print("Stopped. Nothing is lost: the same command goes on.")
            raise


def _leave(rows: list[Row], folder: Path, parquet: bool) -> None:
    """Write tables and figures, and show the short table."""
    from llmnas_agents.bench import tables
    from llmnas_agents.bench.figure import plot_curves

    found, devices, limits = tables.summary(rows), tables.by_device(rows), tables.under_limits(rows)
    judges = ", ".join(dict.fromkeys(source for row in rows for source in row["judge"].split(", ")))
    accuracy = {"trained": "accuracy", "inherited": "inherited accuracy"}[rows[0]["grade"]]
    note = (
        f"HV share (up), IGD and IGD+ (down): against the exact front in {accuracy} and {rows[0]['objective']}, by"
        f" {judges}. Regret (down): by how many points of accuracy the network chosen within a limit, by score alone or"
        " with +train after short trainings, is below the best there is, mean over limits; epochs: what these took"
        " within a limit. HV share by score: against the best front there is by the zero-cost score. Each is the mean"
        " over devices and seeds ± half its 95 % interval over seeds."
    )
    text = "\n".join([note, "", *(tables.markdown(*table) for table in (found, devices, limits))])
    tidied = tables.tidy(rows)
    files = {
        "runs.csv": tables.csv_of(tidied),
        "tables.md": text.encode(),
        "tables.tex": "\n".join(tables.latex(*table) for table in (found, devices, limits)).encode(),
        "hypervolume.png": plot_curves(rows, "png"),
        "hypervolume.svg": plot_curves(rows, "svg"),
    }
    if parquet:
        files["runs.parquet"] = tables.parquet_of(tidied)
    for name, content in files.items():
        try:
            write_whole(folder / name, content)
        except OSError as error:
            raise LabError(
                f"--out {folder}: cannot write {name} ({error.strerror}). The runs are kept: mend it, and run the same"
                " again."
            ) from error
    heading, lines = tables.summary(rows, tables.FEWER)
    shown = Table(*heading, box=SIMPLE_HEAD)
    for line in lines:
        shown.add_row(*map(Text, line))
    out.print(shown)
    err.print(note)
    err.print(f"saved {', '.join(files)} in {folder}")


@commands.command()
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
        *(
            Column(head, justify="right")
            for name in compared.objectives
            for head in (f"{name}\nranges", "most\nin one")
        ),
        Column("niches", justify="right"),
        Column("most\nin one", justify="right"),
        title=f"Coverage of {compared.space}{f' on {compared.device}' if compared.device else ''}, {compared.dataset}",
        box=SIMPLE_HEAD,
    )
    for s in compared.searches:
        table.add_row(
            *(Text(s.search_id), Text(s.operator), str(s.designs), str(s.bred)),
            *(text for own in (*s.ranges, s.niches) for text in _reached(own)),
        )
    return table


def _reached(own: Spread) -> tuple[str, str]:
    """Bins reached, and the part of the designs in the fullest."""
    most = "" if own.fullest is None else f"{100 * own.fullest:.0f} %"
    return f"{own.reached}/{len(own.counts)} {100 * own.share:.0f} %", most
