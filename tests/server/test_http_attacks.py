"""What hostile or broken clients do to the server over HTTP: refused or served, never hurt."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio
import httpx2
import pytest

from tests.server.serving import HEADERS, HELLO, Serving, serving
from tests.thorough import HUNG

pytestmark = pytest.mark.anyio
BEARER = {"Authorization": "Bearer open-sesame"}
MODERN = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One that asks no token and is attacked again and again: at the end it is as healthy as ever."""
    with serving(tmp_path_factory.mktemp("open")) as running:
        yield running
        assert running.healthy()
        assert running.hello().status_code == 200
        assert running.stop() == 0
    assert "Traceback" not in "".join(running.log)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One with a token."""
    with serving(tmp_path_factory.mktemp("guarded"), token="open-sesame") as running:
        yield running
        assert running.hello(headers=BEARER).status_code == 200
        running.stop()
    assert "open-sesame" not in "".join(running.log)


@pytest.mark.parametrize("path", ["/mcp", "/health", "/other"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "", "169.254.169.254:8000"])
def test_a_foreign_host_is_refused_everywhere(server: Serving, path: str, host: str) -> None:
    assert httpx2.get(server.base + path, headers={"Host": host}, timeout=HUNG).status_code == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://localhost.evil.example", "null", "file://", "http://127.0.0.1.evil:80"]
)
def test_a_page_of_another_site_is_refused(server: Serving, origin: str) -> None:
    assert server.hello(headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_pages_and_clients_of_this_machine_are_served(server: Serving, name: str) -> None:
    own = {"Host": f"{name}:{server.port}", "Origin": f"http://{name}:3000"}
    assert server.hello(headers=own).status_code == 200


def test_names_of_a_proxy_are_allowed_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMNAS_HTTP_HOSTS", "lab.example, nas.example")
    with serving(tmp_path) as running:
        assert running.hello(headers={"Host": "nas.example", "Origin": "https://lab.example"}).status_code == 200
        assert running.hello(headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        "Bearer open-sesam",
        "Bearer open-sesame2",
        "Bearer OPEN-SESAME",
        "Bearer  open-sesame",
        "Basic open-sesame",
        "open-sesame",
        "Bearer open-sésame",
        "Bearer " + "x" * 30_000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "OPTIONS"])
def test_who_has_not_the_token_is_not_let_in(guarded: Serving, authorization: str | None, method: str) -> None:
    headers = {**HEADERS, **({} if authorization is None else {"Authorization": authorization.encode()})}
    refused = httpx2.request(method, guarded.url, headers=headers, content=json.dumps(HELLO), timeout=HUNG)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert "open-sesame" not in refused.text


def test_a_token_in_the_url_or_a_cookie_is_none(guarded: Serving) -> None:
    for url, cookie in ((f"{guarded.url}?access_token=open-sesame", ""), (guarded.url, "token=open-sesame")):
        assert httpx2.post(url, json=HELLO, headers={**HEADERS, "Cookie": cookie}, timeout=HUNG).status_code == 401


def test_a_token_that_is_no_longer_the_one_lets_nobody_in(tmp_path: Path) -> None:
    with serving(tmp_path, token="new") as running:
        assert running.hello(headers={"Authorization": "Bearer old"}).status_code == 401
        assert running.hello(headers={"Authorization": "Bearer new"}).status_code == 200


def test_a_session_is_no_substitute_for_the_token(guarded: Serving) -> None:
    session = {"Mcp-Session-Id": guarded.hello(headers=BEARER).headers["mcp-session-id"]}
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    assert httpx2.post(guarded.url, json=listing, headers={**HEADERS, **session}, timeout=HUNG).status_code == 401
    assert httpx2.delete(guarded.url, headers=session, timeout=HUNG).status_code == 401
    assert (
        httpx2.post(guarded.url, json=listing, headers={**HEADERS, **session, **BEARER}, timeout=HUNG).status_code
        == 200
    )


def test_health_needs_no_token_and_tells_nothing_else(guarded: Serving) -> None:
    assert httpx2.get(f"{guarded.base}/health", timeout=HUNG).json() == {"status": "ok"}


@pytest.mark.parametrize("more", [{}, MODERN], ids=["2025-11-25", "2026-07-28"])
def test_an_oversized_body_is_refused_declared_or_not(server: Serving, more: dict[str, str]) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(200):
            yield b"x" * 65536

    for body in (b"x" * (5 * 1024 * 1024), pieces()):
        with suppress(httpx2.WriteError):  # it need not listen to the end
            assert httpx2.post(server.url, content=body, headers={**HEADERS, **more}, timeout=HUNG).status_code == 413
    declared = b"POST /mcp HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n"
    assert server.raw(declared).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST /mcp HTTP/1.1\r\nHost: localhost:1\r\nX-",
        b"POST /mcp HTTP/1.1\r\nHost: localhost:1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        b"POST /mcp HTTP/1.1\r\nHost: localhost:1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["nothing", "headers", "body", "chunk"],
)
def test_a_request_that_does_not_arrive_in_time_is_cut_off(impatient: Serving, begun: bytes) -> None:
    assert impatient.raw(begun).startswith(b"HTTP/1.1 408 Request Timeout")


def test_the_second_request_on_a_connection_has_to_arrive_in_time_too(impatient: Serving) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", impatient.port, timeout=HUNG)
    connection.request("GET", "/health")
    assert json.load(connection.getresponse()) == {"status": "ok"}
    connection.sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost:1\r\nX-")
    while connection.sock.recv(65536):
        pass
    connection.close()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One that waits two seconds for a request, and serves whoever is in time to the end."""
    with serving(tmp_path_factory.mktemp("slow"), patch="connections.ARRIVAL_SECONDS = 2") as running:
        yield running
        while not running.healthy():  # a machine with other work may itself be late
            pass
        running.stop()
    assert "Traceback" not in "".join(running.log)


