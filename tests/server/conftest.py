from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


def server(folder: Path) -> StdioServerParameters:
    env = {**os.environ, "LLMNAS_STORE": f"sqlite:///{folder}/llmnas.db", "LLMNAS_DATA": str(folder / "tables")}
    return StdioServerParameters(command=sys.executable, args=["-m", "llmnas_mcp.server.main"], env=env)


@asynccontextmanager
async def session(folder: Path, **options: Any) -> AsyncIterator[Client]:
    """A real client of a real `llmnas-mcp` process over stdio."""
    async with Client(server(folder), **options) as client:
        yield client


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
