"""Long calls of a client that does not know tasks: they tell their progress, and leave what they finished."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.types import ReadResourceRequest, ReadResourceRequestParams, ReadResourceResult

from tests.server.conftest import CELL, answer, session
from tests.server.live import SAMPLE
from tests.server.long_calls import CELLS, STEPS, gate_in, live
from tests.thorough import HUNG

pytestmark = pytest.mark.anyio


class Steps:
    """Keeps the progress told; cancels what it was given when so many steps are done."""

    def __init__(self, last: int | None = None, scope: anyio.CancelScope | None = None) -> None:
        self.told: list[tuple[float, float | None, str | None]] = []
        self._last, self._scope = last, scope

    async def __call__(self, done: float, total: float | None, message: str | None) -> None:
        self.told.append((done, total, message))
        if done == self._last and self._scope:
            self._scope.cancel()


async def call_and_cancel(client: Client, after: int, tool: str, **arguments: object) -> None:
    """Call a tool, cancel it when so many steps are told, and wait until the server knows."""
    with anyio.CancelScope() as scope:
        await client.call_tool(tool, arguments, progress_callback=Steps(after, scope))
    assert scope.cancelled_caught
    await answer(client, "list_spaces")


async def test_live_scores_tell_their_progress(tmp_path: Path) -> None:
    steps = Steps()
    async with session(tmp_path) as client:
        asked = {"architectures": CELLS[:2], "proxies": ["l2_norm"]}
        result = await client.call_tool("score_zero_cost", asked, progress_callback=steps)
    assert not result.is_error
    assert steps.told == [(1, 2, "scored 1 of 2 architectures"), (2, 2, "scored 2 of 2 architectures")]


async def test_a_picture_tells_its_progress(tmp_path: Path) -> None:
    steps = Steps()
    async with session(tmp_path) as client:
        name = (await answer(client, "start_search", device="raspi4"))["search_id"]
        await answer(client, "submit_architectures", search_id=name, architectures=[CELL])
        await client.call_tool("plot_pareto_front", {"search_id": name}, progress_callback=steps)
    assert [done for done, _, _ in steps.told] == [1, 2]


async def test_a_report_tells_its_progress_and_can_be_cancelled(tmp_path: Path) -> None:
    steps = Steps()
    async with session(tmp_path) as client:
        name = (await answer(client, "start_search", device="raspi4"))["search_id"]
        await answer(client, "submit_architectures", search_id=name, architectures=[CELL])
        read = ReadResourceRequest(params=ReadResourceRequestParams(uri=f"llmnas://searches/{name}/report"))
        page = await client.session.send_request(read, ReadResourceResult, progress_callback=steps)
        with anyio.CancelScope() as scope:
            await client.session.send_request(read, ReadResourceResult, progress_callback=Steps(2, scope))
        assert scope.cancelled_caught
        await answer(client, "list_spaces")
    assert page.contents[0].text.startswith("<!doctype html>")
    assert [(done, total) for done, total, _ in steps.told] == [(i, 10) for i in range(1, 11)]


@pytest.mark.thorough
async def test_a_cancelled_call_stops_within_one_architecture_and_what_it_measured_is_not_measured_again(
    tmp_path: Path,
) -> None:
    with gate_in(tmp_path) as gate:
        async with live(tmp_path, tasks=False) as client:
            gate.let(1)
            await call_and_cancel(client, 1, "score_zero_cost", architectures=CELLS)
            gate.let()
        assert len(gate.measured) == 2  # the one it was at, and no more: the server has ended
        async with live(tmp_path, tasks=False) as client:
            found = await answer(client, "score_zero_cost", architectures=CELLS)
        assert len(found["results"]) == len(CELLS)
        assert len(gate.measured) == len(set(gate.measured)) == STEPS


@pytest.mark.thorough
async def test_a_call_that_asked_for_no_progress_can_be_cancelled_too(tmp_path: Path) -> None:
    with gate_in(tmp_path) as gate:
        async with live(tmp_path, tasks=False) as client:
            async with anyio.create_task_group() as group:
                group.start_soon(partial(answer, client, "score_zero_cost", architectures=CELLS))
                gate.let(1)
                with anyio.fail_after(HUNG):
                    while not gate.measured:
                        await answer(client, "list_spaces")
                group.cancel_scope.cancel()
            await answer(client, "list_spaces")
            gate.let()
        assert len(gate.measured) in (1, 2)  # what was in the works when it was cancelled, and no more


@pytest.mark.thorough
async def test_a_cancelled_submission_leaves_what_it_scored_in_the_search(tmp_path: Path) -> None:
    with gate_in(tmp_path) as gate:
        async with live(tmp_path, tasks=False) as client:
            name = (await answer(client, "start_search", device="raspi4"))["search_id"]
            asked = {"search_id": name, "architectures": CELLS}
            gate.let(SAMPLE + 1)
            await call_and_cancel(client, SAMPLE + 1, "submit_architectures", **asked)
            assert (await answer(client, "get_search", search_id=name))["used"] == 1
            gate.let()
        async with live(tmp_path, tasks=False) as client:
            assert (await answer(client, "get_search", search_id=name))["used"] == 2
            again = await answer(client, "submit_architectures", **asked)
        assert [r["status"] for r in again["results"]] == ["duplicate", "duplicate", "kept", "kept"]
        assert len(gate.measured) == STEPS


@pytest.mark.thorough
async def test_a_submission_counts_every_architecture_once_it_is_in_the_search(tmp_path: Path) -> None:
    steps = Steps()
    with gate_in(tmp_path) as gate:
        gate.let()
        async with live(tmp_path, tasks=False) as client:
            name = (await answer(client, "start_search", device="raspi4"))["search_id"]
            asked = {"search_id": name, "architectures": CELLS}
            await client.call_tool("submit_architectures", asked, progress_callback=steps)
    assert [(done, total) for done, total, _ in steps.told] == [(i + 1, STEPS) for i in range(STEPS)]


@pytest.mark.thorough
@pytest.mark.parametrize("options", [{"tasks": False}, {"tasks": True, "mode": "legacy"}], ids=["undeclared", "legacy"])
async def test_a_client_that_cannot_have_tasks_gets_its_answer(tmp_path: Path, options: dict[str, object]) -> None:
    with gate_in(tmp_path) as gate:
        gate.let()
        async with live(tmp_path, **options) as client:
            found = await answer(client, "score_zero_cost", architectures=CELLS)
    assert len(found["results"]) == len(CELLS)
