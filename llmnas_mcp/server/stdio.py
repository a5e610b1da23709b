"""The server over standard input and output."""

from __future__ import annotations

import os
import signal
import socket
import threading
from types import FrameType

from mcp.server.mcpserver import MCPServer


def serve(mcp: MCPServer) -> None:
    """Serve until the client hangs up, or until SIGINT or SIGTERM, which is the same to it."""
    if os.name == "posix":
        _end_input_at_signals()
    mcp.run()


def _end_input_at_signals() -> None:
    """Make SIGINT and SIGTERM the end of the input: calls are cancelled, the store is closed, the exit code is 0.

    The library reads in a thread that nothing can wake. So what it reads is a socket of ours, which a signal shuts.
    """
    given = os.dup(0)
    here, there = socket.socketpair()
    os.dup2(there.detach(), 0)

    def copy() -> None:
        try:
            while data := os.read(given, 1 << 16):
                here.sendall(data)
            here.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # shut by a signal

    def end(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # who asks twice does not want to wait
        here.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=copy, name="standard input", daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
