"""Databases in which parts of the program keep tables: SQLite files in WAL mode by default, or PostgreSQL.

Each part has a Schema of its own and brings its tables up to date when it opens the database. Who only reads says so
(`execution_options(reading=True)`); all other transactions write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url

from llmnas_mcp import sqlite
from llmnas_mcp.errors import DataError

SET = "Set LLMNAS_STORE or --store to an SQLAlchemy URL, for example sqlite:///searches.db"
LOCK = 0x6C6C6D6E6173  # "llmnas": the number of our lock among all of a PostgreSQL database


@dataclass(frozen=True)
class Schema:
    """The tables of one part of the program, and how they came to be.

    `revisions` is a folder of alembic revisions; `newest` names the last of them here too, so that alembic, slow to
    import, is only loaded for a database that is older. The table `version` holds the revision a database is at.
    """

    version: str
    metadata: sa.MetaData
    revisions: Path
    newest: str

    @property
    def table(self) -> sa.Table:
        """The table `version`, as alembic would make it."""
        return sa.Table(self.version, sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))


def connect(url: str, schema: Schema, durable: bool = False) -> sa.Engine:
    """Open a database and bring its tables up to date; raises DataError, without any password, with the fix.

    durable: on SQLite, what was committed outlasts a power cut too, not only a kill, and takes a little longer.
    """
    shown = _without_password(url)
    parsed = _parsed(url, shown)
    in_a_file = parsed.get_backend_name() == "sqlite"
    try:
        if in_a_file:
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(parsed)
            _configure_sqlite(engine, "FULL" if durable else "NORMAL")
        else:
            # What a transaction waited for, it must see: a server may have a stricter isolation as its default.
            engine = sa.create_engine(
                parsed,
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                connect_args={"client_encoding": "utf8", "connect_timeout": round(sqlite.PATIENCE)},
            )
    except ImportError as error:
        raise DataError(
            f"The store {shown!r} cannot be opened: {error}. Install it with: pip install 'llmnas-mcp[postgres]'"
        ) from error
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise DataError(f"The store {shown!r} cannot be opened: {_reason(error)}. {SET}") from error
    try:
        _bring_up_to_date(engine, schema, shown)
    except sa.exc.SQLAlchemyError as error:
        engine.dispose()
        raise DataError(f"The store {shown!r} cannot be opened: {_reason(error)}. {SET}") from error
    except DataError:
        engine.dispose()
        raise
    _tell_trouble(engine, shown)
    return engine


def alone(connection: sa.Connection) -> None:
    """Make others that come here wait until this transaction ends. On SQLite they wait already, see on_begin."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


def _parsed(url: str, shown: str) -> URL:
    try:
        parsed = make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # The library's own words are left out: they may hold a part of a password.
        raise DataError(f"The store {shown!r} cannot be opened: it is not a URL. {SET}") from None
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise DataError(f"The store {shown!r} cannot be opened: {backend} is neither sqlite nor postgresql. {SET}")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise DataError(
            f"The store {shown!r} keeps nothing. Set LLMNAS_STORE or --store to a file, for example sqlite:///searches.db"
        )
    if "@" in (parsed.host or ""):
        raise DataError(f"The store {shown!r} has more than one @. In a password write %40 for @, and %2F for /.")
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _without_password(url: str) -> str:
    """A URL as messages show it.

    >>> _without_password("postgresql+psycopg://me:se:cr@et@host/db?sslpassword=secret&x=1")
    'postgresql+psycopg://***@host/db?sslpassword=***&x=1'
    >>> _without_password("sqlite:////home/me@work/a.db")
    'sqlite:////home/me@work/a.db'
    """
    if url.startswith("sqlite"):
        return url
    return re.sub(r"(\w*pass\w*=)[^&]*", r"\1***", re.sub(r"//.*@", "//***@", url, flags=re.DOTALL), flags=re.I)


def _reason(error: BaseException) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _bring_up_to_date(engine: sa.Engine, schema: Schema, shown: str) -> None:
    with engine.execution_options(reading=True).connect() as connection:
        if _version(connection, schema) == schema.newest:
            return
    with _rebuilding(engine) as connection, connection.begin():
        alone(connection)
        version = _version(connection, schema)
        if version == schema.newest:  # someone else was first
            return
        ours = schema.metadata.tables
        if version is None and not ours.keys() & set(sa.inspect(connection).get_table_names()):
            schema.metadata.create_all(connection)
        else:
            _migrate(connection, schema, version, shown)
            _refuse_foreign(connection, schema, shown)
        if version is None:
            schema.table.create(connection)
        connection.execute(schema.table.delete())
        connection.execute(schema.table.insert().values(version_num=schema.newest))


@contextmanager
def _rebuilding(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection on which revisions may make a table anew: SQLite does not mind that others refer to it.

    SQLite can be told so only outside a transaction, so below SQLAlchemy, which begins one with every statement.
    """

    def enforce(how: str) -> None:
        if engine.dialect.name == "sqlite":
            connection.connection.cursor().execute(f"PRAGMA foreign_keys={how}")

    with engine.connect() as connection:
        enforce("OFF")
        try:
            yield connection
        finally:
            enforce("ON")


def _version(connection: sa.Connection, schema: Schema) -> str | None:
    """The revision that a database is at; None where it is new or older than revisions."""
    if not sa.inspect(connection).has_table(schema.version):
        return None
    return connection.scalar(sa.select(schema.table.c.version_num))


def _migrate(connection: sa.Connection, schema: Schema, version: str | None, shown: str) -> None:
    """Take the revisions after `version`, oldest first. Where there is none, the first finds its tables made."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(schema.revisions, version_locations=[schema.revisions])
    revisions = list(script.walk_revisions())[::-1]
    known = [None, *(revision.revision for revision in revisions)]
    if version not in known:
        raise DataError(
            f"The store {shown!r} was written by a newer llmnas-mcp (its schema is {version}; this one knows"
            f" {schema.newest}). Upgrade: pip install --upgrade llmnas-mcp"
        )
    with Operations.context(MigrationContext.configure(connection)):
        for revision in revisions[known.index(version) :]:
            revision.module.upgrade()


def _refuse_foreign(connection: sa.Connection, schema: Schema, shown: str) -> None:
    """Raise DataError where another program has tables of our names; the transaction then leaves them as they were."""
    inspector = sa.inspect(connection)
    for table in schema.metadata.tables.values():
        missing = {c.name for c in table.columns} - {c["name"] for c in inspector.get_columns(table.name)}
        if missing:
            raise DataError(
                f"The store {shown!r} has a table {table.name!r} that is not ours (no column {min(missing)!r}). Set"
                " LLMNAS_STORE or --store to another file."
            )


def _configure_sqlite(engine: sa.Engine, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are ours, see on_begin
        sqlite.prepare(connection)
        for pragma in (f"synchronous={synchronous}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        # A writer takes the lock at once, not at its first write: that makes check-then-insert safe across processes.
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _tell_trouble(engine: sa.Engine, shown: str) -> None:
    """From now on, what the database cannot do at the moment, or not hold, is an error that a caller can read."""

    @event.listens_for(engine, "handle_error")
    def on_error(context: sa.engine.ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        if context.is_pre_ping or not isinstance(error, (sa.exc.OperationalError, sa.exc.DataError)):
            return
        if isinstance(error, sa.exc.DataError):
            raise DataError(f"The store {shown!r} cannot hold this: {_reason(error)}.")
        raise DataError(
            f"The store {shown!r} does not answer: {_reason(error)}. What it has is safe: try again."
        ) from error
