from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmnas_mcp.errors import LabError
from llmnas_mcp.results import Bred, Offspring, RuleEdit
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import Space
from tests.thorough import examples

HELPS = {"statement": "x", "pattern": {"2->3": "nor_conv_1x1"}, "effect": 0.5}


def names(bred: Bred) -> list[str]:
    return [o.architecture for o in bred.offspring]


def fill(lab: Laboratory, search_id: str, niche: int, count: int) -> list[str]:
    """Evaluate the first offspring of a niche in round 1."""
    bred = names(lab.breed_architectures(search_id, niche, count, 1))
    lab.submit_architectures(search_id, bred, niche, round_=1)
    return bred


def share_with_pattern(lab: Laboratory, search_id: str, effect: float | None) -> float:
    fill(lab, search_id, 0, 10)
    edit = RuleEdit.model_validate({"action": "add", **HELPS, "effect": effect})
    lab.update_knowledge_base(search_id, 0, [edit])
    bred = names(lab.breed_architectures(search_id, 0, 40, 2))
    return sum(name.endswith("nor_conv_1x1~2|") for name in bred) / len(bred)


@settings(max_examples=examples(12))
@given(
    first=st.integers(0, 20),
    count=st.integers(1, 60),
    niche=st.integers(0, 6),
    seed=st.integers(0, 2**31 - 1),
    effects=st.lists(st.floats(-1, 1), max_size=3),
)
def test_offspring_are_as_many_as_asked_or_left_all_new_and_canonical(
    shared_lab: Laboratory, space: Space, first: int, count: int, niche: int, seed: int, effects: list[float]
) -> None:
    search_id = shared_lab.start_search(device="edgetpu", niches=7, seed=seed).search_id
    tried = fill(shared_lab, search_id, niche, first) if first else []
    edits = [
        RuleEdit.model_validate({"action": "add", **HELPS, "statement": str(i), "effect": effect})
        for i, effect in enumerate(effects)
    ]
    shared_lab.update_knowledge_base(search_id, niche, edits)
    bred = names(shared_lab.breed_architectures(search_id, niche, count))
    assert len(bred) == len(set(bred)) == min(count, shared_lab.get_brief(search_id, niche).untried)
    assert not set(bred) & set(tried)
    assert all(space.format(space.canonical(space.parse(name))) == name for name in bred)
    submission = shared_lab.submit_architectures(search_id, bred, niche)
    assert {result.status for result in submission.results} <= {"kept"}


def test_the_same_seed_breeds_the_same_and_another_seed_other_offspring(lab: Laboratory) -> None:
    def two_rounds(seed: int) -> list[list[Offspring]]:
        search_id = lab.start_search(device="fpga", seed=seed).search_id
        fill(lab, search_id, 1, 10)
        return [lab.breed_architectures(search_id, 1, 10, round_).offspring for round_ in (1, 2)]

    first = two_rounds(3)
    assert two_rounds(3) == first
    other = two_rounds(4)
    architectures = [[[o.architecture for o in bred] for bred in bred_by_round] for bred_by_round in (first, other)]
    assert all(one != two for one, two in zip(*architectures, strict=True))


def test_niches_and_rounds_have_chances_of_their_own(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga", niches=2).search_id
    bred = [names(lab.breed_architectures(search_id, 0, 8, round_)) for round_ in (1, 2)]
    assert bred[0] != bred[1]


def test_offspring_say_where_they_come_from(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga", niches=7).search_id
    fresh = lab.breed_architectures(search_id, 1, 10)
    assert {(o.origin.operator, *o.origin.parents) for o in fresh.offspring} == {("fresh",)}
    fill(lab, search_id, 1, 10)
    known = {m.architecture for m in lab.members(search_id)[1]}
    bred = lab.breed_architectures(search_id, 1, 40).offspring
    assert {o.origin.operator for o in bred} == {"mutation", "crossover"}
    for offspring in bred:
        assert len(offspring.origin.parents) == {"mutation": 1, "crossover": 2}[offspring.origin.operator]
        assert set(offspring.origin.parents) <= known


def test_who_knows_nothing_of_a_niche_draws_as_the_space_does(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga", niches=7, seed=2).search_id
    drawn = names(lab.breed_architectures(search_id, 1, 60, 1))
    handle, _ = lab.members(search_id)
    known, niche = handle.candidates, handle.niche(1)
    weights = dict(zip(map(tuple, known.genotypes.tolist()), known.weights.tolist(), strict=True))
    inside = (known.params >= niche.low) & (known.params < niche.high)
    # A class is drawn as often as it has genotypes.
    assert np.mean([weights[handle.space.parse(name)] for name in drawn]) > 1.5 * known.weights[inside].mean()


def test_a_niche_with_few_members_is_bred_for_by_what_others_scored(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga", niches=7).search_id
    fill(lab, search_id, 1, 20)
    members = lab.members(search_id)[1]
    bred = lab.breed_architectures(search_id, 2, 20, 2).offspring
    guests = {parent for offspring in bred for parent in offspring.origin.parents}
    assert guests
    assert guests <= {m.architecture for m in members}
    assert {m.niche for m in members} == {1}


def test_rules_guide_what_is_bred(lab: Laboratory) -> None:
    helped, hurt, silent = (
        share_with_pattern(lab, lab.start_search(device="fpga", niches=2, seed=1).search_id, effect)
        for effect in (0.5, -0.5, None)
    )
    assert helped > silent > hurt


def test_a_retired_rule_guides_nothing(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga").search_id
    fill(lab, search_id, 0, 10)
    before = lab.breed_architectures(search_id, 0, 20, 2)
    lab.update_knowledge_base(search_id, 0, [RuleEdit.model_validate({"action": "add", **HELPS})])
    assert lab.breed_architectures(search_id, 0, 20, 2) != before
    lab.update_knowledge_base(search_id, 0, [RuleEdit(action="retire", rule_id="0.1")])
    assert lab.breed_architectures(search_id, 0, 20, 2) == before


def test_an_exhausted_niche_breeds_nothing_and_says_so(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga").search_id
    (last,) = fill(lab, search_id, 6, 5)
    assert last.count("nor_conv_3x3") == 6
    bred = lab.breed_architectures(search_id, 6, 5)
    assert bred.offspring == []
    assert bred.next.startswith("Every architecture of niche 6 that can run is evaluated. Round 1: get_brief(")


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_an_impossible_count_is_refused(lab: Laboratory, count: int) -> None:
    search_id = lab.start_search(device="fpga").search_id
    with pytest.raises(LabError, match=f"count={count} is out of range: choose 1 to 1,000"):
        lab.breed_architectures(search_id, 0, count)
