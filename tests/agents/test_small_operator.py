"""What a small model may choose among, and what becomes of its choice."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmnas_agents.operators.small import beliefs_of, changed, changes_of
from pydantic import ValidationError

from llmnas_mcp.spaces import get_space
from tests.agents.test_prompts import BRIEF, CELLS

SPACE = get_space("nasbench201")
POSITIONS, OPERATIONS = BRIEF.choices[0].positions, BRIEF.choices[0].values
cells = st.tuples(*(st.sampled_from(OPERATIONS) for _ in POSITIONS)).map(
    lambda operations: "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*operations)
)


@given(st.lists(cells, min_size=1, max_size=3), st.data())
def test_a_change_is_a_parent_with_another_operation_at_one_position(parents: list[str], data: st.DataObject) -> None:
    parent = data.draw(st.integers(1, len(parents)))
    position = data.draw(st.sampled_from(POSITIONS))
    there = re.findall(r"[a-z_0-9]+(?=~)", parents[parent - 1])[POSITIONS.index(position)]
    operation = data.draw(st.sampled_from([o for o in OPERATIONS if o != there]))
    asked = {"parent": parent, "position": position, "value": operation, "reason": "It may help a little"}

    (change,) = changes_of(parents, BRIEF, 1).model_validate({"offspring": [asked]}).offspring
    proposal = changed(change, parents, BRIEF)

    before, after = SPACE.parse(parents[parent - 1]), SPACE.parse(proposal.architecture)
    assert [p for p, a, b in zip(SPACE.positions, before, after, strict=True) if a != b] == [position]
    assert proposal.parents == [parent]
    assert (proposal.operator, proposal.reason) == ("mutation", "It may help a little")


@pytest.mark.parametrize(
    "wrong",
    [
        {"parent": 3},
        {"parent": 0},
        {"position": "0->4"},
        {"value": "nor_conv_3x3"},  # is there already
        {"value": "conv"},
        {"reason": "1.2.3"},
        {"reason": ""},
        {"operator": "fresh"},
    ],
    ids=str,
)
def test_what_cannot_be_chosen_does_not_validate(wrong: dict[str, object]) -> None:
    fine = {"parent": 1, "position": "0->1", "value": "none", "reason": "It may help a little"}
    schema = changes_of(list(CELLS), BRIEF, 2)
    schema.model_validate({"offspring": [fine]})
    with pytest.raises(ValidationError):
        schema.model_validate({"offspring": [fine | wrong]})


def test_more_than_was_asked_for_does_not_validate() -> None:
    one = {"number": 1, "reason": "It may help a little"}
    with pytest.raises(ValidationError):
        beliefs_of(3, 2).model_validate({"chosen": [one] * 3})
    with pytest.raises(ValidationError):
        beliefs_of(3, 2).model_validate({"chosen": [one | {"number": 4}]})
