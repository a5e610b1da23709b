"""What becomes of tasks in the store; tests/server has the rest, on the wire."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmnas_mcp.search.store import Store
from llmnas_mcp.search.tasks import SILENCE, TTL, TaskStore


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path}/llmnas.db")
    yield opened
    opened.close()


@pytest.fixture
def tasks(store: Store, clock: Clock) -> Iterator[TaskStore]:
    made = TaskStore(store, clock)
    yield made
    made.close()


def test_a_task_is_its_owners_alone(tasks: TaskStore) -> None:
    task = tasks.add("ann", "f()", 0, 3)
    assert tasks.look(task.task_id, "ann") == task
    assert tasks.look(task.task_id, "bob") is None


def test_a_task_that_has_ended_stays_as_it_is(tasks: TaskStore, clock: Clock) -> None:
    task = tasks.add("", "f()", 0, 3)
    tasks.settle(task.task_id, "completed", {"content": []}, 3, 3)
    ended = tasks.look(task.task_id, "")
    clock.now += timedelta(hours=1)
    tasks.ask_to_stop(task.task_id)
    tasks.settle(task.task_id, "cancelled", None, 1, 3)
    assert tasks.look(task.task_id, "") == ended
    assert ended is not None
    assert (ended.status, ended.outcome, ended.message) == ("completed", {"content": []}, "scored 3 of 3 architectures")


def test_work_goes_on_until_it_is_asked_to_stop_or_has_expired(tasks: TaskStore, clock: Clock) -> None:
    one, other = (tasks.add("", "f()", 0, 3) for _ in range(2))
    assert tasks.advance(one.task_id, 1, 3)
    tasks.ask_to_stop(one.task_id)
    assert not tasks.advance(one.task_id, 2, 3)
    assert tasks.advance(other.task_id, 1, 3)
    clock.now += TTL
    assert tasks.look(other.task_id, "") is None
    assert not tasks.advance(other.task_id, 2, 3)


def test_expired_tasks_are_removed_when_another_is_made(tasks: TaskStore, store: Store, clock: Clock) -> None:
    for _ in range(2):
        tasks.add("", "f()", 0, 0)
        clock.now += TTL
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM tasks").scalar() == 1


def test_work_of_another_server_is_lost_when_that_has_closed_and_not_before(
    tasks: TaskStore, store: Store, clock: Clock
) -> None:
    other = TaskStore(store, clock)
    task = other.add("", "f()", 1, 3)
    assert tasks.look(task.task_id, "") == task
    other.close()
    lost = tasks.look(task.task_id, "")
    assert lost is not None
    assert (lost.status, lost.done, lost.total) == ("failed", 1, 3)


def test_work_on_another_machine_is_lost_after_a_long_silence(
    tasks: TaskStore, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    far = TaskStore(store, clock)
    task = far.add("", "f()", 0, 0)
    clock.now += SILENCE
    assert tasks.look(task.task_id, "") == task
    clock.now += timedelta(seconds=1)
    lost = tasks.look(task.task_id, "")
    far.close()
    assert lost is not None
    assert lost.message == "The server that worked on it has ended. To have it, call f() again."
