from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

NETWORKS = (
    "depth=1,width=16,kernel.0=3",
    "depth=2,width=16,kernel.0=3,kernel.1=3",
    "depth=1,width=24,kernel.0=3",
    "depth=1,width=16,kernel.0=5",
)


def trainings(folder: Path) -> list[dict[str, Any]]:
    """All that a store remembers of trainings, but for when and how long."""
    if not (folder / "llmnas.db").exists():
        return []
    with closing(sqlite3.connect(folder / "llmnas.db")) as connection:
        connection.row_factory = sqlite3.Row
        if not connection.execute("select name from sqlite_master where name = 'trainings'").fetchall():
            return []
        rows = [dict(row) for row in connection.execute("select * from trainings order by epochs, architecture")]
    return [{k: v for k, v in row.items() if k not in ("id", "created", "seconds")} for row in rows]
