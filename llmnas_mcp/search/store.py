"""What searches remember, on SQLAlchemy: in SQLite or PostgreSQL.

An evaluation is unique per search and canonical architecture, and the knowledge base only ever grows by versions, so
that doing a step twice changes nothing. Each public method is one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    String,
    Table,
)

from llmnas_mcp import database

metadata = sa.MetaData()

searches = Table(
    "searches",
    metadata,
    Column("search_id", String(80), primary_key=True),
    Column("space", String(40), nullable=False),
    Column("dataset", String(64), nullable=False),
    Column("device", String(40)),
    Column("objectives", JSON, nullable=False),
    Column("operator", String(40), nullable=False),
    Column("seed", Integer, nullable=False),
    Column("limits", JSON, nullable=False),
    Column("evaluations", Integer, nullable=False),
    Column("rounds", Integer),
    Column("offspring", Integer, nullable=False),
    Column("cost_low", JSON, nullable=False),
    Column("cost_high", JSON, nullable=False),
    Column("niches", JSON, nullable=False),
    Column("created", String(32), nullable=False),
    Column("scored_by", String(20), nullable=False, server_default="zero-cost"),
    Column("cut", String(20), nullable=False, server_default="clusters"),
)

members = Table(
    "members",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("search_id", String(80), sa.ForeignKey("searches.search_id"), nullable=False),
    Column("architecture", String(1000), nullable=False),
    Column("niche", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("score", Float, nullable=False),
    Column("costs", JSON, nullable=False),
    Column("params", BigInteger, nullable=False),
    Column("score_source", String(80), nullable=False),
    Column("cost_sources", JSON, nullable=False),
    Column("origin", JSON, nullable=False),
    sa.UniqueConstraint("search_id", "architecture"),
    sa.Index("members_in_order", "search_id", "id"),
)

rules = Table(
    "rules",
    metadata,
    Column("search_id", String(80), primary_key=True),
    Column("niche", Integer, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("rule_id", String(40), primary_key=True),
    Column("content", JSON, nullable=False),
    Column("status", String(10), nullable=False),
    Column("author", String(40), nullable=False),
    Column("round", Integer, nullable=False),
    sa.ForeignKeyConstraint(["search_id"], ["searches.search_id"]),
)

# See tasks.py.
tasks = Table(
    "tasks",
    metadata,
    Column("task_id", String(40), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("call", String(400), nullable=False),
    Column("status", String(20), nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("stop", Boolean, nullable=False),
    Column("machine", String(80), nullable=False),
    Column("runner", String(40), nullable=False),
    Column("outcome", JSON),
    Column("created", String(32), nullable=False),
    Column("updated", String(32), nullable=False),
    Column("expires", String(32), nullable=False, index=True),
)

# See trained.py.
trainings = Table(
    "trainings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String(40), nullable=False),
    Column("space", String(40), nullable=False),
    Column("architecture", String(1000), nullable=False),
    Column("data", String(64), nullable=False),
    Column("digest", String(40), nullable=False),
    Column("epochs", Integer, nullable=False),
    Column("of_epochs", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("valid", Float, nullable=False),
    Column("test", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("split", JSON, nullable=False),
    Column("weights", String(80), nullable=False),
    Column("created", String(32), nullable=False),
    sa.UniqueConstraint("key", "epochs"),
    sa.Index("trainings_in_space", "space", "id"),
)

SCHEMA = database.Schema("llmnas_version", metadata, Path(__file__).with_name("migrations"), "0007")

# Queries asked many times a round, built once.
_SEARCH: sa.BindParameter[str] = sa.bindparam("search_id")
_NICHE: sa.BindParameter[int] = sa.bindparam("niche")
_AFTER: sa.BindParameter[int] = sa.bindparam("after")
_BEFORE: sa.BindParameter[int] = sa.bindparam("before")
EVER = 2**31 - 1  # a round after all others
_newer = rules.alias()
_later = sa.exists().where(
    _newer.c.search_id == rules.c.search_id,
    _newer.c.niche == rules.c.niche,
    _newer.c.rule_id == rules.c.rule_id,
    _newer.c.version > rules.c.version,
    _newer.c.round < _BEFORE,
)
_active = sa.select(rules).where(
    rules.c.search_id == _SEARCH, rules.c.status == "active", rules.c.round < _BEFORE, ~_later
)
_RULE_ORDER = (rules.c.version, sa.func.length(rules.c.rule_id), rules.c.rule_id)
ACTIVE_RULES = _active.where(rules.c.niche == _NICHE).order_by(*_RULE_ORDER)
ALL_RULES = sa.select(rules).where(rules.c.search_id == _SEARCH, rules.c.niche == _NICHE).order_by(*_RULE_ORDER)
_counted = _active.subquery()
RULE_COUNTS = sa.select(_counted.c.niche, sa.func.count().label("n")).group_by(_counted.c.niche)
MEMBERS = (
    sa.select(*(column for column in members.c if column.name not in ("search_id", "origin")))
    .where(members.c.search_id == _SEARCH, members.c.id > _AFTER)
    .order_by(members.c.id)
)
ORIGINS = sa.select(members.c.architecture, members.c.origin).where(members.c.search_id == _SEARCH)
_TRAININGS = sa.select(*(column for column in trainings.c if column.name not in ("id", "created")))
# One writer of a search at a time, so that what it counts still holds when it writes, and ids rise in the order in
# which members appear. SQLite has no such lock and needs none: it has one writer at a time.
LOCK_SEARCH = sa.select(searches.c.search_id).where(searches.c.search_id == _SEARCH).with_for_update()


class Store:
    """Searches, members, rules and trainings in one database."""

    def __init__(self, url: str) -> None:
        self.engine = database.connect(url, SCHEMA)
        self._reader = self.engine.execution_options(reading=True)

    def close(self) -> None:
        """Release the database's files and connections."""
        self.engine.dispose()

    def add_search(self, row: dict[str, Any], stem: str) -> dict[str, Any]:
        """Remember a new search under `stem`, or under `stem-2`, `stem-3`, ... when that is taken; returns its row."""
        with self.engine.begin() as connection:
            database.alone(connection)
            same = sa.select(searches.c.search_id).where(searches.c.search_id.startswith(stem, autoescape=True))
            taken = set(connection.scalars(same))
            search_id, n = stem, 1
            while search_id in taken:
                n += 1
                search_id = f"{stem}-{n}"
            created = datetime.now(UTC).isoformat(timespec="microseconds")
            whole = {**row, "search_id": search_id, "created": created}
            connection.execute(searches.insert().values(**whole))
        return whole

    def search(self, search_id: str) -> dict[str, Any] | None:
        """The row of a search, or None."""
        with self._reader.connect() as connection:
            row = connection.execute(sa.select(searches).where(searches.c.search_id == search_id)).mappings().first()
        return dict(row) if row else None

    def list_searches(self, limit: int, offset: int) -> tuple[list[dict[str, Any]], int]:
        """A page of searches, newest first, each with the evaluations it `used`; and how many there are."""
        used = sa.select(sa.func.count()).where(members.c.search_id == searches.c.search_id).scalar_subquery()
        newest_first = searches.c.created.desc(), searches.c.search_id
        query = sa.select(searches, used.label("used")).order_by(*newest_first).limit(limit).offset(offset)
        with self._reader.connect() as connection:
            rows = [dict(r) for r in connection.execute(query).mappings()]
            total = connection.scalar(sa.select(sa.func.count()).select_from(searches))
        return rows, int(total or 0)

    def members(self, search_id: str, after: int = 0) -> list[dict[str, Any]]:
        """The members of a search without their origins, in the order they were kept; those with an id over `after`."""
        return self._rows(MEMBERS, search_id=search_id, after=after)

    def origins(self, search_id: str) -> dict[str, dict[str, Any]]:
        """Where each member of a search comes from, by architecture."""
        return {row["architecture"]: row["origin"] for row in self._rows(ORIGINS, search_id=search_id)}

    def marks(self) -> dict[str, tuple[int, int]]:
        """How many members and how many writings of rules each search has: a change shows in these."""
        counts = []
        with self._reader.connect() as connection:
            for table in (members, rules):
                query = sa.select(table.c.search_id, sa.func.count()).group_by(table.c.search_id)
                counts.append({row[0]: int(row[1]) for row in connection.execute(query)})
        of_members, of_rules = counts
        return {name: (of_members.get(name, 0), of_rules.get(name, 0)) for name in {**of_members, **of_rules}}

    def add_members(self, search_id: str, rows: Sequence[dict[str, Any]], budget: int) -> tuple[list[str], int]:
        """Insert those rows that are new, as far as the budget goes. Returns what became of each, and the number used.

        Per row: "kept", "duplicate" (evaluated before in this search) or "budget" (nothing left).
        """
        outcome = []
        with self.engine.begin() as connection:
            connection.execute(LOCK_SEARCH, {"search_id": search_id})
            mine = members.c.search_id == search_id
            used = int(connection.scalar(sa.select(sa.func.count()).select_from(members).where(mine)) or 0)
            asked = members.c.architecture.in_([row["architecture"] for row in rows])
            known = set(connection.scalars(sa.select(members.c.architecture).where(mine, asked)))
            new: list[dict[str, Any]] = []
            for row in rows:
                if row["architecture"] in known:
                    outcome.append("duplicate")
                elif used + len(new) >= budget:
                    outcome.append("budget")
                else:
                    known.add(row["architecture"])
                    new.append({**row, "search_id": search_id})
                    outcome.append("kept")
            if new:
                connection.execute(members.insert(), new)
        return outcome, used + len(new)

    def rules(self, search_id: str, niche: int) -> list[dict[str, Any]]:
        """Every writing of every rule of a niche, oldest first."""
        return self._rows(ALL_RULES, search_id=search_id, niche=niche)

    def active_rules(self, search_id: str, niche: int, before: int = EVER) -> list[dict[str, Any]]:
        """The rules of a niche in force before a round: the last writing of each that is not retired."""
        return self._rows(ACTIVE_RULES, search_id=search_id, niche=niche, before=before)

    def count_active_rules(self, search_id: str) -> dict[int, int]:
        """How many rules are in force, by niche; niches without rules are left out."""
        return {row["niche"]: row["n"] for row in self._rows(RULE_COUNTS, search_id=search_id, before=EVER)}

    def _rows(self, query: sa.Select[Any], **values: Any) -> list[dict[str, Any]]:
        with self._reader.connect() as connection:
            return [row._asdict() for row in connection.execute(query, values)]

    def add_rules(self, search_id: str, niche: int, version: int, rows: Sequence[dict[str, Any]]) -> bool:
        """Write version `version` of a niche's rules; False when someone else wrote that version first."""
        here = rules.c.search_id == search_id, rules.c.niche == niche
        with self.engine.begin() as connection:
            connection.execute(LOCK_SEARCH, {"search_id": search_id})
            if (connection.scalar(sa.select(sa.func.max(rules.c.version)).where(*here)) or 0) >= version:
                return False
            connection.execute(
                rules.insert(),
                [{**row, "search_id": search_id, "niche": niche, "version": version} for row in rows],
            )
        return True

    def add_training(self, row: dict[str, Any]) -> None:
        """Remember what came of a training after so many epochs; a second time changes nothing."""
        with self.engine.begin() as connection:
            database.alone(connection)
            same = trainings.c.key == row["key"], trainings.c.epochs == row["epochs"]
            if connection.scalar(sa.select(trainings.c.id).where(*same)) is None:
                created = datetime.now(UTC).isoformat(timespec="microseconds")
                connection.execute(trainings.insert().values(**row, created=created))

    def training(self, key: str, epochs: int) -> dict[str, Any] | None:
        """What came of a training after so many epochs, or None."""
        query = _TRAININGS.where(trainings.c.key == key, trainings.c.epochs == epochs)
        with self._reader.connect() as connection:
            row = connection.execute(query).mappings().first()
        return dict(row) if row else None

    def trainings(self, space: str, data: str | None) -> list[dict[str, Any]]:
        """All that was trained of a space, on data of that name or for None on any, oldest first."""
        of_data = [] if data is None else [trainings.c.data == data]
        query = _TRAININGS.where(trainings.c.space == space, *of_data).order_by(trainings.c.id)
        with self._reader.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
