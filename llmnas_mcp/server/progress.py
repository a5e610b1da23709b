"""Progress of long work, told to the client from the worker thread a tool runs in."""

from __future__ import annotations

from collections.abc import Callable

import anyio.from_thread
from mcp.server.mcpserver import Context


def reporter(ctx: Context) -> Callable[[int, int], None]:
    """A function for `progress=` arguments that reports architectures scored."""

    def report(done: int, total: int) -> None:
        anyio.from_thread.check_cancelled()  # who has gone, or a server that stops, does not wait for the rest
        anyio.from_thread.run(ctx.report_progress, done, total, f"scored {done} of {total} architectures")

    return report
