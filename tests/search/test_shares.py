from __future__ import annotations

from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmnas_mcp.search.handle import LATELY
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.search.shares import share_out
from llmnas_mcp.spaces import get_space

SPACE = get_space("nasbench201")
NICHES = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), min_size=1, max_size=8)
TOTAL = st.integers(0, 150)


@given(TOTAL, NICHES)
def test_all_is_shared_out_and_no_niche_gets_more_than_it_can_use(total: int, niches: list[tuple[int, int]]) -> None:
    capacity, weight = zip(*niches, strict=True)
    shares = share_out(total, capacity, weight)
    assert sum(shares) == min(total, sum(capacity))
    assert all(0 <= share <= most for share, most in zip(shares, capacity, strict=True))


@given(TOTAL, st.lists(st.integers(1, 10), min_size=1, max_size=8))
def test_with_room_enough_every_niche_gets_its_part_by_weight(total: int, weight: list[int]) -> None:
    shares = share_out(total, [10_000] * len(weight), weight)
    assert all(share >= total * w // sum(weight) for share, w in zip(shares, weight, strict=True))


@given(TOTAL, NICHES)
def test_what_an_exhausted_niche_cannot_use_is_shared_among_the_others_as_if_it_were_not_there(
    total: int, niches: list[tuple[int, int]]
) -> None:
    capacity, weight = zip(*niches, strict=True)
    shares = share_out(total, capacity, weight)
    full = [k for k in range(len(niches)) if shares[k] == capacity[k]]
    rest = [k for k in range(len(niches)) if k not in full]
    assume(rest)
    left = total - sum(shares[k] for k in full)
    assert [shares[k] for k in rest] == share_out(left, [capacity[k] for k in rest], [weight[k] for k in rest])


@given(TOTAL, NICHES)
def test_one_more_evaluation_takes_nothing_from_any_niche(total: int, niches: list[tuple[int, int]]) -> None:
    capacity, weight = zip(*niches, strict=True)
    pairs = zip(share_out(total, capacity, weight), share_out(total + 1, capacity, weight), strict=True)
    assert all(one <= other for one, other in pairs)


def test_a_round_has_as_many_evaluations_as_niches_times_offspring(lab: Laboratory) -> None:
    started = lab.start_search(device="fpga", offspring=4, niches=3)
    assert sum(n.share for n in started.niches) == 12
    lab.submit_architectures(started.search_id, [SPACE.example])
    assert sum(n.share for n in lab.get_search(started.search_id).niches) == 12


def test_a_niche_that_adds_to_the_hypervolume_gets_more_of_the_next_round(lab: Laboratory) -> None:
    started = lab.start_search(device="fpga", offspring=8, niches=2)
    cheap = [SPACE.format(cell) for cell in ((0, 0, 0, 2, 0, 0), (0, 0, 0, 1, 0, 0), (2, 0, 0, 2, 2, 0))]
    lab.submit_architectures(started.search_id, cheap, 0)
    assert len(lab.compute_pareto_front(started.search_id).front) > 1
    before, after = started.niches, lab.get_search(started.search_id).niches
    assert after[0].share > before[0].share
    assert after[1].share < before[1].share


def test_what_a_niche_gained_is_what_would_be_missing_without_it_for_each_of_its_evaluations(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga", offspring=8, niches=2).search_id
    cells = [(0, 0, 0, 2, 0, 0), (0, 0, 0, 1, 0, 0), (3, 3, 3, 3, 3, 3), (2, 0, 0, 2, 2, 0)]
    lab.submit_architectures(search_id, [SPACE.format(cell) for cell in cells])
    handle, members = lab.members(search_id)
    gained = handle.gained(members)
    for niche in (0, 1):
        own = [m for m in members if m.niche == niche]
        missing = handle.hypervolume(members) - handle.hypervolume([m for m in members if m.niche != niche])
        assert own
        assert gained[niche] == pytest.approx(missing / len(own))


def test_what_was_gained_long_ago_counts_less_and_then_no_more(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga", offspring=8, niches=1).search_id
    lab.submit_architectures(search_id, [SPACE.example])
    handle, (first,) = lab.members(search_id)
    worse = [replace(first, round=number, score=first.score / 2) for number in range(2, 2 + LATELY)]
    gained = [float(handle.gained([first, *worse[:rounds]])[0]) for rounds in range(LATELY + 1)]
    assert gained[0] == pytest.approx(handle.hypervolume([first]))
    assert gained == pytest.approx([gained[0] / 2**rounds for rounds in range(LATELY)] + [0])


def test_what_niches_gained_by_two_costs_does_not_depend_on_the_order_in_which_results_came(lab: Laboratory) -> None:
    asked: dict[str, Any] = {"space": "fbnet", "dataset": "cifar100", "objective": ["macs", "params"]}
    search_id = lab.start_search(**asked, scored_by="params", niches=4).search_id
    handle, _ = lab.members(search_id)
    names = [handle.space.format(tuple(cell)) for cell in handle.landscape.reference.genotypes[::3].tolist()]
    lab.submit_architectures(search_id, names)
    members = [replace(m, round=1 + i % LATELY) for i, m in enumerate(lab.members(search_id)[1])]
    gained = handle.gained(members).tolist()
    assert len(members) == len(names) == 50
    assert sum(gain > 0 for gain in gained) > 1
    for seed in range(10):
        Random(seed).shuffle(members)
        assert handle.gained(members).tolist() == gained


def test_a_niche_never_gets_more_than_it_has_left(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga", niches=7, offspring=1000, evaluations=10_000).search_id
    last = SPACE.format((3, 3, 3, 3, 3, 3))
    lab.submit_architectures(search_id, [last])
    niches = lab.get_search(search_id).niches
    assert [n.share for n in niches] == [min(n.size - n.members, 1000) for n in niches]
    assert niches[-1].share == 0


@pytest.mark.parametrize("limit", [1.2, 3, 5])
def test_within_limits_no_niche_is_empty_and_every_one_gets_its_share(lab: Laboratory, limit: float) -> None:
    niches = lab.start_search(device="fpga", limits=Limits(latency=limit), offspring=4).niches
    assert all(n.size and n.share for n in niches)
    assert sum(n.share for n in niches) == min(4 * len(niches), sum(n.size or 0 for n in niches)) > 0


def test_no_round_is_larger_than_what_is_left_of_the_budget(lab: Laboratory) -> None:
    assert sum(n.share for n in lab.start_search(device="fpga", evaluations=5).niches) == 5


@pytest.mark.thorough
def test_no_niche_is_given_up_in_a_whole_search(lab: Laboratory, hand: SimpleNamespace) -> None:
    search = hand.play(lab, lab.start_search(device="fpga", niches=7, evaluations=400).search_id)
    assert [n.niche for n in search.niches if not n.members] == []
