"""How our SQLite files are opened."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

PATIENCE = 30.0  # seconds that a connection waits for others


def prepare(connection: Any) -> None:
    """Readers that do not wait for a writer, and writers that wait for each other, on a DB-API connection.

    A new file takes to write-ahead logging at one hand only, and SQLite does not wait there by itself.
    """
    connection.execute(f"PRAGMA busy_timeout={PATIENCE * 1000:.0f}")
    until = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
