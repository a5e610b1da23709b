"""The server over streamable HTTP: both generations of the protocol at /mcp, and /health."""

from __future__ import annotations

import ipaddress
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from llmnas_mcp.errors import LabError
from llmnas_mcp.server.connections import Server
from llmnas_mcp.server.gate import Gate, OneToken
from llmnas_mcp.settings import Settings

PATH = "/mcp"
BODY_BYTES = 4 * 1024 * 1024  # several times what a thousand architectures with their origins take
IDLE_SECONDS = 30 * 60.0  # after which a session without requests is forgotten
SESSIONS = 1000
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def serve(mcp: MCPServer, settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM, then exit with code 0; raises LabError where it would be unsafe or cannot be."""
    token = settings.bearer()
    if token is None and not _is_loopback(host):
        raise LabError(
            f"--host {host} can be reached by others: set LLMNAS_HTTP_TOKEN to a secret of your own, which clients then"
            " send as a bearer token, or leave --host out to serve this machine alone."
        )
    listener = _listen(host, port)
    own = () if host in ("", "0.0.0.0", "::") else (f"[{host}]" if ":" in host else host,)
    gate = Gate(application(mcp, token), {*LOOPBACK, *own, socket.gethostname(), *settings.host_names()})
    for number in (signal.SIGINT, signal.SIGTERM):
        # While it serves, uvicorn has these; when it has stopped, it raises them once more.
        signal.signal(number, lambda *_: sys.exit(0))
    Server(gate, PATH).run(sockets=[listener])


def application(mcp: MCPServer, token: str | None) -> Starlette:
    """The routes; with a token, whatever is not /health asks for it."""
    # Host and Origin are the gate's, for every path and before anything is read.
    protocol = mcp.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=BODY_BYTES,
        session_idle_timeout=IDLE_SECONDS,
        max_sessions=SESSIONS,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    inner: ASGIApp = protocol
    if token is not None:
        inner = AuthenticationMiddleware(RequireAuthMiddleware(inner, []), backend=BearerAuthBackend(OneToken(token)))
    routes = [Route("/health", _health), Mount("/", inner)]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with protocol.router.lifespan_context(protocol):
            yield

    return Starlette(routes=routes, lifespan=lifespan)


async def _health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port < 1 << 16:  # the system would take what is left of it after 65536
        raise LabError(f"There is no port {port}. Choose a --port from 1 to 65535, or 0 for any free one.")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # With the protocol's number: by it asyncio knows TCP, and sends an answer's parts without waiting between them.
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        fix = "Choose another --port, or 0 for any free one."
        raise LabError(f"Cannot listen on {host} port {port} ({error}). {fix}") from error
    return listener
