"""What a server offers can be narrowed; what it completes and what it tells of changes."""

from __future__ import annotations

import subprocess
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp.types import (
    EmptyResult,
    PromptReference,
    ResourceTemplateReference,
    ResourceUpdatedNotification,
    SubscribeRequest,
    SubscribeRequestParams,
    UnsubscribeRequest,
    UnsubscribeRequestParams,
)
from pydantic import TypeAdapter

from llmnas_mcp.devices.tables import import_table
from llmnas_mcp.errors import DataError
from llmnas_mcp.search.store import Store
from llmnas_mcp.server import changes as watcher
from llmnas_mcp.server import subscriptions
from llmnas_mcp.server.app import create_app
from llmnas_mcp.spaces import get_space
from tests import warm
from tests.server.conftest import CELL, answer, server, session
from tests.server.serving import serving
from tests.server.test_surface import TOOLS, WRITERS
from tests.thorough import HUNG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmnas_mcp.settings import Settings

pytestmark = pytest.mark.anyio

SEARCH = PromptReference(name="search_for_device")
EXPLAIN = PromptReference(name="explain_front")
DEVICES = ("raspi4", "fpga", "pixel3")
EMPTY = TypeAdapter(EmptyResult)


@asynccontextmanager
async def started(folder: Path, *options: str) -> AsyncIterator[Client]:
    parameters = server(folder)
    async with Client(parameters.model_copy(update={"args": [*parameters.args, *options]})) as client:
        yield client


async def test_read_only_lists_no_tool_that_writes_and_runs_none(tmp_path: Path) -> None:
    async with started(tmp_path, "--read-only") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
        refused = await client.call_tool("start_search", {"device": "raspi4"})
    assert names == TOOLS - WRITERS
    assert prompts == {"explain_front"}
    assert refused.is_error
    assert "start_search" in refused.content[0].text


async def test_tools_offers_those_named_and_no_others(tmp_path: Path) -> None:
    async with started(tmp_path, "--tools", "query_latency, score_zero_cost") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        found = await answer(client, "query_latency", architectures=[CELL], device="fpga")
        assert (await client.list_prompts()).prompts == []
    assert names == {"query_latency", "score_zero_cost"}
    assert found["results"][0]["value"] > 0


