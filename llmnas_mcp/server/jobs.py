"""Calls at work: each in a scope of its own, so that it can be stopped, and can go on when its request is answered."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio import CapacityLimiter
from anyio.abc import TaskGroup
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from llmnas_mcp.search.store import Store
from llmnas_mcp.search.tasks import INTERNAL_ERROR, Status, Task, TaskStore
from llmnas_mcp.server.progress import noted
from llmnas_mcp.server.trouble import readable

logger = logging.getLogger(__name__)
Returned = TypeVar("Returned")
Request = ServerRequestContext["Work", Any]


@dataclass
class Work:
    """The long calls of one running server."""

    group: TaskGroup
    store: TaskStore
    jobs: dict[str, Job] = field(default_factory=dict)
    # Threads of its own: a task must be found and stopped also when every thread for tools is taken.
    threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))

    async def ask(self, method: Callable[..., Returned], *arguments: Any) -> Returned:
        """Call a method of the store in a thread."""
        with readable():
            return await anyio.to_thread.run_sync(method, *arguments, limiter=self.threads)


@asynccontextmanager
async def working(store: Store) -> AsyncIterator[Work]:
    """The lifespan of a server's work: what is still going on at its end is stopped, and told to have been."""
    own = TaskStore(store)
    try:
        async with anyio.create_task_group() as group:
            yield Work(group, own)
            group.cancel_scope.cancel()
    finally:
        own.close()


class Job:
    """One call of a long tool, at work in its own scope."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.scope, self.ended = anyio.CancelScope(), anyio.Event()
        self._change = anyio.Lock()
        self._task_id: str | None = None
        self._done = self._total = 0
        self._status: Status = "cancelled"
        self._outcome: dict[str, Any] | None = None
        self._result: HandlerResult = None
        self._error: Exception | None = None

    async def run(self, call_next: CallNext, ctx: Request) -> None:
        """Do the work; where it has become a task, note how it ended."""
        noted.set(self._note)
        with self.scope:
            try:
                self._result = await call_next(ctx)
                self._status, self._outcome = "completed", _dumped(self._result)
            except Exception as error:  # noqa: BLE001 - whoever waits for the call is told of it
                self._error, self._status, self._outcome = error, "failed", _error_data(error)
        async with self._change:
            self.ended.set()
            if self._task_id:
                await self._settle(self._task_id)

    async def _settle(self, task_id: str) -> None:
        if self._error:
            logger.error("Task %s failed", task_id, exc_info=self._error)
        try:
            how = (self._status, self._outcome, self._done, self._total)
            await self.work.ask(self.work.store.settle, task_id, *how)
        except Exception:
            logger.exception("What came of task %s cannot be kept", task_id)  # other calls must go on
        del self.work.jobs[task_id]

    async def become_task(self, owner: str, call: str) -> Task | None:
        """Be kept in the store from now on; None where the work has ended by now."""
        async with self._change:
            if self.ended.is_set():
                return None
            task = await self.work.ask(self.work.store.add, owner, call, self._done, self._total)
            self._task_id = task.task_id
            self.work.jobs[task.task_id] = self
            return task

    def answer(self) -> HandlerResult:
        """What the tool answered, or its error."""
        if self._error:
            raise self._error
        return self._result

    def _note(self, done: int, total: int) -> bool:
        """How far it is, from the tool's thread. True while the request is unanswered."""
        self._done, self._total = done, total
        if self._task_id is None:
            return True
        if not self.work.store.advance(self._task_id, done, total):
            anyio.from_thread.run_sync(self.scope.cancel)
        return False


def _error_data(error: Exception) -> dict[str, Any]:
    if isinstance(error, MCPError):
        return error.error.model_dump(by_alias=True, mode="json", exclude_none=True)
    return {"code": INTERNAL_ERROR, "message": "Internal server error"}


def _dumped(result: HandlerResult) -> dict[str, Any]:
    if isinstance(result, BaseModel):
        return result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return dict(result or {})
