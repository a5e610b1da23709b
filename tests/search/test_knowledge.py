from __future__ import annotations

import re

import pytest

from llmnas_mcp.errors import LabError, NotFoundError
from llmnas_mcp.results import Edited, Knowledge, RuleEdit
from llmnas_mcp.search.service import Laboratory

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
SKIP = {"statement": "a skip helps", "pattern": {"0->3": "skip_connect"}, "effect": 0.1, "evidence": [CELL]}


class Base:
    """The knowledge base of one niche, as its scientist sees it."""

    def __init__(self, lab: Laboratory, niche: int = 0) -> None:
        self.lab, self.niche = lab, niche
        self.search_id = lab.start_search(device="fpga", niches=3).search_id

    def edit(self, *edits: RuleEdit, round_: int | None = None) -> Knowledge:
        return self.lab.update_knowledge_base(self.search_id, self.niche, edits, author="me", round_=round_)

    def add(self, **content: object) -> Edited:
        return self.edit(RuleEdit.model_validate({"action": "add", **SKIP, **content})).results[0]

    def rules(self) -> dict[str, str]:
        return {rule.rule_id: rule.statement for rule in self.lab.get_brief(self.search_id, self.niche).rules}


@pytest.fixture
def base(shared_lab: Laboratory) -> Base:
    return Base(shared_lab)


def test_an_added_rule_is_in_force_with_all_that_was_said(base: Base) -> None:
    known = base.edit(RuleEdit(action="add", confidence=0.7, target="cost", **SKIP), round_=4)
    assert (known.version, known.active) == (1, 1)
    assert known.results == [Edited(rule_id="0.1", status="added", reason=None)]
    (rule,) = base.lab.get_brief(base.search_id, 0).rules
    assert {**SKIP, "confidence": 0.7, "target": "cost"}.items() <= rule.model_dump().items()
    assert (rule.rule_id, rule.niche, rule.author, rule.round, rule.status, rule.version) == (
        *("0.1", 0, "me", 4, "active", 1),
    )


def test_the_rules_of_a_niche_are_its_own(base: Base) -> None:
    base.add()
    assert base.lab.get_brief(base.search_id, 1).rules == []
    assert [n.rules for n in base.lab.get_search(base.search_id).niches] == [1, 0, 0]
    assert base.lab.get_search(base.search_id).rules == 1


def test_a_revision_changes_what_it_names_and_keeps_the_rest(base: Base) -> None:
    base.add()
    known = base.edit(RuleEdit(action="revise", rule_id="0.1", confidence=0.9))
    assert known.results == [Edited(rule_id="0.1", status="revised", reason=None)]
    assert (known.version, known.active) == (2, 1)
    (rule,) = base.lab.get_brief(base.search_id, 0).rules
    assert {**SKIP, "confidence": 0.9, "version": 2}.items() <= rule.model_dump().items()


def test_a_retired_rule_is_no_longer_in_force_but_remembered(base: Base) -> None:
    base.add()
    known = base.edit(RuleEdit(action="retire", rule_id="0.1"))
    assert known.results[0].status == "retired"
    assert (known.version, known.active) == (2, 0)
    assert base.rules() == {}
    history = base.lab.knowledge_history(base.search_id)
    assert [(rule.version, rule.status, rule.statement) for rule in history] == [
        (1, "active", "a skip helps"),
        (2, "retired", "a skip helps"),
    ]


def test_a_new_rule_never_takes_the_id_of_a_retired_one(base: Base) -> None:
    base.add()
    base.edit(RuleEdit(action="retire", rule_id="0.1"))
    assert base.add(statement="another").rule_id == "0.2"
    assert base.rules() == {"0.2": "another"}


def test_several_edits_make_one_version(base: Base) -> None:
    edits = [RuleEdit(action="add", statement=f"rule {i}") for i in range(12)]
    known = base.edit(*edits)
    assert (known.version, known.active) == (1, 12)
    assert base.rules() == {f"0.{i + 1}": f"rule {i}" for i in range(12)}