def test_a_tool_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    done = warm.run(["--tools", "query_latancy"], program=warm.SERVER, env=server(tmp_path).env)
    assert done.returncode == 1
    assert done.stderr.startswith("llmnas-mcp: Unknown tool 'query_latancy'")
    assert "Did you mean 'query_latency'?" in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--tools", " ,"], "--tools names none"),
        (["--read-only", "--tools", "start_search"], "--read-only leaves out all that --tools names"),
    ],
)
def test_a_server_that_would_offer_nothing_says_so_instead(options: list[str], why: str, tmp_path: Path) -> None:
    done = warm.run(options, program=warm.SERVER, env=server(tmp_path).env, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert done.stderr.startswith(f"llmnas-mcp: No tool is left: {why}. Allowed: breed_architectures, ")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("argument", "typed", "expected"),
    [
        ("device", "", ["edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga"]),
        ("device", "ras", ["raspi4"]),
        ("device", "EDGE", ["edgegpu", "edgetpu"]),
        ("device", "tpu", ["edgetpu"]),
        ("device", "zx", []),
        ("dataset", "cifar10", ["cifar10", "cifar100"]),
        ("avoid", "nor_conv_3", ["nor_conv_3x3"]),
        ("avoid", "nor_conv_3x3, avg", ["nor_conv_3x3, avg_pool_3x3"]),
        ("max_latency", "3", []),
    ],
)
async def test_names_are_completed(argument: str, typed: str, expected: list[str], tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        found = (await client.complete(SEARCH, {"name": argument, "value": typed})).completion
    assert found.values == expected
    assert found.total in (len(expected), None)


async def test_a_device_of_an_imported_table_is_completed(tmp_path: Path) -> None:
    (tmp_path / "mine_cifar10.csv").write_text(f"arch_str,pi5_latency\n{CELL},3\n")
    import_table(tmp_path / "mine_cifar10.csv", get_space("nasbench201"), tmp_path / "tables")
    async with session(tmp_path) as client:
        found = (await client.complete(SEARCH, {"name": "device", "value": "pi"})).completion
    assert found.values == ["pixel3", "pi5", "raspi4"]


async def test_ids_of_searches_are_completed_for_prompts_and_resources(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        ids = [(await answer(client, "start_search", device=d))["search_id"] for d in ("raspi4", "fpga", "pixel3")]
        template = ResourceTemplateReference(uri="llmnas://searches/{search_id}/front")
        for ref in (EXPLAIN, template):
            found = (await client.complete(ref, {"name": "search_id", "value": "fp"})).completion.values
            assert found == [ids[1]]
            everything = (await client.complete(ref, {"name": "search_id", "value": ""})).completion.values
            assert set(everything) == set(ids)


async def test_what_to_do_without_is_said_in_the_prompt(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        asked = {"device": "edgetpu", "avoid": "avg_pool_3x3"}
        text = (await client.get_prompt("search_for_device", asked)).messages[0].content.text
    assert "Do without avg_pool_3x3" in text


async def test_a_prompt_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        with pytest.raises(MCPError, match=r"Unknown prompt 'explain_fronts'.*Did you mean 'explain_front'"):
            await client.get_prompt("explain_fronts", {})


async def test_who_listens_hears_of_a_change_by_another_process_and_of_no_other_search(tmp_path: Path) -> None:
    async with session(tmp_path) as client, session(tmp_path) as other:
        mine, foreign = [
            (await answer(client, "start_search", device=device, evaluations=10))["search_id"]
            for device in ("raspi4", "fpga")
        ]
        uri = f"llmnas://searches/{mine}/front"
        async with client.listen(resource_subscriptions=[uri]) as changes:
            for search_id in (foreign, mine):
                await answer(other, "submit_architectures", search_id=search_id, architectures=[CELL])
            with anyio.fail_after(HUNG):
                event: Any = await anext(aiter(changes))
        assert event == ResourceUpdated(uri=uri)
        told = (await client.read_resource(uri)).contents[0].text
    assert CELL.split("+")[0] in told


async def test_a_new_rule_is_a_change_too(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        search_id = (await answer(client, "start_search", device="raspi4", evaluations=10))["search_id"]
        uri = f"llmnas://searches/{search_id}/knowledge"
        async with client.listen(resource_subscriptions=[uri]) as changes:
            rule = {"action": "add", "statement": "Skip connections help", "effect": 0.1}
            await answer(client, "update_knowledge_base", search_id=search_id, niche=0, edits=[rule])
            with anyio.fail_after(HUNG):
                assert await anext(aiter(changes)) == ResourceUpdated(uri=uri)


@pytest.mark.thorough
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_client_of_the_old_protocol_hears_of_what_it_subscribed_to_and_of_nothing_else(
    transport: str, tmp_path: Path
) -> None:
    told, more = anyio.create_memory_object_stream[str](100)

    async def listen(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            await told.send(str(message.params.uri))

    async with AsyncExitStack() as stack:
        target = stack.enter_context(serving(tmp_path)).url if transport == "http" else server(tmp_path)
        client = await stack.enter_async_context(Client(target, mode="legacy", message_handler=listen))
        other = await stack.enter_async_context(session(tmp_path))
        assert client.server_capabilities.resources.subscribe
        ids = [(await answer(client, "start_search", device=d, evaluations=10))["search_id"] for d in DEVICES]
        one, two, three = (f"llmnas://searches/{search_id}/front" for search_id in ids)
        for uri in (one, two, three):
            await client.session.send_request(SubscribeRequest(params=SubscribeRequestParams(uri=uri)), EMPTY)
        gone = UnsubscribeRequest(params=UnsubscribeRequestParams(uri=two))
        await client.session.send_request(gone, EMPTY)
        for search_id in (ids[1], ids[0]):
            await answer(other, "submit_architectures", search_id=search_id, architectures=[CELL])
        with anyio.fail_after(HUNG):
            assert await more.receive() == one
            await answer(other, "submit_architectures", search_id=ids[2], architectures=[CELL])
            assert await more.receive() == three
    told.close()
    more.close()


async def test_subscriptions_beyond_the_limit_are_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MOST", 1)
    async with Client(create_app(settings), mode="legacy") as client:
        for uri in ("llmnas://searches/a", "llmnas://searches/b"):
            asked = SubscribeRequest(params=SubscribeRequestParams(uri=uri))
            if uri.endswith("a"):
                await client.session.send_request(asked, EMPTY)
            else:
                with pytest.raises(MCPError, match="has 1 subscriptions, the most it can: end some"):
                    await client.session.send_request(asked, EMPTY)


async def test_a_store_that_does_not_answer_for_a_while_ends_no_session_and_what_changes_later_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks, marks, failed = [], Store.marks, anyio.Event()

    def fails_at_first(store: Store) -> dict[str, tuple[int, int]]:
        looks.append(store)
        if 1 < len(looks) < 5:
            raise DataError("The store does not answer.")
        if len(looks) == 5:
            anyio.from_thread.run_sync(failed.set)
        return marks(store)

    monkeypatch.setattr(Store, "marks", fails_at_first)
    monkeypatch.setattr(watcher, "EVERY", 0.01)
    async with Client(create_app(settings)) as client:
        search_id = (await answer(client, "start_search", device="raspi4", evaluations=10))["search_id"]
        uri = f"llmnas://searches/{search_id}"
        async with client.listen(resource_subscriptions=[uri]) as changes:
            with anyio.fail_after(HUNG):
                await failed.wait()
                await answer(client, "submit_architectures", search_id=search_id, architectures=[CELL])
                assert await anext(aiter(changes)) == ResourceUpdated(uri=uri)
    assert [record.message for record in caplog.records if "no changes" in record.message] == [
        "who listens is told of no changes for now: The store does not answer."
    ]
