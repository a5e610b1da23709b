from __future__ import annotations

import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp import pareto
from llmnas_mcp.errors import LabError
from llmnas_mcp.search import instruments
from llmnas_mcp.search.fronts import MOST_POINTS, Point, front_of_points
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.members import SCORE_MARGIN
from llmnas_mcp.search.service import Laboratory

# Steps far above the rounding of floats, and so few that ties are common.
SCORES, COSTS = st.integers(0, 20).map(lambda n: n / 20), st.integers(0, 20).map(lambda n: n * 1.7)
POINTS = st.lists(st.builds(Point, architecture=st.text(max_size=3), score=SCORES, cost=COSTS), min_size=1, max_size=20)


def test_the_front_of_a_new_search_is_empty_and_compared_with_nothing(lab: Laboratory) -> None:
    front = lab.compute_pareto_front(lab.start_search(device="fpga").search_id)
    assert (front.front, front.hypervolume, front.truncated) == ([], 0, False)
    assert front.igd is front.igd_plus is front.share is front.reference is None


def test_the_front_is_what_no_member_beats_and_what_is_within_error_of_that(
    lab: Laboratory, hand: SimpleNamespace
) -> None:
    search_id = lab.start_search(device="pixel3", evaluations=80).search_id
    hand.play(lab, search_id)
    front = lab.compute_pareto_front(search_id)
    members = {m.architecture: m for m in lab.members(search_id)[1]}
    strict = [point for point in front.front if not point.near]
    assert 3 < len(strict) < len(front.front)
    for one, other in pairwise(strict):
        assert one.cost < other.cost
        assert one.score < other.score
    for point in front.front:
        error = (
            instruments.query_cost(
                [point.architecture],
                space="nasbench201",
                dataset="cifar10",
                device="pixel3",
                objective="latency",
                data=lab.settings.data,
            )
            .results[0]
            .error
        )
        rivals = [p for p in strict if p.architecture != point.architecture]
        assert error is not None
        assert not any(
            p.cost < point.cost * (1 - error) - 1e-9 and p.score > point.score + SCORE_MARGIN + 1e-9 for p in rivals
        )
    assert [point.cost for point in front.front] == sorted(point.cost for point in front.front)
    shown = {point.architecture for point in front.front}
    for point in front.front:
        member = members[point.architecture]
        assert (point.score, point.cost, point.niche) == (member.score, member.costs[0], member.niche)
        assert (point.unit, point.source, point.params_m) == ("ms", *member.cost_sources, member.params / 1e6)
    for m in members.values():
        assert m.architecture in shown or any(p.cost <= m.costs[0] and p.score >= m.score for p in front.front)


@pytest.mark.parametrize("device", ["raspi4", "edgetpu", "fpga"])
def test_a_limit_holds_in_the_front(lab: Laboratory, hand: SimpleNamespace, device: str) -> None:
    limit = hand.cost_below(device, 1000)
    search_id = lab.start_search(device=device, evaluations=60, limits=Limits(latency=limit)).search_id
    hand.play(lab, search_id)
    costs = [point.cost for point in lab.compute_pareto_front(search_id).front]
    assert 0 < max(costs) <= limit


def test_quality_is_told_against_the_exhaustive_front_of_what_the_limits_allow(
    lab: Laboratory, hand: SimpleNamespace
) -> None:
    limit = hand.cost_below("edgetpu", 120)
    search_id = lab.start_search(device="edgetpu", evaluations=1000, limits=Limits(latency=limit)).search_id
    hand.play(lab, search_id, rounds=1)
    part = lab.compute_pareto_front(search_id)
    assert part.share is not None
    assert 0 < part.share < 1
    assert part.igd is not None
    assert part.igd_plus is not None
    assert 0 < part.igd_plus <= part.igd
    search = hand.play(lab, search_id)
    whole = lab.compute_pareto_front(search_id)
    assert whole.share == pytest.approx(1)
    assert whole.igd == whole.igd_plus == 0
    assert whole.reference == (f"exhaustive front of {search.used:,} architectures under the same scores and costs")
    assert whole.hypervolume == search.hypervolume == pytest.approx(part.hypervolume / part.share)


@given(POINTS)
def test_the_front_of_given_points_is_theirs_and_nothing_is_invented(points: list[Point]) -> None:
    front = front_of_points(points)
    kept = [(p.architecture, p.score, p.cost) for p in front.front]
    assert set(kept) <= {(p.architecture, p.score, p.cost) for p in points}
    assert len(kept) == len(set(kept)) >= 1
    costs, scores = [p.cost for p in front.front], [p.score for p in front.front]
    assert costs == sorted(costs)
    assert scores == sorted(scores)
    for p in points:
        assert any(cost <= p.cost and score >= p.score for _, score, cost in kept)
    assert 0 <= front.hypervolume <= 1
    assert {(p.source, p.unit, p.niche) for p in front.front} == {("given", "as given", None)}
    assert front.igd is front.igd_plus is front.share is front.reference is None


