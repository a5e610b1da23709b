"""Calls that go on after they were answered with a handle: who may ask for them, how far they are, what came of them.

A task lives in the store, so its outcome can be fetched by another process; the work lives in one process. Whether that
still runs is told by a lock which goes with it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Literal
from uuid import uuid4

import sqlalchemy as sa
from filelock import FileLock, Timeout

from llmnas_mcp.search.store import Store, tasks
from llmnas_mcp.settings import user_folder

Status = Literal["working", "completed", "failed", "cancelled"]

TTL = timedelta(days=1)
SILENCE = timedelta(minutes=10)  # after it, a process of another machine, whose lock cannot be seen, counts as ended
INTERNAL_ERROR = -32603  # JSON-RPC's


@dataclass(frozen=True)
class Task:
    """A task as it stands. `outcome` is the result of a completed one, the JSON-RPC error of a failed one."""

    task_id: str
    call: str
    done: int
    total: int
    machine: str
    runner: str
    created: datetime
    updated: datetime
    expires: datetime
    status: Status = "working"
    stop: bool = False
    outcome: dict[str, Any] | None = None

    @property
    def message(self) -> str:
        """How far it is, or how it ended and what to do; empty where there is nothing to tell."""
        if self.status == "cancelled":
            return f"Cancelled. {_advice(self)}"
        if self.status == "failed" and self.outcome:
            return str(self.outcome["message"])
        told = [f"scored {self.done} of {self.total} architectures"] if self.total else []
        return "; ".join(told + ["stopping"] * (self.status == "working" and self.stop))


def _advice(task: Task) -> str:
    if not task.total:
        return f"To have it, call {task.call} again."
    return (
        f"{task.done} of {task.total} architectures were scored, and are kept: call {task.call} again, and it goes on"
        " from there."
    )


class TaskStore:
    """The tasks of a store, as one running server sees them. Safe to call from several threads.

    now: the clock, in UTC.
    """

    def __init__(self, store: Store, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine, self._now = store.engine, now
        url = store.engine.url
        in_a_file = url.get_backend_name() == "sqlite"
        self._folder = Path(str(url.database)).absolute().parent if in_a_file else user_folder()
        self._machine, self._runner = socket.gethostname()[:80], uuid4().hex
        self._lock = self._lock_of(self._runner)
        self._locking = Lock()

    def close(self) -> None:
        """Give up what still counts as working here: it is told to have been left behind."""
        if self._lock.is_locked:
            self._lock.release(force=True)
            self._remove(self._runner)

    def add(self, owner: str, call: str, done: int, total: int) -> Task:
        """Remember a task that works in this process, under a new id that cannot be guessed."""
        with self._locking:
            if not self._lock.is_locked:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._lock.acquire()
        now = self._now()
        task = Task(
            task_id=uuid4().hex,
            call=call[:400],
            done=done,
            total=total,
            machine=self._machine,
            runner=self._runner,
            created=now,
            updated=now,
            expires=now + TTL,
        )
        with self._engine.begin() as connection:
            connection.execute(sa.delete(tasks).where(tasks.c.expires <= _text(now)))
            connection.execute(tasks.insert().values(owner=owner, **_row(task)))
        return task

    def advance(self, task_id: str, done: int, total: int) -> bool:
        """Note how far a task is; False when it should stop: it was asked to, or nobody may fetch it any more."""
        own = tasks.c.task_id == task_id
        with self._engine.begin() as connection:
            connection.execute(sa.update(tasks).where(own).values(done=done, total=total, updated=_text(self._now())))
            return connection.scalar(sa.select(tasks.c.stop).where(own)) is False

    def settle(self, task_id: str, status: Status, outcome: dict[str, Any] | None, done: int, total: int) -> None:
        """Note how a task ended."""
        self._change(task_id, status=status, outcome=outcome, done=done, total=total)

    def ask_to_stop(self, task_id: str) -> None:
        """Have the process that works on a task stop at its next step."""
        self._change(task_id, stop=True)

    def look(self, task_id: str, owner: str) -> Task | None:
        """A task of this owner as it stands, unless it has expired."""
        query = sa.select(tasks).where(tasks.c.task_id == task_id, tasks.c.owner == owner)
        with self._engine.begin() as connection:
            connection.execute(sa.delete(tasks).where(tasks.c.expires <= _text(self._now())))
            row = connection.execute(query).mappings().first()
        task = _task(row) if row else None
        if task and task.status == "working" and self._is_lost(task):
            error = {"code": INTERNAL_ERROR, "message": f"The server that worked on it has ended. {_advice(task)}"}
            self.settle(task_id, "failed", error, task.done, task.total)
            return self.look(task_id, owner)
        return task

    def _change(self, task_id: str, **values: Any) -> None:
        """Change a task that is working; one that has ended stays as it is."""
        change = sa.update(tasks).where(tasks.c.task_id == task_id, tasks.c.status == "working")
        with self._engine.begin() as connection:
            connection.execute(change.values(updated=_text(self._now()), **values))

    def _is_lost(self, task: Task) -> bool:
        """Whether the process that worked on a task has ended."""
        if task.runner == self._runner:
            return False
        if task.machine != self._machine:
            return self._now() - task.updated > SILENCE
        try:
            with self._lock_of(task.runner):
                pass
        except Timeout:
            return False
        self._remove(task.runner)
        return True

    def _lock_of(self, runner: str) -> FileLock:
        return FileLock(self._folder / f"llmnas-{runner}.lock", timeout=0, thread_local=False)

    def _remove(self, runner: str) -> None:
        with suppress(OSError):
            (self._folder / f"llmnas-{runner}.lock").unlink()


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


_MOMENTS = ("created", "updated", "expires")


def _row(task: Task) -> dict[str, Any]:
    return {**vars(task), **{name: _text(getattr(task, name)) for name in _MOMENTS}}


def _task(row: sa.RowMapping) -> Task:
    values = {name: value for name, value in row.items() if name != "owner"}
    return Task(**{**values, **{name: datetime.fromisoformat(values[name]) for name in _MOMENTS}})