def test_many_slow_clients_keep_nobody_from_being_served(server: Serving) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            slow.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 100\r\n\r\n{")
        assert server.healthy()
        assert server.hello().status_code == 200


def test_more_connections_than_can_be_served_are_told_so(tmp_path: Path) -> None:
    with serving(tmp_path, patch="connections.CONNECTIONS = 5") as running:
        with ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            assert running.hello().status_code == 503
        while not running.healthy():
            pass
        assert running.hello().status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "/health/../mcp",
        "/health/%2e%2e/mcp",
        "//mcp",
        "/mcp/",
        "/MCP",
        "/%6dcp",
        "/mcp%00",
        "/mcp%2f",
        "/mcp;x=/health",
        "/./mcp",
        "/mcp?x=/health",
        "/..%2f..%2fetc/passwd",
        "/../../etc/passwd",
        "http://127.0.0.1/mcp",
        "/health%0d%0aX-Injected:%201",
        "/health/",
        "*",
        "/.well-known/oauth-protected-resource",
        "/docs",
        "/openapi.json",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_trick_with_the_path_leads_past_the_token(guarded: Serving, method: str, target: str) -> None:
    body = json.dumps(HELLO).encode()
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost:{guarded.port}\r\nConnection: close\r\n"
    more = f"Accept: {HEADERS['Accept']}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    answered = guarded.raw((head + more).encode() + body)
    status = int(answered.split()[1])
    assert status in (307, 400, 401, 404)
    assert b"X-Injected" not in answered
    assert b"protocolVersion" not in answered


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\nConnection: close\r\n\r\n",
        b"GET /mcp HTTP/1.1\r\n\r\n",
        b"GET /mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /mcp HTTP/1.1\r\nHost: localhost:1\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /mcp HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: -1\r\n\r\n",
        b"\r\n" * 100 + b"\x00\xff\xfe\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["tls", "version", "no host", "two hosts", "large header", "two lengths", "negative", "bytes", "http2"],
)
def test_what_is_no_http_is_refused(server: Serving, data: bytes) -> None:
    answered = server.raw(data)
    assert answered == b"" or answered.split()[1] in (b"400", b"404", b"421", b"431", b"501"), answered[:200]


