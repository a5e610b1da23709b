"""What every HTTP request passes before the protocol: its id, its Host and Origin, its token, and its end at a stop."""

from __future__ import annotations

import functools
import hmac
import ipaddress
import logging
from collections.abc import Iterable

import anyio
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llmnas_mcp.server import logs

log = logging.getLogger(__name__)


class OneToken:
    """Verifies bearer tokens against the one that is configured, in a time that tells nothing about it."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the library wants to know of a valid token; None for any other."""
        if hmac.compare_digest(token.encode(), self._token):
            return AccessToken(token=token, client_id="llmnas", scopes=[])
        return None


class Gate:
    """The outermost ASGI application.

    names: hosts the server may be called by, besides the address a client connected to. A page in a browser that has
    its own name point here (DNS rebinding) is refused by its Host, one of another site by its Origin.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        self._names = frozenset(names)
        self._security = functools.cache(self._security_at)
        self._calls: set[anyio.CancelScope] = set()
        self._streams: set[anyio.CancelScope] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        scope["state"]["request_id"] = logs.new_request_id()
        logs.request_id.set(scope["state"]["request_id"])
        answer = _Answer(request, send)
        stream = request.method == "GET" or request.headers.get("mcp-method") == "subscriptions/listen"
        open_ = self._streams if stream else self._calls
        with anyio.CancelScope() as cut:
            open_.add(cut)
            try:
                refused = await self._security(scope["server"][0]).validate_request(request)
                await (refused or self._app)(scope, receive, answer.send)
            except ClientDisconnect:
                log.info("%s %s: the client left", request.method, answer.path)
            finally:
                open_.discard(cut)
        if cut.cancelled_caught:
            await answer.cut()

    def end_streams(self) -> None:
        """End what only listens, and would keep the server from stopping."""
        for scope in self._streams:
            scope.cancel()

    def end_calls(self) -> None:
        """Cancel the calls in flight."""
        for scope in self._calls:
            scope.cancel()

    def _security_at(self, address: str) -> TransportSecurityMiddleware:
        ip = ipaddress.ip_address(address.partition("%")[0])
        # Where both are served on one socket, an IPv4 address is written as one of IPv6.
        own = str(ip.ipv4_mapped or f"[{ip}]") if ip.version == 6 else str(ip)
        hosts = [host for name in sorted({*self._names, own}) for host in (name, f"{name}:*")]
        origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
        return TransportSecurityMiddleware(TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins))


class _Answer:
    """An answer under way: it carries the request's id, is logged when it refuses, and can be ended early."""

    def __init__(self, request: Request, send: Send) -> None:
        self._request, self._send = request, send
        self._started = self._ended = False
        self.path = request.scope.get("raw_path", b"").decode("ascii", "replace")[:200]

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            own = (b"x-request-id", self._request.state.request_id.encode())
            message = {**message, "headers": [*message.get("headers", []), own]}
            if message["status"] >= 400:
                log.info("%s %s: %s", self._request.method, self.path, message["status"])
        elif message["type"] == "http.response.body":
            self._ended = not message.get("more_body", False)
        await self._send(message)

    async def cut(self) -> None:
        """End an answer whose request was cancelled."""
        if not self._started:
            stopping = PlainTextResponse("The server is stopping.", status_code=503)
            await stopping(self._request.scope, self._request.receive, self.send)
        elif not self._ended:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
