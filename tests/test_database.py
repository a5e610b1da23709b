"""Databases as they are opened: new, older, newer, someone else's, busy, gone; and what messages say of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from llmnas_agents.llm import exchanges
from llmnas_agents.llm.base import Prompt
from llmnas_agents.llm.exchanges import Exchanges, Place

from llmnas_mcp import database, sqlite
from llmnas_mcp.errors import DataError, LabError
from llmnas_mcp.search import store
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.search.store import Store
from llmnas_mcp.settings import Settings
from tests import postgres as pg

FIRST = Path(__file__).with_name("first_schema.sql").read_text()
SEARCH = "fpga-cifar10-81cadd"
SCHEMAS = pytest.mark.parametrize("schema", [store.SCHEMA, exchanges.SCHEMA], ids=["store", "exchanges"])


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A store from before databases had versions."""
    path = tmp_path / "older.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST)
    return path


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def said(url: str) -> str:
    with pytest.raises(DataError) as caught:
        Store(url)
    return str(caught.value)


# Schemas -------------------------------------------------------------------------------------------------------------


@SCHEMAS
def test_revisions_lead_to_the_tables_of_the_program(new_store: Callable[[], str], schema: database.Schema) -> None:
    engine = database.connect(new_store(), replace(schema, metadata=sa.MetaData()))
    script = ScriptDirectory(schema.revisions, version_locations=[schema.revisions])
    assert script.get_current_head() == schema.newest
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            for revision in reversed(list(script.walk_revisions())):
                revision.module.upgrade()
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.version, "compare_server_default": True}
        )
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


@SCHEMAS
def test_a_new_database_has_the_tables_of_the_program(new_store: Callable[[], str], schema: database.Schema) -> None:
    engine = database.connect(new_store(), schema)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": schema.version})
        assert compare_metadata(context, schema.metadata) == []
        assert context.get_current_revision() == schema.newest
    engine.dispose()


def test_an_older_store_keeps_all_it_has_and_its_search_goes_on(older: Path, tmp_path: Path) -> None:
    before = [line for line in dump(older) if line.startswith("INSERT")]
    lab = Laboratory(Settings(store=f"sqlite:///{older}", data=tmp_path / "tables"))
    asked = Exchanges(f"sqlite:///{older}", f"{SEARCH}-x")
    after = [line for line in dump(older) if line.startswith("INSERT")]
    # What a column that came later holds is what all had until then.
    later = "','zero-cost',NULL,NULL,'clusters');"
    now = [line.replace("');", later) if '"searches"' in line else line for line in before]
    assert [line for line in after if "_version" not in line] == now
    assert [line.split(" VALUES")[1] for line in after if "_version" in line] == [
        f"('{schema.newest}');" for schema in (exchanges.SCHEMA, store.SCHEMA)
    ]
    (found,) = lab.get_search(SEARCH).history
    assert (found.evaluations, lab.knowledge_history(SEARCH)[-1].status) == (3, "retired")
    bred = lab.breed_architectures(SEARCH, 1, 2).offspring
    assert lab.submit_architectures(SEARCH, [o.architecture for o in bred], 1).used == 5
    ledger = asked.ledger()
    assert (ledger.calls, ledger.cost_usd, ledger.unanswered) == (1, 0.0023, 1)
    assert asked.options({}) == {"model": "claude-x", "max_cost": 1.5}
    lab.close()
    asked.close()


def test_what_an_upgrade_makes_anew_keeps_its_rows_and_who_refers_to_it(new_store: Callable[[], str]) -> None:
    url = new_store()
    engine = database.connect(url, replace(store.SCHEMA, metadata=sa.MetaData()))
    script = ScriptDirectory(store.SCHEMA.revisions, version_locations=[store.SCHEMA.revisions])
    search = {"space": "nasbench201", "dataset": "cifar10", "device": "fpga", "objective": "latency", "seed": 3}
    search |= {"search_id": SEARCH, "operator": "x", "evaluations": 40, "offspring": 6, "cost_low": 1, "cost_high": 9}
    search |= {"niches": [[73306, 802426]], "created": "2026-11-24", "scored_by": "params"}
    member = {"search_id": SEARCH, "architecture": "a", "niche": 0, "round": 1, "score": 0.5, "cost": 2.0}
    member |= {"params": 101306, "score_source": "computed", "cost_source": "fitted", "origin": {}}
    rule = {"search_id": SEARCH, "niche": 0, "version": 1, "rule_id": "0.1", "content": {}, "status": "active"}
    rule |= {"author": "x", "round": 1}
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            for revision in reversed(list(script.walk_revisions("base", "0004"))):
                revision.module.upgrade()
        for table, row in ((store.searches, search), (store.members, member), (store.rules, rule)):
            connection.execute(table.insert().values(row))
        connection.execute(store.SCHEMA.table.update().values(version_num="0004"))
    engine.dispose()
    engine = database.connect(url, store.SCHEMA)
    with engine.begin() as connection:
        (found,) = connection.execute(sa.select(store.searches)).mappings()
        assert found == {"max_cost": None, "rounds": None} | search | {
            "max_macs": None,
            "max_params": None,
            "cut": "clusters",
        }
        context = MigrationContext.configure(
            connection, opts={"version_table": store.SCHEMA.version, "compare_server_default": True}
        )
        assert compare_metadata(context, store.metadata) == []
        for table in (store.members, store.rules):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 1
            with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
                connection.execute(table.update().values(search_id="no such search"))
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.execute(store.searches.delete())
        connection.execute(store.searches.insert().values(search | {"search_id": "y", "device": None}))
    engine.dispose()