@pytest.mark.parametrize(
    "edits",
    [
        [RuleEdit(action="add", **SKIP)],
        [RuleEdit(action="add", **SKIP), RuleEdit(action="add", **SKIP)],
        [RuleEdit(action="revise", rule_id="0.1", effect=0.3)],
        [RuleEdit(action="retire", rule_id="0.1")],
        [RuleEdit(action="retire", rule_id="0.1"), RuleEdit(action="add", statement="instead")],
        [],
    ],
)
def test_the_same_edits_twice_make_no_new_version(base: Base, edits: list[RuleEdit]) -> None:
    base.add(statement="first")
    first = base.edit(*edits)
    history = base.lab.knowledge_history(base.search_id)
    again = base.edit(*edits)
    assert again.version == first.version
    assert again.active == first.active
    assert {result.status for result in again.results} <= {"unchanged"}
    assert base.lab.knowledge_history(base.search_id) == history


@pytest.mark.parametrize(
    "edits",
    [
        [RuleEdit(action="revise", rule_id="0.1", statement=name) for name in ("second", "third")],
        [RuleEdit(action="revise", rule_id="0.1", statement="second"), RuleEdit(action="retire", rule_id="0.1")],
        [RuleEdit(action="add", **{**SKIP, "effect": effect}) for effect in (0.1, 0.2)],
    ],
    ids=["revised twice", "revised and retired", "added twice"],
)
def test_several_edits_of_one_rule_sent_again_make_no_new_version(base: Base, edits: list[RuleEdit]) -> None:
    base.add(statement="first")
    first = base.edit(*edits)
    history = base.lab.knowledge_history(base.search_id)
    assert base.edit(*edits).version == first.version
    assert base.lab.knowledge_history(base.search_id) == history


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ({"action": "add"}, "a rule needs a statement"),
        ({"action": "add", "statement": " \n"}, "a rule needs a statement"),
        ({"action": "add", **SKIP, "pattern": {"3->0": "none"}}, "position '3->0' is unknown: use one of 0->1, .*2->3"),
        ({"action": "add", **SKIP, "pattern": {"0->1": "conv"}}, "operation 'conv' is unknown at 0->1: .*nor_conv_3x3"),
        ({"action": "add", **SKIP, "evidence": [CELL, "some"]}, "evidence must be architectures; 'some' is none"),
        ({"action": "revise", "rule_id": "0.9"}, "there is no rule '0.9' in niche 0: get_brief lists them"),
        ({"action": "revise"}, "there is no rule None in niche 0"),
        ({"action": "retire", "rule_id": "1.1"}, "there is no rule '1.1' in niche 0"),
        ({"action": "revise", "rule_id": "0.1", "pattern": {"x": "none"}}, "position 'x' is unknown"),
        ({"action": "revise", "rule_id": "0.1", "statement": " "}, "statement"),
        ({"action": "add", **SKIP, "target": "latency"}, "target 'latency' is not one .*: use one of score, cost$"),
        ({"action": "revise", "rule_id": "0.1", "target": "latency"}, "target 'latency' is not one of this search"),
    ],
)
def test_an_edit_that_cannot_be_applied_is_refused_with_its_reason_and_the_others_stand(
    base: Base, edit: dict[str, object], reason: str
) -> None:
    base.add()
    known = base.edit(RuleEdit.model_validate(edit), RuleEdit(action="add", statement="another"))
    assert [result.status for result in known.results] == ["refused", "added"]
    assert re.search(reason, known.results[0].reason or "")
    assert base.rules() == {"0.1": "a skip helps", "0.2": "another"}


def test_a_revision_whose_statement_is_null_does_not_take_the_statement_away(base: Base) -> None:
    base.add()
    known = base.edit(RuleEdit(action="revise", rule_id="0.1", statement=None, effect=0.2))
    assert known.results[0].status in ("revised", "refused")
    assert base.rules() == {"0.1": "a skip helps"}


def test_refused_edits_alone_make_no_version(base: Base) -> None:
    assert base.edit(RuleEdit(action="add"), RuleEdit(action="retire", rule_id="0.1")).version == 0


@pytest.mark.parametrize("niche", [-1, 3])
def test_a_niche_that_is_not_there_is_told_with_those_that_are(base: Base, niche: int) -> None:
    with pytest.raises(NotFoundError, match=rf"has no niche {niche}\. Niches: 0 to 2\."):
        base.lab.update_knowledge_base(base.search_id, niche, [])


def test_edits_and_a_rollback_at_once_are_refused(base: Base) -> None:
    with pytest.raises(LabError, match="either edits or rollback_to, not both"):
        base.lab.update_knowledge_base(base.search_id, 0, [RuleEdit(action="add", **SKIP)], rollback_to=0)
    assert base.rules() == {}
