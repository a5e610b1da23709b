"""The tasks extension of the Model Context Protocol (SEP-2663): a long call is answered with a handle, and polled.

Only a client that declares it, with each request, gets a handle; and only from a tool that can be long, for a call that
is not done after a moment. https://modelcontextprotocol.io/seps/2663-tasks-extension
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Sequence
from typing import Any

import anyio
import anyio.lowlevel
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import principal_components
from mcp.server.context import CallNext, HandlerResult
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver.server import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, CallToolRequestParams, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from llmnas_mcp.search.directions import call
from llmnas_mcp.search.tasks import Task
from llmnas_mcp.server.jobs import Job, Request

PATIENCE = 1.0  # seconds after which a call becomes a task
POLL_MS = 1000
LONGEST_ARGUMENT = 80  # what is longer is left out where a call is written down


class TaskParams(RequestParams):
    """Parameters of tasks/get and tasks/cancel."""

    task_id: str


class UpdateParams(TaskParams):
    """Parameters of tasks/update."""

    input_responses: dict[str, Any]


class Tasks(Extension):
    """The extension, for the tools named in `long`."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self, long: Container[str]) -> None:
        self._long = long

    def methods(self) -> Sequence[MethodBinding]:
        """The three methods of the extension."""
        versions = frozenset(MODERN_PROTOCOL_VERSIONS)
        return [
            MethodBinding("tasks/get", TaskParams, self._get, versions),
            MethodBinding("tasks/update", UpdateParams, self._update, versions),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, versions),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Request, call_next: CallNext
    ) -> HandlerResult:
        """Run the tool; what takes long goes on by itself, and the client gets a handle."""
        if params.name not in self._long or not _declared(ctx, self.identifier):
            return await call_next(ctx)
        job = Job(ctx.lifespan_context)
        job.work.group.start_soon(job.run, call_next, ctx)
        try:
            with anyio.move_on_after(PATIENCE):
                await job.ended.wait()
            task = await job.become_task(_owner(), _written(params))
            await anyio.lowlevel.checkpoint_if_cancelled()
        except BaseException:
            job.scope.cancel()  # the request was cancelled: nobody will ever have the handle
            raise
        return {"resultType": "task", **_wire(task)} if task else job.answer()

    async def guard(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        """Middleware: who asks to be notified of tasks must have declared the extension."""
        asked = (ctx.params or {}).get("notifications")
        if ctx.method == "subscriptions/listen" and isinstance(asked, dict) and "taskIds" in asked:
            require_client_extension(ctx, self.identifier)
        return await call_next(ctx)

    async def _get(self, ctx: Request, params: TaskParams) -> HandlerResult:
        task = await self._find(ctx, params)
        outcome = {"completed": "result", "failed": "error"}.get(task.status)
        return {**_wire(task), **({outcome: task.outcome} if outcome else {})}

    async def _update(self, ctx: Request, params: UpdateParams) -> HandlerResult:
        await self._find(ctx, params)  # no task here asks for input, and answers nobody asked for are to be ignored
        return {}

    async def _cancel(self, ctx: Request, params: TaskParams) -> HandlerResult:
        task, work = await self._find(ctx, params), ctx.lifespan_context
        await work.ask(work.store.ask_to_stop, task.task_id)
        if task.task_id in work.jobs:
            work.jobs[task.task_id].scope.cancel()
        return {}

    async def _find(self, ctx: Request, params: TaskParams) -> Task:
        require_client_extension(ctx, self.identifier)
        work = ctx.lifespan_context
        task = await work.ask(work.store.look, params.task_id, _owner())
        if task is None:
            raise MCPError(INVALID_PARAMS, f"No such task: {params.task_id[:40]!r}. It may have expired.")
        return task


def _declared(ctx: Request, identifier: str) -> bool:
    capabilities = ctx.session.client_capabilities
    modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS  # a handle cannot be told in an older version
    return modern and capabilities is not None and identifier in (capabilities.extensions or {})


def _owner() -> str:
    """Who makes a request: the principal of its bearer token; without one, whoever knows a task's id."""
    token = get_access_token()
    return hashlib.sha256(json.dumps(principal_components(token)).encode()).hexdigest() if token else ""


def _written(params: CallToolRequestParams) -> str:
    """A call as text, to be repeated by whoever made it."""
    given = (params.arguments or {}).items()
    return call(params.name, **{k: v if len(json.dumps(v)) <= LONGEST_ARGUMENT else ... for k, v in given})


def _wire(task: Task) -> dict[str, Any]:
    return {
        "taskId": task.task_id,
        "status": task.status,
        **({"statusMessage": task.message} if task.message else {}),
        "createdAt": task.created.isoformat(),
        "lastUpdatedAt": task.updated.isoformat(),
        "ttlMs": round((task.expires - task.created).total_seconds() * 1000),
        "pollIntervalMs": POLL_MS,
    }
