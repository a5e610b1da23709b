"""Fronts, ranks and their order against slow plain twins, on points with many ties and duplicates."""

from __future__ import annotations

from random import Random
from time import process_time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp.pareto import front_of, hypervolume, near_front_of, ranks_of, spread_order

Points = list[tuple[float, ...]]
SMALL = st.integers(0, 6)  # so small that ties, duplicates and points beyond the reference are common
ANY = st.floats(-1e6, 1e6)
PAIRS = st.one_of(st.lists(st.tuples(SMALL, SMALL), max_size=15), st.lists(st.tuples(ANY, ANY), max_size=15))
TRIPLES = st.lists(st.tuples(SMALL, SMALL, SMALL), min_size=1, max_size=12)


@given(st.one_of(PAIRS, TRIPLES))
def test_the_front_is_what_no_other_point_dominates_by_rising_first_objective(
    slow: SimpleNamespace, points: Points
) -> None:
    assert front_of(points).tolist() == slow.front_of(points)


def test_of_equal_points_the_first_is_kept() -> None:
    assert front_of([(1, 1), (0, 2), (1, 1), (0, 2)]).tolist() == [1, 0]


@given(PAIRS)
def test_the_front_rises_in_one_objective_and_falls_in_the_other(points: Points) -> None:
    front = np.array(points, dtype=float).reshape(-1, 2)[front_of(points)]
    assert (np.diff(front[:, 0]) > 0).all()
    assert (np.diff(front[:, 1]) < 0).all()


@given(PAIRS)
def test_the_front_of_a_front_is_all_of_it(points: Points) -> None:
    front = [points[i] for i in front_of(points)]
    assert front_of(front).tolist() == list(range(len(front)))


@st.composite
def points_with_slack(draw: st.DrawFn) -> tuple[Points, Points]:
    """Points of two or three objectives, and how much too high each coordinate may be: often just enough to matter."""
    objectives = draw(st.integers(2, 3))
    points = draw(st.lists(st.tuples(*[SMALL] * objectives), max_size=15))
    slack = draw(st.lists(st.tuples(*[st.integers(0, 3)] * objectives), min_size=len(points), max_size=len(points)))
    return points, slack


@given(points_with_slack())
def test_near_the_front_is_what_no_point_beats_once_its_slack_is_granted(drawn: tuple[Points, Points]) -> None:
    points, slack = drawn
    front = set(front_of(points).tolist())

    def beaten(i: int) -> bool:
        granted = [value - room for value, room in zip(points[i], slack[i], strict=True)]
        others = (p for j, p in enumerate(points) if j != i)
        return any(all(a <= b for a, b in zip(p, granted, strict=True)) for p in others)

    kept = near_front_of(points, np.reshape(slack, np.shape(points) if points else (0, 2))).tolist()
    assert sorted(kept) == [i for i in range(len(points)) if i in front or not beaten(i)]
    assert [points[i][0] for i in kept] == sorted(points[i][0] for i in kept)


@given(st.one_of(PAIRS, TRIPLES))
def test_without_slack_near_the_front_is_the_front(points: Points) -> None:
    assert near_front_of(points, np.zeros(np.shape(points) if points else (0, 2))).tolist() == front_of(points).tolist()


@given(st.one_of(PAIRS, TRIPLES))
def test_ranks_are_those_of_peeling_one_front_after_the_other(slow: SimpleNamespace, points: Points) -> None:
    assert ranks_of(points).tolist() == slow.ranks_of(points)


@given(PAIRS, st.randoms(use_true_random=False))
def test_a_point_has_the_same_rank_wherever_it_stands(points: Points, random: Random) -> None:
    order = list(range(len(points)))
    random.shuffle(order)
    assert ranks_of([points[i] for i in order]).tolist() == ranks_of(points)[order].tolist()


@given(st.lists(st.tuples(SMALL, SMALL), max_size=12))
def test_the_order_of_worth_is_by_rank_then_by_exclusive_hypervolume_then_as_given(
    slow: SimpleNamespace, points: Points
) -> None:
    reference = (5, 5)
    rank = slow.ranks_of(points)

    def worth(i: int) -> tuple[float, float, int]:
        peers = [k for k in range(len(points)) if rank[k] == rank[i]]
        return rank[i], -slow.exclusive([points[k] for k in peers], reference, peers.index(i)), i

    assert spread_order(points, reference).tolist() == sorted(range(len(points)), key=worth)


@given(PAIRS)
def test_the_order_of_worth_has_every_point_once(points: Points) -> None:
    assert sorted(spread_order(points, (5, 5)).tolist()) == list(range(len(points)))


def test_no_points_have_no_front_no_ranks_no_order_and_no_volume() -> None:
    for nothing in ([], np.zeros((0, 2))):
        assert front_of(nothing).tolist() == ranks_of(nothing).tolist() == spread_order(nothing, (1, 1)).tolist() == []
        assert hypervolume(nothing, (1, 1)) == 0


def test_a_single_point_is_its_own_front() -> None:
    assert front_of([(3, 4)]).tolist() == ranks_of([(3, 4)]).tolist() == spread_order([(3, 4)], (1, 1)).tolist() == [0]


@pytest.mark.parametrize("points", [np.zeros((1_000_000, 2)), np.random.default_rng(0).random((1_000_000, 2))])
def test_a_million_points_take_less_than_a_second_to_a_front(points: np.ndarray) -> None:
    start = process_time()
    kept = front_of(points)
    assert process_time() - start < 1
    assert 1 <= len(kept) < 100
