"""What the tests of several rooms share."""

from __future__ import annotations

import csv
import gzip
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import Space, get_space
from tests import postgres as pg
from tests.thorough import ALL, examples

# Workers share the cores: more threads than one in each would wait for each other. torch, not imported yet, reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Cores are shared: how long an example takes says nothing about the code.
hypothesis.settings.register_profile("shared_cores", deadline=None, max_examples=examples(100))
hypothesis.settings.load_profile("shared_cores")

# A shell's job in the background is born deaf to Ctrl-C, and so would be every process that a test stops by it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

NO_POSTGRES = "PostgreSQL is not here: apt-get install postgresql"
LONG = (
    "_kills.py",
    "tests/training/",
    "tests/measuring/",
    "tests/images/",
    "tests/exporting/",
)  # what would be waited for at the end
LEFT = pytest.StashKey[int]()  # how many tests this run leaves to `make test-all`


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is thorough, unless all is asked for, or a test by its name; begin with what takes longest."""
    items.sort(key=lambda item: not any(long in item.nodeid for long in LONG))
    if ALL or any("::" in argument for argument in config.args):
        return
    left = [item for item in items if item.get_closest_marker("thorough")]
    items[:] = [item for item in items if not item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=left)
    config.stash[LEFT] = len(left)


def pytest_testnodedown(node: Any) -> None:
    """Take over from a worker, each of which collects all, how many it left out."""
    node.config.stash[LEFT] = getattr(node, "workeroutput", {}).get("left", 0)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Close a run with one line: passed, failed and what to do, skipped and why, left to `make test-all`."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["left"] = config.stash.get(LEFT, 0)
    yield
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not config.option.collectonly:
        reporter.write_line(closing_line(reporter.stats, config.stash.get(LEFT, 0)))


def closing_line(stats: dict[str, list[Any]], left: int) -> str:
    counts = {kind: len(stats.get(kind, [])) for kind in ("passed", "failed", "error")}
    told = [f"{counts['passed']} passed"]
    if failed := counts["failed"] + counts["error"]:
        told.append(f"{failed} failed (what each expected is above; one alone: {sys.executable} -m pytest NAME)")
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in stats.get("skipped", []))
    if reasons:
        why = "; ".join(f"{number}: {reason}" for reason, number in reasons.most_common())
        told.append(f"{reasons.total()} skipped ({why})")
    if left:
        told.append(f"{left} left to make test-all")
    return ", ".join(told) + "."


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A store and a folder of tables of this test's own."""
    return Settings(store=f"sqlite:///{tmp_path}/llmnas.db", data=tmp_path / "tables")


@pytest.fixture
def lab(settings: Settings) -> Iterator[Laboratory]:
    """A laboratory in which nothing has happened yet."""
    laboratory = Laboratory(settings)
    yield laboratory
    laboratory.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Gives the URL of a new, empty database of PostgreSQL with each call."""
    with pg.server(pg.binaries() or pytest.skip(NO_POSTGRES)) as found:
        yield found.new


@pytest.fixture
def own_postgres() -> Iterator[pg.Postgres]:
    """A PostgreSQL server that a test may stop."""
    with pg.server(pg.binaries() or pytest.skip(NO_POSTGRES)) as found:
        yield found


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def new_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Gives the URL of a store that is not there yet, in each kind of database."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres")
    return lambda: f"sqlite:///{tmp_path_factory.mktemp('store')}/new/folder/a.db"


@pytest.fixture(scope="session")
def measured() -> Path:
    """The folder of the published tables, which the project does not carry."""
    folder = os.environ.get("LLMNAS_TEST_DATA")
    if not folder:
        pytest.skip("the published tables are not here: set LLMNAS_TEST_DATA to their folder")
    return Path(folder)


@pytest.fixture
def space() -> Space:
    return get_space("nasbench201")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of imported tables, not there yet."""
    return tmp_path / "tables"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows (dicts by column) as CSV, gzipped if the name says so."""

    def table(name: str, rows: list[dict[str, object]]) -> Path:
        path = tmp_path / name
        with gzip.open(path, "wt", newline="") if name.endswith(".gz") else path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return table
