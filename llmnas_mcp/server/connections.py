"""uvicorn, with what it lacks: it tells its address, stops in bounded time, and does not wait for ever on a request."""

from __future__ import annotations

import asyncio
import logging
import socket

import anyio
import h11
import uvicorn
from sse_starlette.sse import AppStatus
from uvicorn.protocols.http.h11_impl import H11Protocol

from llmnas_mcp.server.gate import Gate

ARRIVAL_SECONDS = 30.0  # in which a request must have arrived in whole
GRACE_SECONDS = 5.0  # that calls in flight have to finish in when the server stops
CONNECTIONS = 1000  # more are answered 503; a process may usually have 1024 files open

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Serves one gate; `path` is where, for the log."""

    def __init__(self, gate: Gate, path: str) -> None:
        self._gate, self._path = gate, path
        # Streams are ended by the gate; by its own way, the library would cut the calls of sessions as well.
        AppStatus.enable_automatic_graceful_drain = False
        super().__init__(
            uvicorn.Config(
                gate,
                http=Connection,
                ws="none",
                lifespan="on",
                log_config=None,
                log_level=logging.WARNING,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=CONNECTIONS,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell the address."""
        await super().startup(sockets)
        for listener in sockets or []:
            address, port = listener.getsockname()[:2]
            log.info("serving on http://%s:%s%s", f"[{address}]" if ":" in address else address, port, self._path)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, end streams, give calls a while to finish, cancel those that have not."""
        log.info("stopping")
        self._gate.end_streams()
        async with anyio.create_task_group() as group:
            group.start_soon(self._end_calls)
            await super().shutdown(sockets)
            group.cancel_scope.cancel()

    async def _end_calls(self) -> None:
        await anyio.sleep(GRACE_SECONDS)
        self._gate.end_calls()
        await anyio.sleep(1)
        # What still is there waits for a client that does not read.
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class Connection(H11Protocol):
    """A connection that is closed when a request has not arrived in whole in time; uvicorn itself waits for ever."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connects: its first request is awaited."""
        super().connection_made(transport)
        self._await_request(True)

    def data_received(self, data: bytes) -> None:
        """Something arrives: a whole request or a part."""
        super().data_received(data)
        self._await_request(self.conn.their_state in (h11.IDLE, h11.SEND_BODY))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._await_request(False)
        super().connection_lost(exc)

    def _await_request(self, awaited: bool) -> None:
        if awaited and self._deadline is None:
            self._deadline = self.loop.call_later(ARRIVAL_SECONDS, self._late)
        elif not awaited and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        if self.cycle is None or not self.cycle.response_started:
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self.transport.close()