@pytest.mark.parametrize("more", [{}, MODERN], ids=["2025-11-25", "2026-07-28"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" + b"1," * 100_000 + b"1]",
        b'{"jsonrpc":"2.0","id":' + b"9" * 10_000 + b',"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_spaces","arguments":{"x":NaN}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"no/such","params":{}}',
        b'{"jsonrpc":"2.0","id":{},"method":"tools/list"}',
        b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_message_is_refused(server: Serving, body: bytes, more: dict[str, str]) -> None:
    refused = httpx2.post(server.url, content=body, headers={**HEADERS, **more}, timeout=HUNG)
    assert 400 <= refused.status_code < 500
    assert "Traceback" not in refused.text


@pytest.mark.parametrize("session", ["nonsense", "../../etc/passwd", "0" * 32, "' or 1=1 --"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_session_that_was_never_opened_is_none(server: Serving, method: str, session: str) -> None:
    headers = {**HEADERS, "Mcp-Session-Id": session}
    assert (
        httpx2.request(method, server.url, headers=headers, content=json.dumps(HELLO), timeout=HUNG).status_code == 404
    )


@pytest.mark.thorough
async def test_two_hundred_sessions_at_once_are_served(tmp_path: Path) -> None:
    answers = []

    async def session(client: httpx2.AsyncClient, seed: int) -> None:
        hello = await client.post(running.url, json=HELLO, headers=HEADERS)
        headers = {**HEADERS, "Mcp-Session-Id": hello.headers["mcp-session-id"]}
        async with client.stream("GET", running.url, headers=headers) as listening:
            streams.append(listening.status_code)
            if len(streams) == 200:
                all_open.set()
            await all_open.wait()
            arguments = {"device": "fpga", "evaluations": 10, "seed": seed}
            params = {"name": "start_search", "arguments": arguments}
            call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
            async with client.stream("POST", running.url, json=call, headers=headers) as answered:
                events = [event.json() async for event in httpx2.EventSource(answered)]
            answers.extend(event["result"]["structuredContent"]["search_id"] for event in events)

    streams: list[int] = []
    all_open = anyio.Event()
    limits = httpx2.Limits(max_connections=None)
    with serving(tmp_path) as running:
        async with httpx2.AsyncClient(timeout=HUNG, limits=limits) as client, anyio.create_task_group() as group:
            for seed in range(200):
                group.start_soon(session, client, seed)
        assert running.healthy()
        assert running.stop() == 0
    assert streams == [200] * 200
    assert len(set(answers)) == 200
    assert "Traceback" not in "".join(running.log)


def test_sessions_beyond_the_limit_are_refused_and_those_open_go_on(tmp_path: Path) -> None:
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    with serving(tmp_path, patch="http.SESSIONS = 2") as running:
        one, two, three = (running.hello() for _ in range(3))
        session = {"Mcp-Session-Id": one.headers["mcp-session-id"]}
        assert (two.status_code, three.status_code) == (200, 503)
        assert httpx2.post(running.url, json=listing, headers={**HEADERS, **session}, timeout=HUNG).status_code == 200
        assert httpx2.delete(running.url, headers=session, timeout=HUNG).status_code == 200
        assert running.hello().status_code == 200


def test_a_session_nobody_uses_makes_room(tmp_path: Path) -> None:
    with serving(tmp_path, patch="http.SESSIONS, http.IDLE_SECONDS = 1, 0.5") as running:
        assert running.hello().status_code == 200
        while running.hello().status_code == 503:
            pass


def test_listening_streams_do_not_keep_the_server_from_stopping(tmp_path: Path) -> None:
    with serving(tmp_path, patch="connections.GRACE_SECONDS = 3600") as running:
        headers = {"Accept": "text/event-stream", "Mcp-Session-Id": running.hello().headers["mcp-session-id"]}
        with httpx2.stream("GET", running.url, headers=headers, timeout=HUNG) as stream:
            assert stream.status_code == 200
            assert running.stop() == 0
            assert list(httpx2.EventSource(stream)) == []


def test_a_client_that_does_not_read_keeps_nobody_from_being_served_and_the_server_not_from_stopping(
    tmp_path: Path,
) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).encode()
    with serving(tmp_path, patch="connections.GRACE_SECONDS = 0.1") as running:
        headers = {**HEADERS, "Host": "localhost:1", "Mcp-Session-Id": running.hello().headers["mcp-session-id"]}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"POST /mcp HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", running.port))
            connection.sendall(request * 600)  # 14 MB of answers, more than the system takes from the server
            served = -1
            while served != (served := sum("tools/list" in line for line in running.log)) or not served:
                assert all(running.healthy() for _ in range(20))
            assert served < 600
            assert running.stop() == 0
