"""Rollback and writers that meet: nothing that was ever known is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmnas_mcp.errors import LabError, NotFoundError
from llmnas_mcp.results import Rule, RuleEdit
from llmnas_mcp.search.knowledge import KnowledgeBase
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from tests.thorough import examples

EDITS = st.one_of(
    st.builds(RuleEdit, action=st.just("add"), statement=st.sampled_from("abcd")),
    st.builds(
        lambda number, statement: RuleEdit(action="revise", rule_id=f"0.{number}", statement=statement),
        st.integers(1, 4),
        st.sampled_from("abcd"),
    ),
    st.builds(RuleEdit, action=st.just("retire"), rule_id=st.integers(1, 4).map("0.{}".format)),
)


def said(rules: list[Rule]) -> dict[str, str]:
    return {rule.rule_id: rule.statement for rule in rules}


def base_of(lab: Laboratory, **settings: int) -> KnowledgeBase:
    """The rules of niche 0 of a new search."""
    handle, _ = lab.members(lab.start_search(device="fpga", **settings).search_id)
    return KnowledgeBase(lab.store, handle, 0)


@pytest.fixture
def base(lab: Laboratory) -> KnowledgeBase:
    return base_of(lab)


@settings(max_examples=examples(30))
@given(st.lists(st.lists(EDITS, max_size=4), max_size=5), st.data())
def test_every_version_can_be_brought_back_as_a_new_one(
    shared_lab: Laboratory, batches: list[list[RuleEdit]], data: st.DataObject
) -> None:
    base = base_of(shared_lab, niches=1)
    versions = [{}]
    for batch in batches:
        known = base.update(batch, "me", 1)
        now = said(base.active())
        assert known.active == len(now)
        assert known.version in (len(versions) - 1, len(versions))
        if known.version == len(versions):
            versions.append(now)
        assert versions[-1] == now
    to = data.draw(st.integers(0, len(versions) - 1))
    history = base.history()
    known = base.rollback(to, "me", 2)
    assert said(base.active()) == versions[to]
    assert known.active == len(versions[to])
    assert base.history()[: len(history)] == history
    assert base.rollback(to, "me", 2).version == known.version
    base.rollback(len(versions) - 1, "me", 3)
    assert said(base.active()) == versions[-1]


@pytest.mark.parametrize("to", [-1, 2])
def test_a_version_there_never_was_is_told_with_those_there_are(base: KnowledgeBase, to: int) -> None:
    base.update([RuleEdit(action="add", statement="a")], "me", 1)
    with pytest.raises(NotFoundError, match=rf"no knowledge version {to}\. Versions: 0 \(empty\) to 1\."):
        base.rollback(to, "me", 1)


def test_a_rollback_writes_who_did_it_and_when(base: KnowledgeBase) -> None:
    base.update([RuleEdit(action="add", statement="a")], "first", 1)
    base.update([RuleEdit(action="retire", rule_id="0.1")], "second", 2)
    base.rollback(1, "third", 3)
    assert [(rule.author, rule.round, rule.status) for rule in base.history()] == [
        ("first", 1, "active"),
        ("second", 2, "retired"),
        ("third", 3, "active"),
    ]


class OvertakenBase(KnowledgeBase):
    """Someone else writes between this one's reading and its writing, once."""

    other: KnowledgeBase | None = None

    def history(self) -> list[Rule]:
        found = super().history()
        other, self.other = self.other, None
        if other:
            other.update([RuleEdit(action="add", statement="the other was first")], "other", 1)
        return found


def test_a_concurrent_change_is_refused_with_the_fix_and_the_first_is_kept(lab: Laboratory) -> None:
    handle, _ = lab.members(lab.start_search(device="fpga").search_id)
    base = OvertakenBase(lab.store, handle, 0)
    base.other = KnowledgeBase(lab.store, handle, 0)
    edits = [RuleEdit(action="add", statement="mine")]
    with pytest.raises(LabError, match=r"changed by someone else meanwhile: read the brief again and send the edits"):
        base.update(edits, "me", 1)
    assert said(base.active()) == {"0.1": "the other was first"}
    assert base.update(edits, "me", 1).version == 2
    assert said(base.active()) == {"0.1": "the other was first", "0.2": "mine"}


def test_rules_added_by_many_at_once_are_all_kept_once_each_has_tried_again(
    lab: Laboratory, settings: Settings
) -> None:
    search_id = lab.start_search(device="fpga").search_id
    labs = [lab, Laboratory(settings)]

    def add(number: int) -> None:
        edit = RuleEdit(action="add", statement=f"rule {number}")
        while True:
            try:
                labs[number % 2].update_knowledge_base(search_id, 0, [edit])
            except LabError:
                continue
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    labs[1].close()
    history = lab.knowledge_history(search_id)
    assert [rule.version for rule in history] == list(range(1, 25))
    assert {rule.statement for rule in history} == {f"rule {number}" for number in range(24)}
    assert {rule.rule_id for rule in history} == {f"0.{number + 1}" for number in range(24)}
