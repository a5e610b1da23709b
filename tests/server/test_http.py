"""The server over HTTP as clients use it: both protocols, its log, its stop."""

from __future__ import annotations

import json
import logging
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from llmnas_mcp.server.logs import JsonLines, Text
from tests import warm
from tests.agents.conftest import timeless
from tests.server.conftest import CELL, answer
from tests.server.serving import environment, serving
from tests.server.test_surface import TOOLS
from tests.thorough import HUNG

pytestmark = pytest.mark.anyio
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CELLS = [CELL.replace("none", one).replace("skip_connect", other) for one in OPERATIONS for other in OPERATIONS]
FEW, MANY = (
    {"architectures": cells, "proxies": ["complexity"]} for cells in (CELLS[:3], CELLS)
)  # live: it takes a while


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
async def test_both_generations_of_the_protocol_are_served(tmp_path: Path, mode: str, version: str) -> None:
    with serving(tmp_path) as server:
        async with Client(server.url, mode=mode) as client:
            listed = (await client.list_tools()).tools
            found = await answer(client, "query_latency", architectures=[CELL], device="fpga")
            spoken = client.session.protocol_version
        assert server.stop() == 0
    assert spoken == version
    assert {tool.name for tool in listed} == TOOLS
    assert found["results"][0]["unit"] == "ms"


def test_a_search_runs_through_a_server_over_http_and_its_token_is_nowhere_told(tmp_path: Path) -> None:
    search = ("search", "--device", "raspi4", "--evaluations", "90", "--json")
    fronts = []
    with serving(tmp_path / "there", "--log-format", "json", token="correct-horse") as server:
        for folder, token, more in (("here", None, ()), ("agent", "correct-horse", ("--server", server.url))):
            done = warm.run([*search, *more], env=environment(tmp_path / folder, token), check=True)
            fronts.append(timeless(json.loads(done.stdout)))
            assert done.stderr == ""
        server.stop()
    assert fronts[0] == fronts[1]
    assert "correct-horse" not in "".join(server.log)
    assert not (tmp_path / "agent" / "llmnas.db").exists()


@pytest.mark.parametrize("formatter", [Text, JsonLines])
def test_no_secret_of_the_environment_is_logged_whoever_quotes_it(
    monkeypatch: pytest.MonkeyPatch, formatter: type[Text]
) -> None:
    monkeypatch.setenv("LLMNAS_STORE", "postgresql://me:pass%40word@there/db")
    monkeypatch.setenv("LLMNAS_HTTP_TOKEN", "open-sesame")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-mine")
    try:
        raise ValueError("pass@word, open-sesame")
    except ValueError:
        error = sys.exc_info()
    record = logging.LogRecord("a", logging.ERROR, __file__, 1, "%s failed", ("pass%40word sk-ant-mine",), error)
    told = formatter().format(record)
    assert "***" in told
    assert not any(secret in told for secret in ("pass@word", "pass%40word", "open-sesame", "sk-ant"))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("{base}/mcp", None, "asks for a token: set LLMNAS_HTTP_TOKEN"),
        ("{base}/mcp", "wrong", "asks for a token: another than LLMNAS_HTTP_TOKEN has"),
        ("{base}/mcp", "two words", "printable ASCII"),
        ("{base}/", "right", "404 Not Found. Check the URL; its path is usually /mcp"),
        ("http://user:hidden@127.0.0.1:1/mcp", "right", "Is the server running?"),
        ("http://127.0.0.1:99999/mcp", "right", "is no URL"),
    ],
)
def test_what_keeps_a_client_from_a_server_is_told_in_one_line(
    right: str, tmp_path: Path, url: str, token: str | None, said: str
) -> None:
    done = warm.run(["searches", "--server", url.format(base=right)], env=environment(tmp_path, token))
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "hidden" not in done.stderr


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory):
    """The address of a server whose token is `right`."""
    with serving(tmp_path_factory.mktemp("right"), token="right") as server:
        yield server.base


