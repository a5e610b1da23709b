"""The command `llmnas`, put together from its groups; mistakes end in one line, never in a traceback."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer
from rich.text import Text

from llmnas_agents.cli import (
    bench,
    data,
    device,
    doctor,
    export,
    install,
    lookups,
    pick,
    replay,
    report,
    score,
    search,
    space,
    train,
)
from llmnas_agents.cli.shared import err, out
from llmnas_mcp import __version__
from llmnas_mcp.errors import LabError, leaves
from llmnas_mcp.process import prepare

app = typer.Typer(
    help="Find neural networks that are accurate and fast on your device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (search, pick, train, lookups, score, export, report, replay, install, doctor):
    app.add_typer(group.commands)
app.add_typer(data.commands, name="data")
app.add_typer(space.commands, name="space")
app.add_typer(device.commands, name="device")
app.add_typer(bench.commands, name="bench")


def _version(asked: bool) -> None:
    if asked:
        out.print(f"llmnas {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; exit code 1 for a mistake, 130 for Ctrl-C."""
    prepare()
    # langgraph leaves coroutines unstarted when Ctrl-C comes between two steps; nothing is lost by it.
    unstarted = "arun_with_retry|AsyncPregelLoop._checkpointer_put_after_previous"
    warnings.filterwarnings("ignore", message=f"coroutine '({unstarted})' was never awaited")
    try:
        app()
    except* LabError as group:
        for error in leaves(group):
            err.print(Text.assemble(("error: ", "bold red"), str(error)))
        sys.exit(1)
