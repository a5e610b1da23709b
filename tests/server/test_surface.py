"""What a client sees of the server: tools, schemas, annotations, prompts, resources."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from jsonschema import Draft202012Validator

from llmnas_mcp.spaces import get_space
from tests import snapshots
from tests.server import calls
from tests.server.conftest import CELL, answer, server, session
from tests.thorough import HUNG

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every tool as it is on the wire."""

    async def ask() -> dict[str, Any]:
        async with session(tmp_path_factory.mktemp("listed")) as client:
            tools = (await client.list_tools()).tools
        return {tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools}

    return anyio.run(ask)


PARTS = ("", "/front", "/knowledge", "/report", "/front.svg")
TOOLS = {
    "list_spaces",
    "list_devices",
    "query_latency",
    "measure_latency",
    "train_architectures",
    "score_zero_cost",
    "start_search",
    "get_search",
    "list_searches",
    "get_brief",
    "mine_rules",
    "update_knowledge_base",
    "breed_architectures",
    "submit_architectures",
    "list_niche_members",
    "compute_pareto_front",
    "plot_pareto_front",
    "export_architecture",
}
WRITERS = {"start_search", "update_knowledge_base", "submit_architectures", "measure_latency", "train_architectures"}


async def test_the_tools_of_the_design_are_listed_and_no_others(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        listed = (await client.list_tools()).tools
    assert {tool.name for tool in listed} == TOOLS
    assert len(listed) == len(TOOLS)


async def test_the_list_of_tools_costs_a_model_at_most_7000_tokens(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        listed = await client.list_tools()
    assert len(listed.model_dump_json(by_alias=True, exclude_none=True)) / 4 <= 7000


async def test_every_tool_has_valid_schemas_a_description_and_annotations(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        listed = (await client.list_tools()).tools
    for tool in listed:
        Draft202012Validator.check_schema(tool.input_schema)
        assert tool.input_schema["additionalProperties"] is False
        assert tool.description
        assert tool.title
        assert tool.annotations.read_only_hint is (tool.name not in WRITERS)
        assert tool.annotations.destructive_hint is False
        assert tool.annotations.idempotent_hint is (tool.name != "start_search")
        assert tool.annotations.open_world_hint is False
        if tool.name != "plot_pareto_front":
            Draft202012Validator.check_schema(tool.output_schema)


@pytest.mark.parametrize("name", sorted(TOOLS))
async def test_a_tool_is_described_as_its_snapshot(name: str, listed: dict[str, Any]) -> None:
    text = json.dumps(listed[name], indent=1) + "\n"
    snapshots.check(Path(__file__).parent / "schemas" / f"{name}.json", text)


async def test_a_client_of_the_old_protocol_gets_the_same_tools(tmp_path: Path) -> None:
    async with session(tmp_path, mode="legacy") as client:
        listed = (await client.list_tools()).tools
        found = await answer(client, "query_latency", architectures=[CELL], device="fpga")
    assert {tool.name for tool in listed} == TOOLS
    assert found["results"][0]["unit"] == "ms"


def says_the_same(text: Any, structured: Any) -> bool:
    """Whether an answer's text has all that its structured form has, architectures in whichever form."""
    if isinstance(structured, dict):
        names = structured.keys() - ({"short"} if "architecture" in structured else set())
        return names == text.keys() - ({"short"} - names) and all(says_the_same(text[n], structured[n]) for n in names)
    if isinstance(structured, list):
        return len(text) == len(structured) and all(map(says_the_same, text, structured))
    if text != structured and isinstance(structured, str):
        space = get_space("nasbench201")
        return space.parse(text) == space.parse(structured) and len(text) < len(structured)
    return bool(text == structured)


@pytest.mark.parametrize("mode", ["auto", pytest.param("legacy", marks=pytest.mark.thorough)])
async def test_every_structured_result_matches_the_schema_of_its_tool(mode: str, tmp_path: Path) -> None:
    async with session(tmp_path, mode=mode) as client:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
        started = await answer(client, calls.START[0], **calls.START[1])
        made = [calls.START, *calls.first_results(started["search_id"]), *calls.rest(started["search_id"])]
        results = [(name, await client.call_tool(name, arguments)) for name, arguments in made]
    # Those that time and train networks have tests of their own.
    assert {name for name, _ in results} == TOOLS - {"measure_latency", "train_architectures"}
    for name, result in results:
        assert not result.is_error, result.content[0].text
        if schemas[name] is None:
            assert result.structured_content is None
        else:
            Draft202012Validator(schemas[name]).validate(result.structured_content)
            assert says_the_same(json.loads(result.content[0].text), result.structured_content)


async def test_two_prompts_turn_a_model_into_a_scientist(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        names = {prompt.name for prompt in (await client.list_prompts()).prompts}
        asked = await client.get_prompt("search_for_device", {"device": "raspi4", "max_latency": "3"})
        explained = await client.get_prompt("explain_front", {"search_id": "some-id"})
    assert names == {"search_for_device", "explain_front"}
    text = asked.messages[0].content.text
    assert "raspi4" in text
    assert "max_latency=3" in text
    assert all(tool in text for tool in ("get_brief", "update_knowledge_base", "submit_architectures"))
    assert "some-id" in explained.messages[0].content.text


async def test_resources_hold_what_the_tools_say(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        fixed = {str(resource.uri) for resource in (await client.list_resources()).resources}
        templates = {t.uri_template for t in (await client.list_resource_templates()).resource_templates}
        started = await answer(client, "start_search", device="eyeriss", evaluations=10)
        name = started["search_id"]
        read = {
            uri: json.loads((await client.read_resource(uri)).contents[0].text)
            for uri in (
                "llmnas://spaces",
                "llmnas://devices",
                f"llmnas://searches/{name}",
                f"llmnas://searches/{name}/front",
                f"llmnas://searches/{name}/knowledge",
            )
        }
        search = await answer(client, "get_search", search_id=name)
        devices = await answer(client, "list_devices")
    assert fixed == {"llmnas://spaces", "llmnas://devices"}
    assert templates == {*(f"llmnas://searches/{{search_id}}{part}" for part in PARTS), "llmnas://exports/{name}"}
    assert read[f"llmnas://searches/{name}"] == search
    assert read["llmnas://devices"] == devices
    assert read[f"llmnas://searches/{name}/front"]["front"] == []
    assert read[f"llmnas://searches/{name}/knowledge"] == {"rules": []}


async def test_the_report_and_the_picture_of_a_search_are_resources(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        name = (await answer(client, "start_search", device="eyeriss", evaluations=10))["search_id"]
        await answer(client, "submit_architectures", search_id=name, architectures=[CELL])
        page, picture = [
            (await client.read_resource(f"llmnas://searches/{name}/{part}")).contents[0]
            for part in ("report", "front.svg")
        ]
        with pytest.raises(Exception, match="no search 'nothing'"):
            await client.read_resource("llmnas://searches/nothing/report")
    assert (page.mime_type, picture.mime_type) == ("text/html", "image/svg+xml")
    assert page.text.startswith("<!doctype html>")
    assert CELL in page.text
    assert "<svg" in picture.text


async def test_a_resource_of_no_search_says_so(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        with pytest.raises(Exception, match="no search 'nothing'"):
            await client.read_resource("llmnas://searches/nothing")


def test_standard_output_carries_nothing_but_json_rpc(tmp_path: Path) -> None:
    target = server(tmp_path)
    calls = [
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "t", "version": "0"},
            },
        },
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get_search", "arguments": {}}},
        {
            "jsonrpc": "2.0",
            "id": 3,
            "method": "tools/call",
            "params": {"name": "get_search", "arguments": {"search_id": "x"}},
        },
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [target.command, *target.args], env=target.env, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        process.stdin.write("".join(json.dumps(call) + "\n" for call in calls))
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(3)]
        rest, log = process.communicate(timeout=HUNG)
    assert {a["id"] for a in answers} == {1, 2, 3}
    assert all(a["jsonrpc"] == "2.0" for a in answers)
    assert rest == ""
    assert "Traceback" not in log


def test_the_server_starts_without_torch_or_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys; from llmnas_mcp.server.app import create_app; from llmnas_mcp.settings import Settings;"
        "create_app(Settings(store='sqlite:///' + sys.argv[1] + '/x.db'));"
        "print([name for name in ('torch', 'matplotlib', 'langgraph', 'anthropic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
