"""Who listens to a search's resources is told when they change, whoever changes them, in this process or another."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio import to_thread
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ServerEvent

from llmnas_mcp.search.store import Store

EVERY = 0.5  # seconds between two looks at the store
PARTS = ("", "/front", "/knowledge", "/report", "/front.svg")


class StoreBus(InMemorySubscriptionBus):
    """Looks at the store while anyone listens, and at nothing otherwise."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self._wanted = anyio.Event()

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """See SubscriptionBus."""
        unsubscribe = super().subscribe(listener)
        self._wanted.set()
        return unsubscribe

    async def watch(self) -> None:
        """Tell of changes until cancelled."""
        while True:
            await self._wanted.wait()
            seen = await to_thread.run_sync(self._store.marks, abandon_on_cancel=True)
            while self._listeners:
                await anyio.sleep(EVERY)
                now = await to_thread.run_sync(self._store.marks, abandon_on_cancel=True)
                for search_id in [name for name, mark in now.items() if seen.get(name) != mark]:
                    for part in PARTS:
                        await self.publish(ResourceUpdated(uri=f"llmnas://searches/{search_id}{part}"))
                seen = now
            self._wanted = anyio.Event()
