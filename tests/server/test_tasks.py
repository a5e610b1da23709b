"""The tasks extension (SEP-2663) on the wire: a long call is answered with a handle, polled, cancelled, outlived."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference, SubscriptionFilter, SubscriptionsListenRequest, SubscriptionsListenRequestParams
from pydantic import TypeAdapter

from llmnas_mcp.search.tasks import TTL, TaskStore
from llmnas_mcp.server import jobs, tasks
from llmnas_mcp.server.app import create_app
from llmnas_mcp.settings import Settings
from tests.server.conftest import CELL, answer
from tests.server.live import SAMPLE
from tests.server.long_calls import CELLS, STEPS, Gate, TasksClient, ask, begin, ended, gate_in, live, scored, until
from tests.thorough import HUNG

pytestmark = pytest.mark.anyio

INVALID_PARAMS, METHOD_NOT_FOUND, MISSING_CAPABILITY = -32602, -32601, -32021


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with gate_in(tmp_path) as made:
        yield made


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call of a long tool becomes a task."""
    monkeypatch.setattr(tasks, "PATIENCE", 0)


async def test_a_long_call_is_answered_with_a_handle_whose_task_ends_with_the_answer(
    tmp_path: Path, gate: Gate
) -> None:
    async with live(tmp_path) as client:
        assert client.server_capabilities.extensions == {TasksClient.identifier: {}}
        made = await begin(client, "score_zero_cost", architectures=CELLS)
        assert made.keys() == {
            *("resultType", "taskId", "status", "createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs")
        }
        assert (made["resultType"], made["status"]) == ("task", "working")
        assert datetime.fromisoformat(made["createdAt"]) == datetime.fromisoformat(made["lastUpdatedAt"])
        assert timedelta(milliseconds=made["ttlMs"]) == TTL
        gate.let(3)
        working = await until(client, made["taskId"], scored(3))
        assert working == {
            **made,
            "resultType": "complete",
            "statusMessage": f"scored 3 of {STEPS} architectures",
            "lastUpdatedAt": working["lastUpdatedAt"],
        }
        assert working["lastUpdatedAt"] > made["lastUpdatedAt"]
        gate.let()
        done = await until(client, made["taskId"], ended)
    async with live(tmp_path, tasks=False) as client:
        plain = await client.call_tool("score_zero_cost", {"architectures": CELLS})
    assert done["status"] == "completed"
    assert done["result"]["structuredContent"] == plain.structured_content
    assert done["result"]["content"][0]["type"] == "text"
    assert "error" not in done


async def test_a_cancelled_task_stops_and_says_how_many_of_how_many_are_kept_and_which_call_goes_on(
    tmp_path: Path, gate: Gate
) -> None:
    async with live(tmp_path) as client:
        name = (await answer(client, "start_search", device="raspi4"))["search_id"]
        asked = {"search_id": name, "architectures": CELLS}
        made = await begin(client, "submit_architectures", **asked)
        gate.let(SAMPLE + 1)
        await until(client, made["taskId"], scored(SAMPLE + 1))
        assert await ask(client, "tasks/cancel", made["taskId"]) == {"resultType": "complete"}
        stopping = await ask(client, "tasks/get", made["taskId"])
        assert stopping["status"] == "working"
        assert stopping["statusMessage"].endswith("; stopping")
        gate.let()
        task = await until(client, made["taskId"], ended)
        assert await ask(client, "tasks/cancel", made["taskId"]) == {"resultType": "complete"}
        assert await ask(client, "tasks/get", made["taskId"]) == task
        used = (await answer(client, "get_search", search_id=name))["used"]
        again = await begin(client, "submit_architectures", **asked)
        whole = await until(client, again["taskId"], ended)
    assert task["status"] == "cancelled"
    assert task.keys().isdisjoint({"result", "error"})
    assert task["statusMessage"] == (
        f"Cancelled. {SAMPLE + 2} of {STEPS} architectures were scored, and are kept: call"
        f' submit_architectures(search_id="{name}", architectures=...) again, and it goes on from there.'
    )
    assert used == 2
    statuses = [result["status"] for result in whole["result"]["structuredContent"]["results"]]
    assert statuses == ["duplicate", "duplicate", "kept", "kept"]
    assert len(gate.measured) == STEPS


