"""What the commands share: their options, how they print, and how they run."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import sys
from collections.abc import Coroutine
from itertools import count
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console

from llmnas_mcp.errors import LabError

# No markup: names come from users and models. A pipe is not 80 columns wide.
out = Console(width=None if sys.stdout.isatty() else 200, markup=False, emoji=False, highlight=False)
err = Console(stderr=True, soft_wrap=True, markup=False, emoji=False, highlight=False)

Device = Annotated[str | None, typer.Option(help="See `llmnas devices`; none for the objectives macs and params.")]
Dataset = Annotated[
    str | None, typer.Option(help="One of the space's (see `llmnas spaces`), or an imported one. Default: its first.")
]
Space = Annotated[str, typer.Option(help="The search space: see `llmnas spaces`; or your own, FILE.py:CLASS.")]
Objective = Annotated[str, typer.Option(help="latency, energy or memory on the device, or macs or params.")]
Objectives = Annotated[
    list[str],
    typer.Option(
        "--objective", help="latency, energy or memory on the device, or macs or params; twice for two costs."
    ),
]
MaxLatency = Annotated[float | None, typer.Option(help="Limit in ms; a limit may be on any cost.")]
MaxEnergy = Annotated[float | None, typer.Option(help="Limit in mJ.")]
MaxMemory = Annotated[float | None, typer.Option(help="Limit on the peak of memory in MB.")]
MaxMacs = Annotated[float | None, typer.Option(help="Limit on MACs in millions.")]
MaxParams = Annotated[float | None, typer.Option(help="Limit on parameters in millions.")]
Server = Annotated[
    str | None, typer.Option(help="A laboratory elsewhere: a URL, or 'stdio'. Default: in this process.")
]
Store = Annotated[str | None, typer.Option(help="SQLAlchemy URL of the searches. Default: LLMNAS_STORE.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def check_limits(given: dict[str, float | None]) -> dict[str, float]:
    """The limits that are given, by cost; raises LabError for one that is none."""
    limits = {name: limit for name, limit in given.items() if limit is not None}
    for name, limit in limits.items():
        if not 0 < limit < math.inf:
            raise LabError(f"--max-{name} {limit} is out of range: choose a positive number, or leave it out.")
    return limits


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, in the main thread; Ctrl-C cancels it, and pressed again changes nothing.

    asyncio alone would cancel wherever the loop just is, which its own code does not stand, and close the loop at the
    second press, while what cleans up still needs it.
    """

    async def guarded() -> Any:
        asyncios = signal.getsignal(signal.SIGINT)
        if not callable(asyncios):  # Ctrl-C is ignored already
            return await work
        presses, loop = count(), asyncio.get_running_loop()  # `next` is not interrupted by the next press

        def cancel(number: int, frame: FrameType | None) -> None:
            if next(presses) == 0:
                loop.call_soon_threadsafe(asyncios, number, frame)

        signal.signal(signal.SIGINT, cancel)
        try:
            return await work
        finally:
            # Python gives all handlers up while it ends, but what is ignored stays ignored.
            signal.signal(signal.SIGINT, asyncios if next(presses) == 0 else signal.SIG_IGN)

    return asyncio.run(guarded())


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=1) + "\n")