def test_an_older_store_gets_the_indexes_of_a_new_one(older: Path, tmp_path: Path) -> None:
    names = []
    for path in (older, tmp_path / "new.db"):
        for part in (Store(f"sqlite:///{path}"), Exchanges(f"sqlite:///{path}", "x")):
            part.close()
        with closing(sqlite3.connect(path)) as connection:
            names.append(connection.execute("select type, name from sqlite_master order by 1, 2").fetchall())
    assert names[0] == names[1]


def test_an_older_store_can_be_opened_by_many_at_once(older: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(Store, [f"sqlite:///{older}"] * 8))
    assert [len(one.members(SEARCH)) for one in stores] == [3] * 8
    for one in stores:
        one.close()


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(older: Path) -> None:
    with closing(sqlite3.connect(older)) as connection:
        connection.execute("create index members_in_order on members (niche)")
    before = dump(older)
    assert "members_in_order" in said(f"sqlite:///{older}")
    assert dump(older) == before


def test_a_store_of_a_newer_version_is_refused_and_left_alone(new_store: Callable[[], str]) -> None:
    url = new_store()
    Store(url).close()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(store.SCHEMA.table.update().values(version_num="0999"))
    assert f"newer llmnas-mcp (its schema is 0999; this one knows {store.SCHEMA.newest}). Upgrade: pip" in said(url)
    with engine.begin() as connection:
        assert connection.scalar(sa.select(store.SCHEMA.table)) == "0999"


def test_another_programs_tables_are_refused_and_left_alone(new_store: Callable[[], str]) -> None:
    url = new_store()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    if engine.dialect.name == "sqlite":
        Path(str(engine.url.database)).parent.mkdir(parents=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("create table rules (search_id varchar, q text)")
    assert "a table 'rules' that is not ours (no column" in said(url)
    assert sa.inspect(engine).get_table_names() == ["rules"]


def test_a_store_that_is_up_to_date_is_opened_without_alembic(tmp_path: Path) -> None:
    code = (
        "import sys; from llmnas_mcp.search.store import Store; from llmnas_agents.llm.exchanges import Exchanges\n"
        "for _ in range(2): Store(sys.argv[1]).close(); Exchanges(sys.argv[1], 'x').close()\n"
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{tmp_path}/a.db"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


# Trouble -------------------------------------------------------------------------------------------------------------


def test_what_a_busy_store_refuses_can_be_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE", 0.05)
    lab = Laboratory(Settings(store=f"sqlite:///{tmp_path}/a.db", data=tmp_path))
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DataError, match=r"does not answer: database is locked\. What it has is safe: try again"):
            lab.start_search(device="fpga")
        other.execute("ROLLBACK")
    assert lab.start_search(device="fpga").search_id
    lab.close()


def test_a_connection_that_broke_is_made_anew(postgres: Callable[[], str]) -> None:
    url = postgres()
    one = Store(url)
    assert one.list_searches(1, 0) == ([], 0)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        others = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
        assert connection.exec_driver_sql(f"{others} and datname = current_database()").all() == [(True,)]
    assert one.list_searches(1, 0) == ([], 0)
    one.close()


def test_text_that_a_database_cannot_hold_is_refused_readably(new_store: Callable[[], str], tmp_path: Path) -> None:
    lab = Laboratory(Settings(store=new_store(), data=tmp_path))
    with pytest.raises(LabError):
        lab.get_search("no\0thing")
    lab.close()


def test_a_prompt_with_a_nul_can_be_kept_everywhere(new_store: Callable[[], str]) -> None:
    asked = Exchanges(new_store(), "x")
    assert asked.send(Place(1, 0, "design", 0), "m", Prompt("a\0b", "c"), 0.5, 9)
    assert asked.ledger().unanswered_usd == 0.5
    asked.close()


def test_options_given_by_many_at_once_are_all_kept(new_store: Callable[[], str]) -> None:
    url = new_store()
    asked = [Exchanges(url, "x") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: asked[number].options({f"o{number}": number}), range(8)))
    assert asked[0].options({}) == {f"o{number}": number for number in range(8)}
    for one in asked:
        one.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace(":s3cret", ":wrong-s3cret"),
        lambda url: url.replace("@127.0.0.1", "@no.such.host.invalid"),
        lambda url: url.replace("127.0.0.1", "127.0.0.1:no"),
        lambda url: url.replace("of-the", "of@the"),
        lambda url: url.replace("of-the", "of/the"),
        lambda url: url.replace("store", "nosuchstore"),
        lambda url: url.replace(f":{pg.PASSWORD}@", "@") + f"&password=wrong-{pg.PASSWORD}",
        lambda url: url.replace("psycopg", "nosuchdriver"),
        lambda url: url.replace("postgresql+psycopg", "mysql"),
    ],
    ids=["password", "host", "port", "an @ in it", "a / in it", "database", "in the query", "driver", "mysql"],
)
def test_no_message_tells_a_password(postgres: Callable[[], str], change: Callable[[str], str]) -> None:
    url = change(postgres() + "?application_name=tests")
    message = said(url)
    for part in ("s3cret", "the-tests", "the/tests", "the@tests"):
        assert part not in message
    assert "***" in message


def test_a_missing_driver_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "pip install 'llmnas-mcp[postgres]'" in said("postgresql://me:secret@host/name")
