"""Driving `live.py`, and the client's side of the tasks extension."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict, TypeAdapter

from llmnas_mcp.spaces import get_space
from tests.server.conftest import server
from tests.server.live import SAMPLE
from tests.thorough import HUNG

SPACE = get_space("nasbench201")
# Four cells that compute different things, and are not in the sample.
CELLS = [
    SPACE.format(cell) for cell in ((0, 3, 0, 0, 0, 3), (0, 3, 0, 1, 0, 3), (3, 3, 0, 3, 0, 3), (3, 3, 3, 3, 3, 3))
]
STEPS = SAMPLE + len(CELLS)


class Handle(Result):
    """The answer to a call that became a task."""

    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"]


class TasksClient(ClientExtension):
    """Declares the extension; the tests poll by themselves."""

    identifier = "io.modelcontextprotocol/tasks"

    def claims(self) -> list[ResultClaim[Handle]]:
        async def resolve(_: Handle, __: ClaimContext) -> CallToolResult:
            raise AssertionError("call by `begin`")

        return [ResultClaim(result_type="task", model=Handle, resolve=resolve)]


class Params(RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class TaskRequest(Request[Params, str]):
    name_param = "taskId"


class Gate:
    """Lets measurements of a live server through, and tells which there were."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        os.mkfifo(folder / "gate")
        self._pipe = os.open(folder / "gate", os.O_RDWR)

    def let(self, measurements: int = 1000) -> None:
        os.write(self._pipe, b"\n" * measurements)

    @property
    def measured(self) -> list[str]:
        file = self._folder / "measured"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def pid(self) -> int:
        return int((self._folder / "pid").read_text())

    def close(self) -> None:
        os.close(self._pipe)


@contextmanager
def gate_in(folder: Path) -> Iterator[Gate]:
    gate = Gate(folder)
    yield gate
    gate.close()


@asynccontextmanager
async def live(folder: Path, tasks: bool = True, **options: Any) -> AsyncIterator[Client]:
    """A client of a live server over stdio; with `tasks` it declares the extension."""
    command = server(folder)
    target = StdioServerParameters(
        command=sys.executable, args=[str(Path(__file__).with_name("live.py")), str(folder)], env=command.env
    )
    async with Client(target, extensions=[TasksClient()] if tasks else [], **options) as client:
        yield client


async def begin(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that becomes a task; the handle as it is on the wire."""
    handle = await client.session.call_tool(tool, arguments, allow_claimed=True)
    assert isinstance(handle, Handle), handle
    return handle.model_dump(by_alias=True, exclude={"meta"})


async def ask(client: Client, method: str, task_id: str, **more: Any) -> dict[str, Any]:
    """Send tasks/get, tasks/update or tasks/cancel; the answer as it is on the wire."""
    request = TaskRequest(method=method, params=Params(task_id=task_id, **more))
    answer = await client.session.send_request(request, TypeAdapter(dict[str, Any]))
    return {name: value for name, value in answer.items() if name != "_meta"}


async def until(client: Client, task_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Poll a task until something holds of it."""
    with anyio.fail_after(HUNG):
        while True:
            task = await ask(client, "tasks/get", task_id)
            if holds(task):
                return task


def ended(task: dict[str, Any]) -> bool:
    return task["status"] != "working"


def scored(number: int) -> Callable[[dict[str, Any]], bool]:
    return lambda task: f"scored {number} of" in task.get("statusMessage", "")
