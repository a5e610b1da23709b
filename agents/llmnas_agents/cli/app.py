"""The command `llmnas`, put together from its groups; mistakes end in one line, never in a traceback."""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from collections.abc import Coroutine
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from llmnas_mcp.errors import LabError, leaves
from llmnas_mcp.process import prepare

app = typer.Typer(
    help="Find neural networks that are accurate and fast on your device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# No markup: names come from users and models. A pipe is not 80 columns wide.
out = Console(width=None if sys.stdout.isatty() else 200, markup=False, emoji=False, highlight=False)
err = Console(stderr=True, soft_wrap=True, markup=False, emoji=False, highlight=False)

Device = Annotated[str, typer.Option(help="The device: see `llmnas devices`.")]
Dataset = Annotated[str, typer.Option(help="cifar10, cifar100, or one with an imported table.")]
Space = Annotated[str, typer.Option(help="The search space: see `llmnas spaces`.")]
Objective = Annotated[str, typer.Option(help="latency or energy.")]
Server = Annotated[
    str | None, typer.Option(help="A laboratory elsewhere: a URL, or 'stdio'. Default: in this process.")
]
Store = Annotated[str | None, typer.Option(help="SQLAlchemy URL of the searches. Default: LLMNAS_STORE.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def main() -> None:
    """Run the command line; exit code 1 for a mistake, 130 for Ctrl-C."""
    prepare()
    # langgraph leaves coroutines unstarted when Ctrl-C comes between two steps; nothing is lost by it.
    unstarted = "arun_with_retry|AsyncPregelLoop._checkpointer_put_after_previous"
    warnings.filterwarnings("ignore", message=f"coroutine '({unstarted})' was never awaited")
    from llmnas_agents.cli import bench, data, doctor, install, lookups, replay, report, score, search  # noqa: F401 - each adds to `app`

    try:
        app()
    except* LabError as group:
        for error in leaves(group):
            err.print(Text.assemble(("error: ", "bold red"), str(error)))
        sys.exit(1)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end."""
    return asyncio.run(work)


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=1) + "\n")