@pytest.mark.thorough
async def test_another_server_on_the_store_tells_of_a_task_and_can_have_it_cancelled(
    tmp_path: Path, gate: Gate
) -> None:
    async with live(tmp_path) as client, live(tmp_path) as other:
        made = await begin(client, "score_zero_cost", architectures=CELLS)
        gate.let(1)
        await until(other, made["taskId"], scored(1))
        await ask(other, "tasks/cancel", made["taskId"])
        gate.let()
        task = await until(other, made["taskId"], ended)
    assert task["status"] == "cancelled"
    assert len(gate.measured) == 2


@pytest.mark.thorough
async def test_the_outcome_is_there_after_the_server_was_started_anew(tmp_path: Path, gate: Gate) -> None:
    gate.let()
    async with live(tmp_path) as client:
        made = await begin(client, "score_zero_cost", architectures=CELLS[:1])
        before = await until(client, made["taskId"], ended)
    async with live(tmp_path) as client:
        after = await ask(client, "tasks/get", made["taskId"])
    assert before["status"] == "completed"
    assert after == before


@pytest.mark.thorough
async def test_a_task_whose_server_was_killed_has_failed_and_says_what_is_kept(tmp_path: Path, gate: Gate) -> None:
    with pytest.RaisesGroup(MCPError, flatten_subgroups=True, allow_unwrapped=True):
        async with live(tmp_path) as client:
            made = await begin(client, "score_zero_cost", architectures=CELLS)
            gate.let(3)
            await until(client, made["taskId"], scored(3))
            os.kill(gate.pid, signal.SIGKILL)
            await answer(client, "list_spaces")
    async with live(tmp_path) as client:
        task = await ask(client, "tasks/get", made["taskId"])
        gate.let()
        again = await begin(client, "score_zero_cost", architectures=CELLS)
        whole = await until(client, again["taskId"], ended)
    assert task["status"] == "failed"
    assert task["error"] == {"code": -32603, "message": task["statusMessage"]}
    assert task["statusMessage"] == (
        f"The server that worked on it has ended. 3 of {STEPS} architectures were scored, and are kept: call"
        " score_zero_cost(architectures=...) again, and it goes on from there."
    )
    assert whole["status"] == "completed"
    assert len(gate.measured) == STEPS


@pytest.mark.thorough
async def test_a_task_that_was_at_work_when_the_client_left_says_so_to_the_next_server(
    tmp_path: Path, gate: Gate
) -> None:
    async with live(tmp_path) as client:
        made = await begin(client, "score_zero_cost", architectures=CELLS)
        gate.let(1)
        await until(client, made["taskId"], scored(1))
        gate.let(1)
    async with live(tmp_path) as client:
        task = await ask(client, "tasks/get", made["taskId"])
    assert task["status"] == "failed"
    assert "has ended" in task["statusMessage"]
    assert len(gate.measured) == 2
    assert not list(tmp_path.glob("*.lock"))


async def test_a_quick_call_is_answered_also_to_a_client_that_knows_tasks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "PATIENCE", 600)
    async with Client(create_app(settings), extensions=[TasksClient()]) as client:
        found = await answer(client, "score_zero_cost", architectures=[CELL])
    assert found["results"][0]["source"] == "atlas"


@pytest.mark.usefixtures("at_once")
async def test_tools_that_are_never_long_are_answered_at_once(settings: Settings) -> None:
    async with Client(create_app(settings), extensions=[TasksClient()]) as client:
        assert (await answer(client, "list_spaces"))["spaces"]


@pytest.mark.usefixtures("at_once")
async def test_an_error_of_the_tool_is_a_completed_task(settings: Settings) -> None:
    async with Client(create_app(settings), extensions=[TasksClient()]) as client:
        made = await begin(client, "score_zero_cost", architectures=["|nonsense|"])
        task = await until(client, made["taskId"], ended)
    assert task["status"] == "completed"
    assert task["result"]["isError"] is True
    assert "architectures[0]" in task["result"]["content"][0]["text"]


