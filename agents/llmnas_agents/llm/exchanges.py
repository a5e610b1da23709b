"""What was said to a language model and what it answered, kept in the store: recordings and the ledger in one.

An exchange has a place: search, round, niche, role and attempt. It is written before it is sent and again when it is
answered, so that after a kill the store holds every answer that came, and knows of calls that may have been charged
without an answer ("sent"). Asked for the same place again, an answer is read, not paid for twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Integer, String, Table, Text

from llmnas_agents.llm.base import Prompt, Reply, Usage
from llmnas_mcp import database

metadata = sa.MetaData()
exchanges = Table(
    "exchanges",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run", String(120), nullable=False, index=True),
    Column("round", Integer, nullable=False),
    Column("niche", Integer, nullable=False),
    Column("role", String(20), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("model", String(80), nullable=False),
    Column("prompt_sha256", String(64), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("status", String(10), nullable=False),  # sent, answered
    Column("reply", Text),
    Column("end", String(10)),
    Column("valid", Boolean),
    Column("rejected", Integer, nullable=False, default=0),  # proposals of no use
    Column("input_tokens", BigInteger, nullable=False, default=0),
    Column("output_tokens", BigInteger, nullable=False, default=0),
    Column("cache_write_tokens", BigInteger, nullable=False, default=0),
    Column("cache_read_tokens", BigInteger, nullable=False, default=0),
    Column("cost_microusd", BigInteger, nullable=False, default=0),
    Column("most_microusd", BigInteger, nullable=False, default=0),
    Column("seconds", Float, nullable=False, default=0.0),
    Column("created", String(32), nullable=False),
)
runs = Table(
    "llm_runs", metadata, Column("run", String(120), primary_key=True), Column("options", JSON, nullable=False)
)
SCHEMA = database.Schema("llmnas_agents_version", metadata, Path(__file__).with_name("migrations"), "0001")


@dataclass(frozen=True)
class Place:
    """Where in a search an exchange belongs."""

    round: int
    niche: int
    role: str
    attempt: int


@dataclass(frozen=True)
class Ledger(Usage):
    """What a search has used. `unanswered` calls were sent and cut off; at most they used `unanswered_...`."""

    calls: int = 0
    rejected: int = 0
    unanswered: int = 0
    unanswered_usd: float = 0.0
    unanswered_tokens: int = 0

    @property
    def tokens(self) -> int:
        """All tokens, cached ones included."""
        return self.input_tokens + self.output_tokens + self.cache_write_tokens + self.cache_read_tokens

    def as_json(self) -> dict[str, Any]:
        """What front.json and the report tell; more than the least only where a model was asked."""
        least = {
            "calls": self.calls,
            "input_tokens": self.input_tokens + self.cache_write_tokens + self.cache_read_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": round(self.cost_usd, 6),
        }
        if not self.calls and not self.unanswered:
            return least
        return least | {
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "seconds": round(self.seconds, 3),
            "rejected": self.rejected,
            "unanswered": self.unanswered,
            "unanswered_usd": round(self.unanswered_usd, 6),
        }


def hash_of(prompt: Prompt) -> str:
    """SHA-256 of a prompt's text."""
    return hashlib.sha256(text_of(prompt).encode()).hexdigest()


def text_of(prompt: Prompt) -> str:
    """A prompt as one text, parts set apart. PostgreSQL keeps no NUL, so there is none."""
    parts = [prompt.shared, prompt.own, prompt.answer, prompt.error]
    return "\n\x1e\n".join(part for part in parts if part is not None).replace("\0", "\N{REPLACEMENT CHARACTER}")


