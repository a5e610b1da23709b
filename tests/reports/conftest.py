"""Searches to report, and a browser to open reports in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from llmnas_mcp import results as r
from llmnas_mcp.reports import html_report
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.members import Member, front_members
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings

Opened = Callable[..., AbstractContextManager[Any]]


def play(lab: Laboratory, rounds: int, **settings: Any) -> str:
    """A search by mining and breeding, for some rounds."""
    search_id = lab.start_search(**{"device": "raspi4", "operator": "evolution", **settings}).search_id
    for _ in range(rounds):
        for niche in lab.get_search(search_id).niches:
            if not niche.share:
                continue
            effects = lab.mine_rules(search_id, niche.niche).effects[:4]
            content = {"statement", "pattern", "target", "effect", "confidence", "evidence"}
            edits = [r.RuleEdit(action="add", **e.model_dump(include=content)) for e in effects]
            lab.update_knowledge_base(search_id, niche.niche, edits, author="evolution")
            bred = lab.breed_architectures(search_id, niche.niche, niche.share).offspring
            lab.submit_architectures(
                search_id, [o.architecture for o in bred], niche.niche, origins=[o.origin for o in bred]
            )
    return search_id


def rows(page: Any) -> list[str]:
    """The architectures in the table, in its order."""
    found: list[str] = page.locator("#table tbody .arch").evaluate_all("all => all.map((one) => one.title)")
    return found


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Laboratory, str]]:
    """A search of three rounds and its laboratory, which no test changes."""
    folder = tmp_path_factory.mktemp("searched")
    laboratory = Laboratory(Settings(store=f"sqlite:///{folder}/llmnas.db", data=folder / "tables"))
    yield laboratory, play(laboratory, 3)
    laboratory.close()


@pytest.fixture(scope="module")
def for_two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Laboratory, str]]:
    """A search of three rounds for two costs, with limits on one of them and on a third, and its laboratory."""
    folder = tmp_path_factory.mktemp("for_two")
    laboratory = Laboratory(Settings(store=f"sqlite:///{folder}/llmnas.db", data=folder / "tables"))
    asked = {"device": "edgegpu", "objective": ["latency", "energy"], "limits": Limits(energy=60, params=1)}
    yield laboratory, play(laboratory, 3, **asked)
    laboratory.close()


@pytest.fixture(scope="module")
def front(searched: tuple[Laboratory, str]) -> list[Member]:
    """The front of that search, by rising cost."""
    handle, members = searched[0].members(searched[1])
    return front_members(members, handle.scale)


@pytest.fixture(scope="module")
def open_report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Opens the report of a search in a browser; a test that asks for it is skipped where there is none."""
    playwright = pytest.importorskip("playwright", reason="playwright is not here: pip install playwright")
    assert playwright
    from tests import browser

    program = browser.binary()
    if program is None:
        pytest.skip("Chromium is not here: apt-get install chromium")
    path: Path = tmp_path_factory.mktemp("report") / "report.html"

    with browser.browser(program) as running:

        @contextmanager
        def opened(lab: Laboratory, search_id: str, **how: Any) -> Iterator[Any]:
            path.write_text(html_report(lab, search_id), encoding="utf-8")
            with browser.opened(running, path, **how) as page:
                yield page

        yield opened
