"""Hypervolume, its gains, IGD and IGD+ against slow plain twins."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp.pareto import (
    front_of,
    hypervolume,
    hypervolume_gains,
    igd,
    igd_plus,
    ranks_of,
    spread_order,
    unit_hypervolume,
)

Points = list[tuple[float, ...]]
REFERENCE = (4.0, 4.0)
COORDINATE = st.one_of(st.integers(0, 6), st.floats(-10, 10))  # the reference lies within: some points are beyond it
PAIRS = st.lists(st.tuples(COORDINATE, COORDINATE), max_size=12)
SOME = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=1, max_size=12)
TRIPLES = st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=6)
CUBE = (4.0, 4.0, 4.0)
# Of three objectives: so few values that most coordinates are another's too and whole points occur twice, or any.
TIED, FREE = st.tuples(*[st.integers(0, 5)] * 3), st.tuples(*[COORDINATE] * 3)
CANDIDATES_AND_FRONT = st.one_of(*(st.tuples(st.lists(p, max_size=8), st.lists(p, max_size=12)) for p in (TIED, FREE)))
# What sums of these are depends, in the last digit, on their order; and most coordinates are another's too.
SEVENTHS = st.lists(st.tuples(*[st.integers(0, 7).map(lambda n: n / 7)] * 3), max_size=25)
IN_UNIT = st.one_of(st.integers(0, 4).map(lambda n: n / 4), st.floats(0, 1))


@given(PAIRS)
def test_the_hypervolume_is_the_area_of_the_boxes_dominated(slow: SimpleNamespace, points: Points) -> None:
    assert hypervolume(points, REFERENCE) == pytest.approx(slow.hypervolume(points, REFERENCE))


@given(TRIPLES)
def test_the_hypervolume_of_three_objectives_is_a_volume(slow: SimpleNamespace, points: Points) -> None:
    assert hypervolume(points, (4, 4, 4)) == pytest.approx(slow.hypervolume(points, (4, 4, 4)))


@given(st.one_of(*(st.lists(st.tuples(*[IN_UNIT] * objectives), max_size=8) for objectives in (2, 3))))
def test_the_hypervolume_of_scaled_points_is_the_share_of_the_unit_cube_they_dominate(
    slow: SimpleNamespace, points: Points
) -> None:
    assert unit_hypervolume(points) == pytest.approx(slow.hypervolume(points, [1] * len(points[0])) if points else 0)
    assert 0 <= unit_hypervolume(points) <= 1


@given(SEVENTHS, SEVENTHS, st.randoms(use_true_random=False))
def test_neither_hypervolume_nor_gains_depend_on_the_order_of_points_not_even_in_the_last_digit(
    points: Points, candidates: Points, random: Random
) -> None:
    volume, gains = unit_hypervolume(points), hypervolume_gains(candidates, points, (1, 1, 1))
    front = [points[i] for i in front_of(points)]
    for _ in range(3):
        random.shuffle(points)
        assert unit_hypervolume(points) == unit_hypervolume(front) == volume
        assert hypervolume_gains(candidates, points, (1, 1, 1)).tolist() == gains.tolist()


@pytest.mark.parametrize("objectives", [2, 3])
def test_the_corners_of_the_unit_cube_dominate_all_of_it_or_nothing(objectives: int) -> None:
    assert unit_hypervolume([[0] * objectives]) == 1
    assert unit_hypervolume([[1] * objectives]) == unit_hypervolume(np.empty((0, objectives))) == 0


@given(SOME)
def test_the_front_has_all_of_the_hypervolume(points: Points) -> None:
    front = [points[i] for i in front_of(points)]
    assert hypervolume(front, REFERENCE) == pytest.approx(hypervolume(points, REFERENCE))


@pytest.mark.parametrize("points", [[(4, 0)], [(0, 4)], [(5, -9)], [(4, 4)], [(9, 9), (4, 1)]])
def test_points_not_better_than_the_reference_in_every_objective_add_nothing(points: Points) -> None:
    assert hypervolume(points, REFERENCE) == 0
    assert hypervolume([(1, 1), *points], REFERENCE) == 9
    assert hypervolume_gains(points, [], REFERENCE).tolist() == [0] * len(points)


@given(PAIRS, PAIRS)
def test_a_gain_is_the_difference_of_two_hypervolumes(points: Points, front: Points) -> None:
    before = hypervolume(front, REFERENCE)
    expected = [hypervolume([*front, point], REFERENCE) - before for point in points]
    assert hypervolume_gains(points, front, REFERENCE).tolist() == pytest.approx(expected, abs=1e-9)


@given(CANDIDATES_AND_FRONT)
def test_a_gain_of_three_objectives_is_the_difference_of_two_hypervolumes(drawn: tuple[Points, Points]) -> None:
    points, front = drawn
    before = hypervolume(front, CUBE)
    expected = [hypervolume([*front, point], CUBE) - before for point in points]
    assert hypervolume_gains(points, front, CUBE).tolist() == pytest.approx(expected, abs=1e-9)


@given(st.lists(TIED, max_size=4), st.lists(TIED, max_size=6))
def test_a_gain_of_three_objectives_is_the_volume_that_only_the_point_dominates(
    slow: SimpleNamespace, points: Points, front: Points
) -> None:
    expected = [slow.exclusive([*front, point], CUBE, len(front)) for point in points]
    assert hypervolume_gains(points, front, CUBE).tolist() == expected


@given(CANDIDATES_AND_FRONT, st.permutations(range(3)))
def test_a_gain_is_the_same_in_whichever_order_objectives_and_front_come(
    drawn: tuple[Points, Points], order: list[int]
) -> None:
    points, front = (np.reshape(some, (-1, 3)).astype(float) for some in drawn)
    expected = hypervolume_gains(points, front, CUBE)
    found = hypervolume_gains(points[:, order], front[::-1, order], CUBE)
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-9)


@given(st.lists(FREE, min_size=1, max_size=12))
def test_what_a_front_of_three_objectives_dominates_or_holds_gains_nothing(points: Points) -> None:
    worse = [(*point[:at], point[at] + 1, *point[at + 1 :]) for point in points for at in range(3)]
    gains = hypervolume_gains([*points, *worse], points, CUBE)
    assert gains.tolist() == pytest.approx([0] * len(gains), abs=1e-9)


@given(SOME)
def test_what_the_front_dominates_or_holds_gains_nothing(points: Points) -> None:
    worse = [(a + 1, b + 1) for a, b in points]
    assert hypervolume_gains([*points, *worse], points, REFERENCE).tolist() == [0] * 2 * len(points)


@given(SOME, SOME)
def test_igd_is_the_mean_distance_from_the_reference_front(
    slow: SimpleNamespace, points: Points, front: Points
) -> None:
    assert igd(points, front) == pytest.approx(slow.igd(points, front))


@given(SOME, SOME)
def test_igd_plus_counts_only_what_is_worse(slow: SimpleNamespace, points: Points, front: Points) -> None:
    assert igd_plus(points, front) == pytest.approx(slow.igd_plus(points, front))
    assert igd_plus(points, front) <= igd(points, front) + 1e-12


@given(SOME)
def test_a_front_is_at_no_distance_from_itself(points: Points) -> None:
    assert igd(points, points) == igd_plus(points, points) == 0


@given(SOME, SOME, SOME)
def test_more_points_are_never_further_away(points: Points, more: Points, front: Points) -> None:
    for distance in (igd, igd_plus):
        assert distance(points + more, front) <= distance(points, front) + 1e-12


@pytest.mark.parametrize("distance", [igd, igd_plus])
def test_no_points_are_not_the_best_there_can_be(distance: Callable[..., float]) -> None:
    try:
        value = distance([], [(0, 1), (1, 0)])
    except ValueError:
        return  # to refuse them is as good
    assert value > 0


@pytest.mark.parametrize(
    "work",
    [
        front_of,
        ranks_of,
        lambda points: spread_order(points, REFERENCE),
        lambda points: hypervolume(points, REFERENCE),
        lambda points: igd(points, points),
        lambda points: igd_plus(points, points),
        lambda points: hypervolume_gains(points, points, REFERENCE),
        unit_hypervolume,
    ],
)
@pytest.mark.parametrize("dtype", [float, np.float32, int])
@pytest.mark.parametrize("order", ["C", "F"])
def test_inputs_are_never_modified(work: Callable[..., object], dtype: type, order: str) -> None:
    points = np.array([(2, 2), (1, 3), (3, 3), (1, 3), (6, 0)], dtype=dtype, order=order)
    before = points.copy()
    first = work(points)
    assert (points == before).all()
    points.flags.writeable = False
    np.testing.assert_array_equal(work(points), first)