class Exchanges:
    """The exchanges of one run: a search in one store."""

    def __init__(self, url: str, run: str) -> None:
        self.run = run
        self._engine = database.connect(url, SCHEMA, durable=True)  # answers cost money
        self._reader = self._engine.execution_options(reading=True)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The model and the limits of the run: those it has, with those given now in their place."""
        with self._engine.begin() as connection:
            database.alone(connection)
            had = connection.execute(sa.select(runs.c.options).where(runs.c.run == self.run)).scalar() or {}
            now = {**had, **{name: value for name, value in given.items() if value is not None}}
            connection.execute(sa.delete(runs).where(runs.c.run == self.run))
            connection.execute(sa.insert(runs).values(run=self.run, options=now))
        return now

    def answered(self, place: Place) -> tuple[Reply, str] | None:
        """The answer at a place and the hash of the prompt it was given to, if one came."""
        with self._reader.connect() as connection:
            row = connection.execute(self._at(sa.select(exchanges), place)).mappings().first()
        if row is None:
            return None
        names = {field.name for field in fields(Usage)} - {"cost_usd"}
        usage = Usage(**{name: row[name] for name in names}, cost_usd=row["cost_microusd"] / 1e6)
        return Reply(row["reply"], row["end"], usage), row["prompt_sha256"]

    def send(self, place: Place, model: str, prompt: Prompt, most_usd: float, room: int) -> int:
        """Note that a prompt is being sent; returns the number of the exchange. `room`: tokens the answer may have.

        Until it is answered, it counts with the most it may use: a token is at least a byte.
        """
        row = {
            **asdict(place),
            "run": self.run,
            "model": model,
            "prompt_sha256": hash_of(prompt),
            "prompt": text_of(prompt),
            "status": "sent",
            "most_microusd": round(most_usd * 1e6),
            "input_tokens": len(text_of(prompt).encode("utf-8", "replace")),
            "output_tokens": room,
            "created": datetime.now(UTC).isoformat(),
        }
        with self._engine.begin() as connection:
            done = connection.execute(sa.insert(exchanges).values(row).returning(exchanges.c.id))
            return int(done.scalar_one())

    def answer(self, number: int, reply: Reply) -> None:
        """Keep what came back."""
        used = asdict(reply.usage)
        cost = round(used.pop("cost_usd") * 1e6)
        values = {**used, "cost_microusd": cost, "status": "answered", "reply": reply.text, "end": reply.end}
        with self._engine.begin() as connection:
            connection.execute(sa.update(exchanges).where(exchanges.c.id == number).values(values))

    def unsent(self, number: int) -> None:
        """Forget an exchange that was refused before anything was charged."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(exchanges).where(exchanges.c.id == number))

    def judge(self, place: Place, valid: bool, rejected: int) -> None:
        """Keep whether an answer was all right, and how many of its proposals were not."""
        with self._engine.begin() as connection:
            connection.execute(self._at(sa.update(exchanges), place).values(valid=valid, rejected=rejected))

    def all(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Columns of what was answered, in the order it was asked."""
        query = sa.select(*(exchanges.c[name] for name in names)).order_by(exchanges.c.id)
        here = exchanges.c.run == self.run, exchanges.c.status == "answered"
        with self._reader.connect() as connection:
            return [dict(row) for row in connection.execute(query.where(*here)).mappings()]

    def put(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add answered exchanges from elsewhere, in place of any that are here."""
        fixed = {"run": self.run, "status": "answered", "prompt": "", "created": datetime.now(UTC).isoformat()}
        with self._engine.begin() as connection:
            connection.execute(sa.delete(exchanges).where(exchanges.c.run == self.run))
            for row in rows:
                connection.execute(sa.insert(exchanges).values({**row, **fixed}))

    def ledger(self) -> Ledger:
        """What the run has used so far."""
        c = exchanges.c
        sums = [sa.func.coalesce(sa.func.sum(c[name]), 0).label(name) for name in (*_SUMMED, "most_microusd")]
        query = sa.select(c.status, sa.func.count().label("calls"), *sums).where(c.run == self.run).group_by(c.status)
        with self._reader.connect() as connection:
            rows = {row["status"]: row for row in connection.execute(query).mappings()}
        done, open_ = rows.get("answered"), rows.get("sent")
        used: dict[str, Any] = {name: int(done[name]) for name in _SUMMED if name.endswith("tokens")} if done else {}
        if done:
            used |= {"calls": done["calls"], "cost_usd": int(done["cost_microusd"]) / 1e6}
            used |= {"seconds": float(done["seconds"]), "rejected": int(done["rejected"])}
        if open_:
            used |= {"unanswered": open_["calls"], "unanswered_usd": int(open_["most_microusd"]) / 1e6}
            used |= {"unanswered_tokens": int(open_["input_tokens"]) + int(open_["output_tokens"])}
        return Ledger(**used)

    def _at(self, statement: Any, place: Place) -> Any:
        here = {"run": self.run, "status": "answered", **asdict(place)}
        return statement.where(*(exchanges.c[name] == value for name, value in here.items()))


_SUMMED = (
    "input_tokens",
    "output_tokens",
    "cache_write_tokens",
    "cache_read_tokens",
    "cost_microusd",
    "seconds",
    "rejected",
)