def test_the_hypervolume_of_given_points_is_over_their_own_range_of_cost() -> None:
    points = [Point(architecture=c, score=s, cost=x) for c, s, x in (("a", 0.5, 10), ("b", 1, 20), ("c", 0, 30))]
    assert front_of_points(points).hypervolume == pareto.hypervolume([(0, 0.5), (0.5, 0)], (1, 1)) == 0.75


@given(st.lists(st.tuples(SCORES, COSTS, COSTS), min_size=1, max_size=20))
def test_the_front_of_given_points_of_two_costs_is_what_none_beats_in_all_three(
    given_: list[tuple[float, float, float]],
) -> None:
    points = [
        Point(architecture=str(i), score=score, costs={"energy": energy, "macs": macs})
        for i, (score, energy, macs) in enumerate(given_)
    ]
    front = front_of_points(points)

    def beats(one: Point, other: Point) -> bool:
        better = [one.score >= other.score, *(one.costs[name] <= other.costs[name] for name in one.costs)]
        return all(better) and (one.score, one.costs) != (other.score, other.costs)

    best = {p.architecture for p in points if not any(beats(other, p) for other in points)}
    assert {p.architecture for p in front.front} <= best
    assert {(p.score, *p.costs.values()) for p in front.front} == {given_[int(name)] for name in best}
    assert all(p.cost == p.costs["energy"] and list(p.costs) == ["energy", "macs"] for p in front.front)
    ranges = [(min(values), max(values)) for values in list(zip(*given_, strict=True))[1:]]
    scaled = [
        (*((c - low) / max(high - low, 1e-12) for c, (low, high) in zip(costs, ranges, strict=True)), 1 - score)
        for score, *costs in given_
    ]
    assert front.hypervolume == pytest.approx(pareto.hypervolume(scaled, (1, 1, 1)))


def test_given_points_may_name_their_one_cost() -> None:
    named, plain = (
        front_of_points([Point(architecture=str(i), score=i / 3, **cost(i)) for i in range(3)]).model_dump(mode="json")
        for cost in (lambda i: {"costs": {"latency": i}}, lambda i: {"cost": i})
    )
    assert named == plain
    assert "costs" not in named["front"][0]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"cost": 1}, r"points\[1\] has other costs than points\[0\]: give all the same, latency, energy\."),
        ({"costs": {"latency": 1}}, r"points\[1\] has other costs than points\[0\]"),
        ({"costs": {"latency": 1, "macs": 1}}, r"points\[1\] has other costs than points\[0\]"),
    ],
)
def test_points_of_different_costs_have_no_front(second: dict[str, Any], message: str) -> None:
    both = {"energy": 2, "latency": 1}
    first = Point(architecture="a", score=0.5, costs={"latency": 1, "energy": 2})
    assert len(front_of_points([first, Point(architecture="b", score=0.6, costs=both)]).front) == 1
    with pytest.raises(LabError, match=message):
        front_of_points([first, Point(architecture="b", score=0.6, **second)])


def test_points_without_a_cost_have_no_front() -> None:
    points = [Point(architecture="a", score=0.5, cost=1), Point(architecture="b", score=0.5)]
    with pytest.raises(LabError, match=r"points\[1\] has no cost: give cost, or costs by name\."):
        front_of_points(points)


def test_a_long_front_is_cut_and_says_so() -> None:
    n = MOST_POINTS + 1
    points = [Point(architecture=str(i), score=i / n, cost=i) for i in range(n)]
    front = front_of_points(points)
    assert (len(front.front), front.truncated) == (MOST_POINTS, True)
    assert not front_of_points(points[1:]).truncated


def test_no_points_are_refused_with_what_to_give() -> None:
    with pytest.raises(LabError, match="No points: give search_id, or points with architecture, score and cost"):
        front_of_points([])


@pytest.mark.parametrize(("score", "cost"), [(1.5, 1), (-0.1, 1), (0.5, -1), (math.nan, 1), (0.5, math.inf)])
def test_what_is_no_score_or_cost_is_refused(score: float, cost: float) -> None:
    with pytest.raises(ValueError, match=r"score|cost"):
        Point(architecture="x", score=score, cost=cost)
    if not math.isnan(score) and 0 <= score <= 1:
        with pytest.raises(ValueError, match=r"costs"):
            Point(architecture="x", score=score, costs={"latency": cost})


def test_more_than_two_costs_or_an_unknown_one_are_refused() -> None:
    for names in (("latency", "energy", "macs"), ("power",)):
        with pytest.raises(ValueError, match="costs"):
            Point(architecture="x", score=0.5, costs=dict.fromkeys(names, 1.0))
