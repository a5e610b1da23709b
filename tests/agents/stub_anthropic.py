"""A small real server of Anthropic's POST /v1/messages that answers by a script and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

KEY = "sk-ant-a-secret-of-the-tests"
HIDDEN = "***"
USAGE = {"input_tokens": 100, "output_tokens": 50, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


@dataclass(frozen=True)
class Answer:
    """A message: its text, or other content blocks; how it ends; the tokens it used.

    fault: "drop" closes the connection in the middle of the body, "cut" sends a body whose JSON stops in the middle.
    """

    text: str = "{}"
    stop_reason: str = "end_turn"
    usage: Mapping[str, int] = field(default_factory=lambda: USAGE)
    content: list[dict[str, Any]] | None = None
    fault: Literal["drop", "cut"] | None = None


@dataclass(frozen=True)
class Failure:
    """An HTTP error. `at_once` asks the client for a wait of a millisecond: it takes "retry-after: 0" for no wish."""

    status: int
    message: str = "no"
    headers: Mapping[str, str] = field(default_factory=dict)
    at_once: bool = True


@dataclass(frozen=True)
class Raw:
    """Any other body, such as a page of HTML."""

    body: str
    content_type: str = "text/html"


Script = Answer | Failure | Raw


@dataclass(frozen=True)
class Request:
    """What was asked: headers in small letters, the key's value hidden, and the body."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class StubAnthropic:
    """The server, for a `with`. Its script is a list of replies, one a request, or a function of the request.

    A function is called in the request's own thread: it may wait for others. `requests` is what was asked so far.
    """

    def __init__(self, script: Iterable[Script] | Callable[[Request], Script]) -> None:
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._function = script if callable(script) else None
        self._replies: Iterator[Script] = iter(()) if callable(script) else iter(script)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        """For ANTHROPIC_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to ask this server and no other."""
        return {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": KEY, "NO_PROXY": "*", "LLMNAS_MODEL": ""}

    def __enter__(self) -> StubAnthropic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply_to(self, request: Request) -> Script:
        with self._lock:
            self.requests.append(request)
            if self._function is None:
                return next(self._replies, Failure(400, "the script of the stub is over"))
        return self._function(request)


def _handler(stub: StubAnthropic) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value.replace(KEY, HIDDEN) for name, value in self.headers.items()}
            request = Request(self.path, headers, json.loads(sent))
            reply = stub.reply_to(request)
            if self.path.partition("?")[0] != "/v1/messages":
                reply = Failure(404, "no such path")
            if isinstance(reply, Raw):
                self.respond(200, reply.body.encode(), {"content-type": reply.content_type})
            elif isinstance(reply, Failure):
                error = {"type": ERRORS.get(reply.status, "api_error"), "message": reply.message}
                wait = {"retry-after-ms": "1"} if reply.at_once else {}
                body = json.dumps({"type": "error", "error": error, "request_id": "req_stub"}).encode()
                self.respond(reply.status, body, {"content-type": "application/json", **wait, **reply.headers})
            else:
                body = json.dumps(_message(reply, request)).encode()
                half = body[: len(body) // 2]
                whole = half if reply.fault == "cut" else body
                self.respond(200, half if reply.fault else body, {"content-type": "application/json"}, len(whole))

        def respond(self, status: int, body: bytes, headers: Mapping[str, str], length: int | None = None) -> None:
            self.send_response(status)
            for name, value in {"request-id": "req_stub", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, TimeoutError):
                self.close_connection = True  # the client was killed

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler


def _message(reply: Answer, request: Request) -> dict[str, Any]:
    return {
        "id": "msg_stub",
        "type": "message",
        "role": "assistant",
        "model": request.body["model"],
        "content": [{"type": "text", "text": reply.text}] if reply.content is None else reply.content,
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "usage": dict(reply.usage),
    }
