from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters

from tests import warm

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


def server(folder: Path) -> StdioServerParameters:
    env = {**os.environ, "LLMNAS_STORE": f"sqlite:///{folder}/llmnas.db", "LLMNAS_DATA": str(folder / "tables")}
    command, *args = warm.command(program=warm.SERVER)
    return StdioServerParameters(command=command, args=args, env=env)


@asynccontextmanager
async def session(folder: Path, **options: Any) -> AsyncIterator[Client]:
    """A real client of a real `llmnas-mcp` process over stdio."""
    async with Client(server(folder), **options) as client:
        yield client


# A server that says in its folder who it is, and writes there what it logs.
TELLING = """
import os, sys
folder = sys.argv.pop(1)
open(folder + "/pid", "w").write(str(os.getpid()))
os.dup2(os.open(folder + "/stderr", os.O_CREAT | os.O_WRONLY), 2)
from llmnas_mcp.server.main import main
main()
"""


@contextmanager
def lasting_session(folder: Path) -> Iterator[tuple[BlockingPortal, Client]]:
    """A session over stdio that lasts over many calls of functions that are not async; see TELLING."""
    how = server(folder)
    # One heap for all threads: its memory is then what the server keeps, not how many threads happened to run.
    changed = {
        "command": sys.executable,
        "args": ["-c", TELLING, str(folder)],
        "env": {**(how.env or {}), "MALLOC_ARENA_MAX": "1"},
    }

    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        async with Client(how.model_copy(update=changed)) as client:
            yield client

    with start_blocking_portal() as portal, portal.wrap_async_context_manager(opened()) as client:
        yield portal, client


async def answer(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    return result.structured_content


async def error(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return result.content[0].text


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
