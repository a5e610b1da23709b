"""Who listens to a search's resources is told when they change, whoever changes them, in this process or another."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
from anyio import to_thread
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ServerEvent
from sqlalchemy.exc import SQLAlchemyError

from llmnas_mcp.errors import DataError
from llmnas_mcp.search.store import Store

Marks = dict[str, tuple[int, int]]
log = logging.getLogger(__name__)
EVERY = 0.5  # seconds between two looks at the store
PARTS = ("", "/front", "/knowledge", "/report", "/front.svg")


class StoreBus(InMemorySubscriptionBus):
    """Looks at the store while anyone listens, and at nothing otherwise."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self._wanted = anyio.Event()
        self._answers = True

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """See SubscriptionBus."""
        unsubscribe = super().subscribe(listener)
        self._wanted.set()
        return unsubscribe

    async def watch(self) -> None:
        """Tell of changes until cancelled."""
        while True:
            await self._wanted.wait()
            seen = await self._look({})
            while self._listeners:
                await anyio.sleep(EVERY)
                now = await self._look(seen)
                for search_id in [name for name, mark in now.items() if seen.get(name) != mark]:
                    for part in PARTS:
                        await self.publish(ResourceUpdated(uri=f"llmnas://searches/{search_id}{part}"))
                seen = now
            self._wanted = anyio.Event()

    async def _look(self, seen: Marks) -> Marks:
        """The marks of the store; while it does not answer, those seen before: the server goes on without it."""
        try:
            marks = await to_thread.run_sync(self._store.marks, abandon_on_cancel=True)
        except (DataError, SQLAlchemyError) as error:
            if self._answers:  # once, not twice a second
                log.warning("who listens is told of no changes for now: %s", error)
            marks, self._answers = seen, False
        else:
            self._answers = True
        return marks
