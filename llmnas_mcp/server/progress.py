"""Progress of long work, told from the worker thread a tool runs in. Where it is told, the work can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from contextvars import ContextVar
from itertools import count

import anyio.from_thread
from mcp.server.mcpserver import Context

# Where a call may become a task: notes how many of how many are done, and says whether the client still hears of it.
noted: ContextVar[Callable[[int, int], bool] | None] = ContextVar("noted", default=None)


def reporter(ctx: Context) -> Callable[[int, int], None]:
    """A function for `progress=` arguments: reports architectures scored, and stops the work of a cancelled call."""
    say = saying_reporter(ctx)
    return lambda done, total: say(done, total, f"scored {done} of {total} architectures")


def timing_reporter(ctx: Context) -> Callable[[int, int, str], None]:
    """As `reporter`, for networks that are timed, which say themselves what is done now."""
    say = saying_reporter(ctx)
    return lambda done, total, what: say(done, total, f"timed {done} of {total} networks, {what}")


def step_reporter(ctx: Context, steps: int) -> Callable[[str], None]:
    """As `reporter`, for work of so many steps that says of each what is done in it, as it begins."""
    say, begun = saying_reporter(ctx), count()
    return lambda what: say(next(begun), steps, what)


def saying_reporter(ctx: Context) -> Callable[[int, int, str], None]:
    """As `reporter`, for work that says itself what it does."""
    note = noted.get()

    def report(done: int, total: int, what: str) -> None:
        if note is None or note(done, total):
            tell(ctx, done, total, what)
        else:
            anyio.from_thread.check_cancelled()

    return report


def tell(ctx: Context, done: int, total: int, text: str) -> None:
    """Tell the client of one step; where its call was cancelled, raise what ends the call's thread instead."""
    anyio.from_thread.check_cancelled()
    try:
        anyio.from_thread.run(ctx.report_progress, done, total, text)
    except CancelledError:  # while it was told; of another class than what ends a call
        anyio.from_thread.check_cancelled()
        raise
