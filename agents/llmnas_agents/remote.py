"""A laboratory at a URL: the token it asks for, and what its refusals mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from llmnas_mcp.errors import LabError
from llmnas_mcp.settings import Settings


def connect(server: str) -> Any:
    """A transport for mcp.Client, with the token of LLMNAS_HTTP_TOKEN if there is one; raises LabError for no URL."""
    return _transport(server, _shown(server), Settings().bearer())


@asynccontextmanager
async def _transport(server: str, shown: str, token: str | None) -> AsyncIterator[Any]:
    async def explain(response: httpx2.Response) -> None:
        if response.status_code == 401:
            fix = "another than LLMNAS_HTTP_TOKEN has" if token else "set LLMNAS_HTTP_TOKEN"
            raise LabError(f"The laboratory at {shown} asks for a token: {fix}.")
        # Errors of the protocol itself are JSON, with a status of their own; the library reads those.
        if response.status_code >= 400 and "json" not in response.headers.get("content-type", ""):
            told = f"{response.status_code} {response.reason_phrase}"
            raise LabError(f"No laboratory at {shown}: it answers {told}. Check the URL; its path is usually /mcp.")

    # Redirects are followed within the origin only, so the token goes nowhere else.
    headers = {"Authorization": f"Bearer {token}"} if token else None
    timeout = httpx2.Timeout(30, read=300)  # the server's pings keep a long call alive
    try:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks={"response": [explain]}) as http,
            streamable_http_client(server, http_client=http) as streams,
        ):
            yield streams
    except* httpx2.TransportError as group:
        raise LabError(f"No laboratory answers at {shown} ({_first(group)}). Is the server running?") from group
    except* MCPError as group:
        raise LabError(f"The laboratory at {shown} broke off: {_first(group)}.") from group


def _shown(server: str) -> str:
    """The URL without a password, as it may be told."""
    try:
        url = httpx2.URL(server)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if not url.host or (url.port or 1) > 65535:
        raise LabError(f"--server {server!r} is no URL; one looks like http://127.0.0.1:8000/mcp")
    return str(url.copy_with(userinfo=b""))


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
