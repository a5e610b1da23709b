"""Databases as they are opened: new, older, newer, someone else's, busy, gone; and what messages say of it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

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
# A search and a member as they were stored while a search had one cost.
OLD_SEARCH: dict[str, Any] = {
    **{"search_id": SEARCH, "space": "nasbench201", "dataset": "cifar10", "device": "fpga", "objective": "latency"},
    **{"operator": "x", "seed": 3, "evaluations": 40, "offspring": 6, "cost_low": 1, "cost_high": 9},
    **{"niches": [[73306, 802426]], "created": "2026-11-24", "scored_by": "params"},
}
OLD_MEMBER: dict[str, Any] = {
    **{"search_id": SEARCH, "architecture": "a", "niche": 0, "round": 1, "score": 0.5, "cost": 2.0},
    **{"params": 101306, "score_source": "computed", "cost_source": "fitted", "origin": {}},
}
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


def content(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table as they stand."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        return {name: [dict(row) for row in connection.execute(f"select * from {name}")] for name in names}


def made_at(url: str, revision: str) -> tuple[sa.Engine, sa.MetaData]:
    """A store as it was made at a revision, and its tables as they were then."""
    engine = database.connect(url, replace(store.SCHEMA, metadata=sa.MetaData()))
    script, tables = ScriptDirectory(store.SCHEMA.revisions, version_locations=[store.SCHEMA.revisions]), sa.MetaData()
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            for step in reversed(list(script.walk_revisions("base", revision))):
                step.module.upgrade()
        connection.execute(store.SCHEMA.table.update().values(version_num=revision))
        tables.reflect(connection)
    return engine, tables


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
    expected = content(older)
    lab = Laboratory(Settings(store=f"sqlite:///{older}", data=tmp_path / "tables"))
    asked = Exchanges(f"sqlite:///{older}", f"{SEARCH}-x")
    now = content(older)
    assert now.pop("tasks") == now.pop("trainings") == []
    assert [now.pop(schema.version) for schema in (exchanges.SCHEMA, store.SCHEMA)] == [
        [{"version_num": schema.newest}] for schema in (exchanges.SCHEMA, store.SCHEMA)
    ]
    # What a column that came later holds is what all had until then; what may be several now are lists.
    (search,) = expected["searches"]
    assert (search.pop("objective"), search.pop("max_cost")) == ("latency", None)
    search |= {"objectives": '["latency"]', "limits": "{}", "scored_by": "zero-cost", "cut": "clusters"}
    search |= {name: f"[{search[name]}]" for name in ("cost_low", "cost_high")}
    for member in expected["members"]:
        member |= {"costs": f"[{member.pop('cost')}]", "cost_sources": json.dumps([member.pop("cost_source")])}
    assert now == expected
    (found,) = lab.get_search(SEARCH).history
    front = lab.compute_pareto_front(SEARCH)
    assert [(point.cost, point.unit) for point in front.front] == [(2.87696, "ms"), (4.24016, "ms"), (4.98256, "ms")]
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
    rule = {"search_id": SEARCH, "niche": 0, "version": 1, "rule_id": "0.1", "content": {}, "status": "active"}
    rule |= {"author": "x", "round": 1}
    engine, tables = made_at(url, "0004")
    with engine.begin() as connection:
        for table, row in (("searches", OLD_SEARCH), ("members", OLD_MEMBER), ("rules", rule)):
            connection.execute(tables.tables[table].insert().values(row))
    engine.dispose()
    engine = database.connect(url, store.SCHEMA)
    with engine.begin() as connection:
        (found,) = connection.execute(sa.select(store.searches)).mappings()
        search = {**OLD_SEARCH, "objectives": ["latency"], "limits": {}, "cost_low": [1], "cost_high": [9]}
        del search["objective"]
        assert found == search | {"rounds": None, "cut": "clusters"}
        (kept,) = connection.execute(sa.select(store.members)).mappings()
        assert (kept["costs"], kept["cost_sources"], kept["origin"]) == ([2.0], ["fitted"], {})
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


COSTS = [1 / 3, 1e-300, 0.1 + 0.2, 123456789.123456789, 5e-324]  # which text must tell to the last digit
WAS_LIMITED: list[tuple[str, dict[str, float], dict[str, float]]] = [
    ("latency", {}, {}),
    ("latency", {"max_cost": 0.1 + 0.2}, {"latency": 0.1 + 0.2}),
    ("energy", {"max_cost": 1 / 3, "max_macs": 1e-300}, {"energy": 1 / 3, "macs": 1e-300}),
    ("latency", {"max_macs": 60.1, "max_params": 2 / 3}, {"macs": 60.1, "params": 2 / 3}),
    # A search for a count could have a limit on it by two names.
    ("macs", {"max_macs": 60.1}, {"macs": 60.1}),
    ("params", {"max_cost": 0.7, "max_macs": 60.1}, {"params": 0.7, "macs": 60.1}),
    ("params", {"max_cost": 0.7, "max_params": 0.9}, {"params": 0.7}),
    ("macs", {"max_cost": 60.1, "max_macs": 50.3}, {"macs": 50.3}),
]


@pytest.mark.parametrize("revision", ["0004", "0005"])
def test_searches_made_for_one_cost_keep_their_limits_scales_and_costs_to_the_last_digit(
    new_store: Callable[[], str], revision: str
) -> None:
    url = new_store()
    engine, tables = made_at(url, revision)
    searches, members = (tables.tables[name] for name in ("searches", "members"))
    there = [(i, *case) for i, case in enumerate(WAS_LIMITED) if case[1].keys() <= set(searches.columns.keys())]
    with engine.begin() as connection:
        for i, objective, had, _ in there:
            own = {"search_id": f"{SEARCH}-{i}", "objective": objective, **had}
            own |= {"cost_low": COSTS[i % 5], "cost_high": 1e9 * COSTS[i % 5]}
            connection.execute(searches.insert().values(OLD_SEARCH | own))
            for name, cost in zip("abcde", COSTS, strict=True):
                own = {"search_id": f"{SEARCH}-{i}", "architecture": name, "cost": cost, "cost_source": f"of {name}"}
                connection.execute(members.insert().values(OLD_MEMBER | own))
    engine.dispose()
    with closing(Store(url)) as one:
        found = {f"{SEARCH}-{i}": (one.search(f"{SEARCH}-{i}"), one.members(f"{SEARCH}-{i}")) for i, *_ in there}
    for i, objective, _, limits in there:
        search, rows = found[f"{SEARCH}-{i}"]
        assert search
        assert (search["objectives"], search["limits"]) == ([objective], limits)
        assert (search["cost_low"], search["cost_high"]) == ([COSTS[i % 5]], [1e9 * COSTS[i % 5]])
        assert [row["architecture"] for row in rows] == list("abcde")
        assert [row["costs"] for row in rows] == [[cost] for cost in COSTS]
        assert [row["cost_sources"] for row in rows] == [[f"of {name}"] for name in "abcde"]


@pytest.mark.thorough
def test_an_older_store_of_any_size_keeps_every_cost(new_store: Callable[[], str]) -> None:
    url, count = new_store(), 20_001
    engine, tables = made_at(url, "0005")
    with engine.begin() as connection:
        connection.execute(tables.tables["searches"].insert().values(OLD_SEARCH))
        rows = [OLD_MEMBER | {"architecture": str(i), "cost": i / 7} for i in range(count)]
        connection.execute(tables.tables["members"].insert(), rows)
    engine.dispose()
    with closing(Store(url)) as one:
        kept = [(row["architecture"], row["costs"]) for row in one.members(SEARCH)]
    assert kept == [(str(i), [i / 7]) for i in range(count)]


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