@pytest.mark.usefixtures("at_once")
async def test_an_expired_task_is_no_task(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [datetime.fromisoformat("2026-11-01T00:00:00+00:00")]
    monkeypatch.setattr(jobs, "TaskStore", partial(TaskStore, now=lambda: now[0]))
    async with Client(create_app(settings), extensions=[TasksClient()]) as client:
        made = await begin(client, "score_zero_cost", architectures=[CELL])
        now[0] += TTL - timedelta(seconds=1)
        assert (await until(client, made["taskId"], ended))["status"] == "completed"
        now[0] += timedelta(seconds=1)
        with pytest.raises(MCPError, match="No such task") as refused:
            await ask(client, "tasks/get", made["taskId"])
    assert refused.value.code == INVALID_PARAMS


@pytest.mark.usefixtures("at_once")
async def test_a_task_belongs_to_the_subject_whose_token_made_it(settings: Settings) -> None:
    async with Client(create_app(settings), extensions=[TasksClient()]) as client:
        with token_of("ann", "first"):
            made = await begin(client, "score_zero_cost", architectures=[CELL])
        with token_of("bob"):
            for method in ("tasks/get", "tasks/cancel"):
                with pytest.raises(MCPError, match="No such task"):
                    await ask(client, method, made["taskId"])
        with pytest.raises(MCPError, match="No such task"):
            await ask(client, "tasks/get", made["taskId"])
        with token_of("ann", "second"):
            assert (await until(client, made["taskId"], ended))["status"] == "completed"


@pytest.mark.usefixtures("at_once")
async def test_input_nobody_asked_for_is_acknowledged_and_ignored(settings: Settings) -> None:
    async with Client(create_app(settings), extensions=[TasksClient()]) as client:
        made = await begin(client, "score_zero_cost", architectures=[CELL])
        task = await until(client, made["taskId"], ended)
        acknowledged = await ask(client, "tasks/update", made["taskId"], input_responses={"name": {}})
        assert acknowledged == {"resultType": "complete"}
        assert await ask(client, "tasks/get", made["taskId"]) == task


@pytest.mark.parametrize(
    ("method", "declared", "code"),
    [
        ("tasks/get", True, INVALID_PARAMS),
        ("tasks/cancel", True, INVALID_PARAMS),
        ("tasks/list", True, METHOD_NOT_FOUND),
        ("tasks/get", False, MISSING_CAPABILITY),
        ("tasks/cancel", False, MISSING_CAPABILITY),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_the_code_of_the_protocol(
    settings: Settings, method: str, declared: bool, code: int
) -> None:
    async with Client(create_app(settings), extensions=[TasksClient()] if declared else []) as client:
        with pytest.raises(MCPError) as refused:
            await ask(client, method, "nothing")
    assert refused.value.code == code


async def test_who_has_not_declared_the_extension_cannot_listen_to_tasks(settings: Settings) -> None:
    listen = SubscriptionsListenRequest(
        params=SubscriptionsListenRequestParams(notifications=SubscriptionFilter(taskIds=["nothing"]))
    )
    async with Client(create_app(settings)) as client:
        with pytest.raises(MCPError) as refused, anyio.fail_after(HUNG):
            await client.session.send_request(listen, TypeAdapter(dict))
    assert refused.value.code == MISSING_CAPABILITY
    assert refused.value.data == {"requiredCapabilities": {"extensions": {TasksClient.identifier: {}}}}


@pytest.mark.usefixtures("at_once")
async def test_what_keeps_the_store_from_answering_is_told_to_who_calls_no_tool_too(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Client(create_app(settings), extensions=[TasksClient()]) as client:
        name = (await answer(client, "start_search", device="fpga"))["search_id"]
        with closing(sqlite3.connect(tmp_path / "llmnas.db")) as connection:
            for table in ("members", "tasks"):
                connection.execute(f"alter table {table} rename to no_{table}")
        for asked in (
            partial(client.read_resource, f"llmnas://searches/{name}"),
            partial(client.complete, PromptReference(name="explain_front"), {"name": "search_id", "value": ""}),
            partial(begin, client, "score_zero_cost", architectures=[CELL]),
            partial(ask, client, "tasks/get", "nothing"),
        ):
            with pytest.raises(MCPError, match=r"does not answer: no such table: \w+\. What it has is safe: try again"):
                await asked()
    assert not [record for record in caplog.records if record.exc_info]


@contextmanager
def token_of(subject: str, token: str = "t") -> Iterator[None]:
    """Make requests with a token of this subject."""
    before = auth_context_var.set(
        AuthenticatedUser(AccessToken(token=token, client_id="c", scopes=[], subject=subject))
    )
    yield
    auth_context_var.reset(before)
