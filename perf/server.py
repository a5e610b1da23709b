"""What our server adds to the SDK's: cold start and calls over stdio and HTTP, against a bare MCPServer with an echo.

    python perf/server.py [CALLS]

Bare and ours are asked in turn, call by call, so that what else the machine does falls on both. The echo gives back as
many bytes as our tool answers with, and computes nothing. Our server is asked for the same echo as well, made a tool by
our toolbox: that ratio is what our server costs. `list_spaces` answers with a larger schema for the client to check;
`query_latency` parses a cell and prices it. Over HTTP both log a line for every request.
Run it on a machine that does nothing else.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from mcp import Client, StdioServerParameters

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
WARM_UP = 20
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("echo", {"text": CELL}),
    ("list_spaces", {}),
    ("query_latency", {"architectures": [CELL], "device": "raspi4"}),
)
BARE = """
import sys
from mcp.server.mcpserver import MCPServer
mcp = MCPServer("bare", log_level="WARNING")
@mcp.tool()
def echo(text: str) -> str:
    return text
mcp.run("streamable-http", port=int(sys.argv[1])) if sys.argv[1:] else mcp.run()
"""
OURS = [sys.executable, "-m", "llmnas_mcp.server.main"]
# The same, with an echo beside the laboratory's tools.
OURS_AND_ECHO = """
from functools import partial
from llmnas_mcp.server import app, main
from llmnas_mcp.server.toolbox import Toolbox
box = Toolbox()
@box.tool("Echo")
def echo(text: str) -> str:
    return text
app.create_app = partial(app.create_app, more_tools=box.tools)
main.main()
"""


async def cold_start(folder: str, starts: int = 7) -> None:
    """From nothing to tools/list answered over stdio."""
    took: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(starts):
        for name, target in (("bare", stdio([sys.executable, "-c", BARE])), ("ours", stdio(OURS, folder))):
            began = time.perf_counter()
            async with Client(target) as client:
                await client.list_tools()
                took[name].append(time.perf_counter() - began)
    report("cold start to tools/list over stdio", took)


async def calls(how: str, bare: Any, ours: Any, number: int, **options: Any) -> None:
    """As many calls of each of our tools as of the bare server's echo, with answers of one size, in turn."""
    async with Client(bare, **options) as one, Client(ours, **options) as other:
        for call in CALLS:
            took: dict[str, list[float]] = {"bare": [], "ours": []}
            answer = await other.call_tool(*call)
            # The echo's answer is in `content` and once more in `structured_content`, as ours is.
            echo = ("echo", {"text": "x" * (len(answer.model_dump_json(by_alias=True, exclude_none=True)) // 2)})
            for turn in range(WARM_UP + number):
                for name, client, asked in (("bare", one, echo), ("ours", other, call)):
                    began = time.perf_counter()
                    result = await client.call_tool(*asked)
                    if turn >= WARM_UP:
                        took[name].append(time.perf_counter() - began)
                    assert not result.is_error
            report(f"{call[0]} over {how}", took)


def report(what: str, took: dict[str, list[float]]) -> None:
    """Print medians and their ratio."""
    bare, ours = (statistics.median(took[name]) * 1000 for name in ("bare", "ours"))
    print(f"{what:44} bare {bare:8.2f} ms   ours {ours:8.2f} ms   {ours / bare:5.2f} times")


def stdio(command: list[str], folder: str = "") -> StdioServerParameters:
    """A server to be started over stdio."""
    return StdioServerParameters(command=command[0], args=command[1:], env=environment(folder))


def environment(folder: str) -> dict[str, str]:
    """The environment of a server that keeps what it remembers in `folder`."""
    return {**os.environ, "LLMNAS_STORE": f"sqlite:///{folder}/llmnas.db", "LLMNAS_DATA": folder}


@asynccontextmanager
async def http(command: list[str], folder: str = "") -> AsyncIterator[str]:
    """A server over HTTP on a free port; gives its URL."""
    # Logs go where reading them costs nobody anything; the address is found by trying.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*command, str(port)], env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while process.poll() is None:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait()


async def main(number: int) -> None:
    """All of it."""
    with tempfile.TemporaryDirectory() as folder:
        await cold_start(folder)
        ours = [sys.executable, "-c", OURS_AND_ECHO]
        pair = stdio([sys.executable, "-c", BARE]), stdio(ours, folder)
        await calls("stdio, 2026-07-28", *pair, number)
        await calls("stdio, 2025-11-25", *pair, number, mode="legacy")
        bare = [sys.executable, "-c", BARE.replace("WARNING", "INFO")]
        async with http(bare) as one, http([*ours, "--transport", "http", "--port"], folder) as other:
            await calls("HTTP, 2026-07-28", one, other, number)
            await calls("HTTP, 2025-11-25", one, other, number, mode="legacy")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 300))