def begun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a server that cannot be has to say."""
    return warm.run(list(arguments), program=warm.SERVER, env=environment(folder), timeout=HUNG)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.org"])
def test_others_are_served_only_with_a_token(tmp_path: Path, host: str) -> None:
    done = begun(tmp_path, "--transport", "http", "--port", "0", "--host", host)
    assert done.returncode == 1
    assert "set LLMNAS_HTTP_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_with_a_token_all_addresses_can_be_served(tmp_path: Path, host: str) -> None:
    with serving(tmp_path, "--host", host, token="secret") as server:
        assert server.hello(headers={"Authorization": "Bearer secret"}).status_code == 200
        assert server.hello(headers={"Authorization": "Bearer secret", "Host": "evil.example"}).status_code == 421
        # By whichever of its addresses it is reached, it answers to that.
        assert httpx2.get(f"http://127.0.0.2:{server.port}/health", timeout=HUNG).status_code == 200


def test_a_port_in_use_is_told_with_the_fix(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = begun(tmp_path, "--transport", "http", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "--port" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("port", ["65536", "99999", "-1"])
def test_a_port_that_there_is_not_is_refused_not_made_another(tmp_path: Path, port: str) -> None:
    done = begun(tmp_path, "--transport", "http", "--port", port)
    assert done.returncode == 1
    assert done.stderr.startswith(f"llmnas-mcp: There is no port {port}. Choose a --port from 1 to 65535")


def test_a_request_is_found_in_the_log_by_the_id_its_answer_carries(tmp_path: Path) -> None:
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "get\nsearch", "arguments": {}}}
    with serving(tmp_path, "--log-format", "json") as server:
        session = {"Mcp-Session-Id": server.hello().headers["mcp-session-id"]}
        headers = {"Accept": "application/json, text/event-stream", **session}
        told = httpx2.post(server.url, json=call, headers=headers, timeout=HUNG).headers["x-request-id"]
        refused = httpx2.get(f"{server.base}/nothing%0Ahere?token=hidden", timeout=HUNG).headers["x-request-id"]
        server.stop()
    lines = [json.loads(line) for line in server.log]
    assert all({"time", "level", "logger", "request", "message"} <= set(line) for line in lines)
    mine = [line for line in lines if line["request"] == told]
    assert [(line["method"], line["name"]) for line in mine] == [("tools/call", "get\nsearch")]
    assert [line["message"] for line in lines if line["request"] == refused] == ["GET /nothing%0Ahere: 404"]
    assert "hidden" not in "".join(server.log)


def test_a_line_of_the_text_log_cannot_be_forged(tmp_path: Path) -> None:
    name = "x\n2026-01-01 00:00:00,000 ERROR forged"
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": name, "arguments": {}}}
    with serving(tmp_path) as server:
        session = server.hello().headers["mcp-session-id"]
        headers = {"Accept": "application/json, text/event-stream", "Mcp-Session-Id": session}
        httpx2.post(server.url, json=call, headers=headers, timeout=HUNG)
        server.stop()
    assert any("forged" in line for line in server.log)
    assert not any(line.startswith("2026-01-01") for line in server.log)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_call_in_flight_is_answered_before_the_server_stops(tmp_path: Path, mode: str) -> None:
    with serving(tmp_path, patch="connections.GRACE_SECONDS = 60") as server:
        stopped = []

        async def stop_once(*_: object) -> None:
            if not stopped:
                stopped.append(True)
                server.process.send_signal(signal.SIGTERM)

        async with Client(server.url, mode=mode) as client:
            await client.list_tools()  # by which the client checks the answer: later there is nobody to ask
            result = await client.call_tool("score_zero_cost", FEW, progress_callback=stop_once)
        assert server.process.wait(HUNG) == 0
    assert stopped
    assert not result.is_error
    assert [one["architecture"] for one in result.structured_content["results"]] == FEW["architectures"]


@pytest.mark.thorough
@pytest.mark.parametrize(("mode", "number"), [("auto", signal.SIGTERM), ("legacy", signal.SIGINT)])
async def test_a_call_that_takes_too_long_is_cancelled_by_a_stop_and_the_store_is_whole(
    tmp_path: Path, mode: str, number: signal.Signals
) -> None:
    with serving(tmp_path, patch="connections.GRACE_SECONDS = 0.1") as server:
        async with Client(server.url, mode=mode) as client:
            started = await answer(client, "start_search", device="fpga", evaluations=1000)
            stopped = []

            async def stop_once(*_: object) -> None:
                if not stopped:
                    stopped.append(True)
                    server.process.send_signal(number)

            with pytest.raises(MCPError):
                await client.call_tool("score_zero_cost", MANY, progress_callback=stop_once)
        assert server.process.wait(HUNG) == 0
    assert "Traceback" not in "".join(server.log)
    assert whole(tmp_path) == [started["search_id"]]


async def test_writers_cut_off_by_a_stop_leave_the_store_whole(tmp_path: Path) -> None:
    written = anyio.Event()

    async def write(client: Client, name: str) -> None:
        while True:
            bred = await answer(client, "breed_architectures", search_id=name, niche=0, count=20)
            offspring = [one["architecture"] for one in bred["offspring"]]
            await answer(client, "submit_architectures", search_id=name, architectures=offspring)
            written.set()

    with serving(tmp_path, patch="connections.GRACE_SECONDS = 0.1") as server:
        searches = []
        try:
            async with Client(server.url) as client, anyio.create_task_group() as group:
                for seed in range(4):
                    search = await answer(client, "start_search", device="fpga", evaluations=1000, seed=seed)
                    searches.append(search["search_id"])
                    group.start_soon(write, client, searches[-1])
                await written.wait()
                server.process.send_signal(signal.SIGTERM)
        except* (MCPError, httpx2.TransportError):
            pass
        assert server.process.wait(HUNG) == 0
    assert whole(tmp_path) == sorted(searches)


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_over_stdio_a_signal_cancels_the_call_and_ends_the_server_with_code_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "0"},
    }
    calls = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {
            "id": 2,
            "method": "tools/call",
            "params": {"name": "score_zero_cost", "arguments": MANY, "_meta": {"progressToken": 1}},
        },
    ]
    pipe = subprocess.PIPE
    with warm.Popen(
        [], warm.SERVER, env=environment(tmp_path), stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        process.stdin.write("".join(json.dumps({"jsonrpc": "2.0", **call}) + "\n" for call in calls))
        process.stdin.flush()
        for line in process.stdout:
            if "notifications/progress" in line:
                break
        process.send_signal(number)
        process.wait(HUNG)
        log = process.stderr.read()
    assert process.returncode == 0
    assert "Traceback" not in log
    assert whole(tmp_path) == []


def test_every_call_is_a_span_where_opentelemetry_is_set_up(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from opentelemetry import trace
from mcp import Client
from llmnas_mcp.server.app import create_app
from llmnas_mcp.settings import Settings
class Recorder(trace.TracerProvider, trace.Tracer):
    def get_tracer(self, *args, **options): return self
    def start_span(self, name, *args, **options): print(name, options.get("attributes")); return trace.INVALID_SPAN
    def start_as_current_span(self, name, *args, **options):
        return trace.use_span(self.start_span(name, *args, **options))
trace.set_tracer_provider(Recorder())
async def main():
    async with Client(create_app(Settings(store=f"sqlite:///{sys.argv[1]}/x.db"))) as client:
        await client.call_tool("list_spaces", {})
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "tools/call list_spaces {'mcp.method.name': 'tools/call'" in done.stdout


def whole(folder: Path) -> list[str]:
    """The searches of a store that is found to be whole."""
    with sqlite3.connect(folder / "llmnas.db") as store:
        assert store.execute("pragma integrity_check").fetchall() == [("ok",)]
        searches = [name for (name,) in store.execute("select search_id from searches order by search_id")]
    store.close()
    return searches
