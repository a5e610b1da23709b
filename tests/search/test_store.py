from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmnas_mcp.errors import DataError
from llmnas_mcp.search.store import Store
from tests.thorough import examples

SEARCH = {
    **{"space": "s", "dataset": "d", "device": "x", "objectives": ["latency"], "operator": "o", "seed": 0},
    **{"evaluations": 1, "offspring": 1, "cost_low": [0.0], "cost_high": [1.0], "niches": [[0, 9]], "cut": "clusters"},
    "limits": {},
}
BATCHES = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), max_size=6)


def member(name: str, **more: Any) -> dict[str, Any]:
    return {
        **{"architecture": name, "niche": 0, "round": 1, "score": 0.5, "costs": [1.0], "params": 1},
        **{"score_source": "s", "cost_sources": ["c"], "origin": {}, **more},
    }


def names(store: Store, search_id: str) -> list[str]:
    return [row["architecture"] for row in store.members(search_id)]


@pytest.fixture(scope="module")
def store(new_store: Callable[[], str]) -> Iterator[Store]:
    found = Store(new_store())
    yield found
    found.close()


@given(BATCHES, st.integers(0, 10))
def test_any_sequence_of_batches_keeps_each_architecture_once_and_never_exceeds_the_budget(
    store: Store, batches: list[list[str]], budget: int
) -> None:
    search_id = store.add_search(SEARCH, "a")["search_id"]
    kept: list[str] = []
    for batch in batches:
        expected = []
        for name in batch:
            expected.append("duplicate" if name in kept else "kept" if len(kept) < budget else "budget")
            kept += [name] if expected[-1] == "kept" else []
        assert store.add_members(search_id, [member(name) for name in batch], budget) == (expected, len(kept))
        assert names(store, search_id) == kept


@settings(max_examples=examples(30))
@given(BATCHES, st.randoms(use_true_random=False))
def test_the_order_of_batches_does_not_change_what_is_kept(store: Store, batches: list[list[str]], random) -> None:  # type: ignore[no-untyped-def]
    one, other = (store.add_search(SEARCH, "a")["search_id"] for _ in range(2))
    for search_id in (one, other):
        for batch in batches:
            store.add_members(search_id, [member(name) for name in batch], 100)
        random.shuffle(batches)
    assert sorted(names(store, one)) == sorted(names(store, other))


def test_the_first_evaluation_of_an_architecture_stays(store: Store) -> None:
    search_id = store.add_search(SEARCH, "a")["search_id"]
    store.add_members(search_id, [member("x", score=0.25, round=1)], 9)
    store.add_members(search_id, [member("x", score=0.75, round=2)], 9)
    assert [(row["score"], row["round"]) for row in store.members(search_id)] == [(0.25, 1)]


def test_numbers_come_back_exactly_as_they_went_in(store: Store) -> None:
    own = {"limits": {"energy": 0.1 + 0.2, "macs": 1e-300}, "cost_low": [0.1, 5e-324], "cost_high": [2 / 3, 1e300]}
    search_id = store.add_search({**SEARCH, **own, "niches": [[1, 2], [2, 10**9]]}, "a")["search_id"]
    store.add_members(search_id, [member("x", score=1 / 3, costs=[1e-300, 0.1 + 0.7], params=2**40)], 9)
    (row,) = store.members(search_id)
    assert (row["score"], row["costs"], row["params"]) == (1 / 3, [1e-300, 0.1 + 0.7], 2**40)
    search = store.search(search_id)
    assert search
    assert {name: search[name] for name in own} == own
    assert (search["niches"], search["rounds"]) == ([[1, 2], [2, 10**9]], None)


def test_the_sources_of_a_number_may_be_long(store: Store) -> None:
    search_id = store.add_search(SEARCH, "a")["search_id"]
    store.add_members(search_id, [member("x", cost_sources=["table:" + "+".join(["a_measured_table"] * 20)])], 9)
    assert store.members(search_id)[0]["cost_sources"][0].count("+") == 19


def test_members_can_be_read_on_from_the_last_one(store: Store) -> None:
    search_id = store.add_search(SEARCH, "a")["search_id"]
    store.add_members(search_id, [member(name) for name in "abc"], 9)
    rows = store.members(search_id)
    assert [row["architecture"] for row in store.members(search_id, after=rows[0]["id"])] == ["b", "c"]
    assert store.members(search_id, after=rows[-1]["id"]) == []


def test_a_taken_id_gets_the_next_number(store: Store) -> None:
    assert [store.add_search(SEARCH, "a_b")["search_id"] for _ in range(3)] == ["a_b", "a_b-2", "a_b-3"]
    assert store.add_search(SEARCH, "a%b")["search_id"] == "a%b"


def test_a_search_that_is_not_there_is_none(store: Store) -> None:
    assert store.search("nothing") is None
    assert store.members("nothing") == []


def test_what_was_kept_is_there_when_the_store_is_opened_again(new_store: Callable[[], str]) -> None:
    url = new_store()
    for time in (1, 2):
        store = Store(url)
        search_id = store.add_search(SEARCH, "a")["search_id"] if time == 1 else "a"
        outcome, used = store.add_members(search_id, [member("x")], 9)
        assert (outcome, used) == ((["kept"], 1) if time == 1 else (["duplicate"], 1))
        store.close()


def test_readers_are_not_kept_waiting_by_a_writer(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/a.db")
    store.add_search(SEARCH, "a")
    with sqlite3.connect(tmp_path / "a.db", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert store.search("a")
        writer.execute("ROLLBACK")
    writer.close()
    store.close()


def not_a_database(folder: Path) -> str:
    (folder / "notes.txt").write_text("These are my notes. " * 100)
    return f"sqlite:///{folder}/notes.txt"


@pytest.mark.parametrize(
    "url",
    [
        lambda _: "searches.db",
        lambda _: "sqlite://",
        lambda _: "sqlite:///:memory:",
        lambda folder: f"sqlite:///{folder}",
        lambda _: "sqlite:////dev/null/folder/a.db",
        lambda _: "nosuchdatabase://host/name",
        not_a_database,
    ],
    ids=["no URL", "nowhere", "memory", "a folder", "under a file", "unknown database", "not a database"],
)
def test_a_store_that_cannot_be_used_is_refused_with_the_setting_to_change(url: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="LLMNAS_STORE"):
        Store(url(tmp_path))
