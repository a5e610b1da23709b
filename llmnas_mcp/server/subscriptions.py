"""Subscriptions to resources in the protocol up to 2025-11-25, which the library leaves to its lower half.

A client of 2026-07-28 listens by subscriptions/listen, which the library serves. Both hear of the same changes.
"""

from __future__ import annotations

from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import ResourceUpdated, ServerEvent, SubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from llmnas_mcp.server.jobs import Work

MOST = 1000  # of one session; who follows more searches than that reads list_searches
KEY = "llmnas.subscribed"


def register(mcp: MCPServer[Work], changes: SubscriptionBus) -> None:
    """Add resources/subscribe and resources/unsubscribe; a session's subscriptions end with it."""

    async def subscribe(ctx: ServerRequestContext[Work, Any], params: SubscribeRequestParams) -> EmptyResult:
        connection = ctx.session._connection
        if KEY not in connection.state:
            uris: set[str] = set()

            def tell(event: ServerEvent) -> None:
                if isinstance(event, ResourceUpdated) and event.uri in uris:
                    updated = {"uri": event.uri}
                    ctx.lifespan_context.group.start_soon(connection.notify, "notifications/resources/updated", updated)

            connection.state[KEY] = uris
            connection.exit_stack.callback(changes.subscribe(tell))
        if len(connection.state[KEY]) >= MOST:
            raise MCPError(INVALID_PARAMS, f"This session has {MOST} subscriptions, the most it can: end some of them.")
        connection.state[KEY].add(params.uri)
        return EmptyResult()

    async def unsubscribe(ctx: ServerRequestContext[Work, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        ctx.session._connection.state.get(KEY, set()).discard(params.uri)
        return EmptyResult()

    lower = mcp._lowlevel_server
    lower.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    lower.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
