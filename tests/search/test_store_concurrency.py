from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from llmnas_mcp.results import Submission
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.search.store import Store
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import DATASETS, Space
from llmnas_mcp.spaces.reference import reference_of

THREADS = 8


def at_once(job: Callable[[int], object]) -> list[object]:
    """Runs job(0) to job(7) in threads that start together."""
    start = Barrier(THREADS)

    def wait_and_work(number: int) -> object:
        start.wait()
        return job(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(wait_and_work, range(THREADS)))


@pytest.fixture
def settings(new_store: Callable[[], str], tmp_path: Path) -> Settings:
    return Settings(store=new_store(), data=tmp_path / "tables")


@pytest.fixture
def two_labs(lab: Laboratory, settings: Settings) -> Iterator[list[Laboratory]]:
    """Two laboratories, as of two processes, on the same file."""
    other = Laboratory(settings)
    yield [lab, other]
    other.close()


def test_eight_writers_through_two_stores_keep_every_architecture_once(two_labs: list[Laboratory]) -> None:
    search_id = two_labs[0].start_search(device="fpga").search_id
    row = {"niche": 0, "round": 1, "score": 0.5, "costs": [1], "params": 1, "score_source": "s", "cost_sources": []}

    def write(number: int) -> list[str]:
        store, outcome = two_labs[number % 2].store, []
        for first in range(0, 40, 4):
            names = [f"{(first + number * 5 + i) % 40}" for i in range(4)]
            outcome += store.add_members(search_id, [{**row, "architecture": n, "origin": {}} for n in names], 30)[0]
        return outcome

    outcomes = Counter(status for outcome in at_once(write) for status in outcome)  # type: ignore[attr-defined]
    kept = [row["architecture"] for row in two_labs[1].store.members(search_id)]
    assert len(kept) == len(set(kept)) == 30
    assert outcomes["kept"] == 30
    assert sum(outcomes.values()) == THREADS * 40


def test_eight_scientists_share_one_budget(two_labs: list[Laboratory], space: Space) -> None:
    search_id = two_labs[0].start_search(device="fpga", evaluations=50).search_id
    cells = [space.format(tuple(cell)) for cell in reference_of(space, DATASETS["cifar10"]).genotypes[::67].tolist()]

    def submit(number: int) -> list[Submission]:
        own = cells[number * 5 :] + cells[: number * 5]
        return [two_labs[number % 2].submit_architectures(search_id, own[i : i + 9]) for i in range(0, len(own), 9)]

    submissions: list[Submission] = [s for several in at_once(submit) for s in several]  # type: ignore[attr-defined]
    kept = [result.architecture for s in submissions for result in s.results if result.status == "kept"]
    assert len(kept) == len(set(kept)) == 50
    for laboratory in two_labs:
        assert {m.architecture for m in laboratory.members(search_id)[1]} == set(kept)
        assert laboratory.get_search(search_id).used == 50
    assert max(s.used for s in submissions) == 50
    assert all(s.left == 50 - s.used for s in submissions)
    for result in (result for s in submissions for result in s.results):
        assert (result.score is None) == (result.status == "refused")
        assert result.status != "refused" or "budget of 50" in (result.reason or "")


def test_searches_begun_at_once_get_different_ids(two_labs: list[Laboratory]) -> None:
    ids = at_once(lambda number: two_labs[number % 2].start_search(device="fpga").search_id)
    assert len(set(ids)) == THREADS
    assert two_labs[0].list_searches().total == THREADS


def test_a_version_of_the_rules_is_written_by_one_alone(two_labs: list[Laboratory]) -> None:
    search_id = two_labs[0].start_search(device="fpga").search_id
    common = {"content": {}, "status": "active", "author": "me", "round": 1}

    def write(number: int) -> list[int]:
        store = two_labs[number % 2].store
        row = {**common, "rule_id": f"0.{number}"}  # of different rules, so that no key stands in the way
        return [version for version in range(1, 6) if store.add_rules(search_id, 0, version, [row])]

    written = sorted(version for versions in at_once(write) for version in versions)  # type: ignore[attr-defined]
    assert written == sorted(set(written))
    assert [row["version"] for row in two_labs[0].store.rules(search_id, 0)] == written
    assert written[-1] == 5


def test_members_appear_in_the_order_of_their_ids(two_labs: list[Laboratory]) -> None:
    search_id = two_labs[0].start_search(device="fpga").search_id
    row = {"niche": 0, "round": 1, "score": 0.5, "costs": [1], "params": 1, "score_source": "s", "cost_sources": []}

    def work(number: int) -> list[int]:
        store, seen = two_labs[number % 2].store, [0]
        for i in range(25):
            if number < 4:
                store.add_members(search_id, [{**row, "architecture": f"{number}.{i}", "origin": {}}], 1000)
            else:
                seen += [member["id"] for member in store.members(search_id, after=seen[-1])]
        return seen[1:]

    seen = at_once(work)[4:]
    there = [member["id"] for member in two_labs[0].store.members(search_id)]
    assert len(there) == 100
    assert all(ids == there[: len(ids)] for ids in seen)  # type: ignore[arg-type]


def test_a_new_store_can_be_opened_by_many_at_once(new_store: Callable[[], str]) -> None:
    url = new_store()
    stores = at_once(lambda _: Store(url))
    for store in stores:
        assert isinstance(store, Store)
        assert store.list_searches(9, 0) == ([], 0)
        store.close()
