"""A server started once as a client would start it, and what is wrong where it does not answer."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

PATIENCE_S = 60.0
MOST_QUOTED = 300  # characters of what a server printed


async def start(server: Any, search: str | None = None) -> tuple[int, str | None]:
    """How many tools a server offers over stdio, and what is wrong with it, in the words that clients have for it.

    `server` has command, args and env as in a client's configuration; `search` is the client's PATH (default: ours).
    It runs in an empty folder: what works in one folder only works for no client.
    """
    import anyio
    from mcp import Client, MCPError, StdioServerParameters
    from mcp.client.stdio import stdio_client

    try:
        asked = StdioServerParameters.model_validate(server)
    except ValidationError as error:
        first = error.errors()[0]
        return 0, f"is not written as a server: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    asked.env = {"PATH": search or os.environ.get("PATH", os.defpath), **(asked.env or {})}
    asked.command, trouble = _program(asked.command, asked.env["PATH"])
    if trouble:
        return 0, trouble
    printed: list[str] = []

    async def listen(message: Any) -> None:
        if isinstance(message, ValidationError):  # a line that is no message
            printed.append(str(message.errors()[0]["input"]))

    logging.getLogger("mcp.client.stdio").disabled = True  # it logs what `listen` is told
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+", errors="replace") as said:
        tools, asked.cwd = 0, folder
        try:
            with anyio.fail_after(PATIENCE_S):
                async with Client(stdio_client(asked, errlog=said), message_handler=listen) as client:
                    tools = len((await client.list_tools()).tools)
        except (ExceptionGroup, MCPError, OSError) as error:
            said.seek(0)
            trouble = _why(error, asked.command, said.read().split("\n"))
    if printed:
        trouble = f"prints to standard output, which belongs to the protocol: {printed[0][:MOST_QUOTED]!r}"
    return tools, trouble


def _program(command: str, search: str) -> tuple[str, str | None]:
    """The file that a command starts, or why there is none."""
    path = Path(command)
    if path.is_absolute():
        if not path.exists():
            return command, f"spawn ENOENT: there is no {command}"
        return command, None if shutil.which(command) else f"spawn EACCES: {command} is not executable"
    if path.name != command:
        return command, f"spawn ENOENT: {command} is looked for in the client's folder, not in yours"
    found = shutil.which(command, path=search)
    if found is None and shutil.which(command):
        return command, f"spawn ENOENT: {command} is on the PATH of your shell, but not on that of the client"
    return found or command, None if found else f"spawn ENOENT: there is no command {command!r}"


def _why(error: Exception, command: str, said: list[str]) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    last = next((line.strip()[:MOST_QUOTED] for line in reversed(said) if line.strip()), "")
    if isinstance(error, TimeoutError):
        return f"does not answer within {PATIENCE_S:.0f} s" + (f"; it said last: {last}" if last else "")
    if isinstance(error, FileNotFoundError):
        return f"spawn ENOENT: the interpreter that {command} names in its first line is gone"
    if isinstance(error, OSError):
        return f"spawn {command}: {error.strerror or error}"
    return f"ends before it answers; it said last: {last}" if last else f"does not answer: {error}"
