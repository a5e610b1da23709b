"""A search for two costs: what is asked, told, mined and ruled of each by its name."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from llmnas_mcp.devices import ANYWHERE, Objective
from llmnas_mcp.results import MemberInfo, RuleEdit
from llmnas_mcp.search.instruments import query_cost
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.service import MOST_EFFECTS, MOST_OF_COST, Laboratory
from llmnas_mcp.spaces import get_space

SPACE = get_space("nasbench201")
BOTH: list[Objective] = ["latency", "energy"]
SIX = SPACE.format((3,) * 6)


@pytest.fixture(scope="module")
def search_id(shared_lab: Laboratory, hand: SimpleNamespace) -> str:
    """A search of two niches after some rounds."""
    limits = Limits(energy=60, params=1)
    started = shared_lab.start_search(device="edgegpu", objective=BOTH, niches=2, offspring=10, limits=limits)
    hand.play(shared_lab, started.search_id, rounds=3)
    return started.search_id


def members(lab: Laboratory, search_id: str, niche: int | None = None, **how: Any) -> list[MemberInfo]:
    return lab.list_niche_members(search_id, niche, **{"limit": 1000, **how}).members


def test_a_search_has_a_unit_a_limit_and_a_scale_for_each_cost(lab: Laboratory) -> None:
    started = lab.start_search(device="edgegpu", objective=BOTH, limits=Limits(energy=60, macs=100))
    search = lab.get_search(started.search_id)
    assert started.units == search.units == ["ms", "mJ"]
    assert (search.objectives, search.limits) == (BOTH, {"energy": 60, "macs": 100})
    assert [low < high for low, high in zip(search.cost_low, search.cost_high, strict=True)] == [True, True]
    assert search.cost_high[1] <= 60
    assert [line.objectives for line in lab.list_searches().searches] == [BOTH]


def test_the_order_of_costs_is_that_they_were_given_in(lab: Laboratory) -> None:
    one, other = (lab.start_search(device="edgegpu", objective=both).search_id for both in (BOTH, BOTH[::-1]))
    assert one != other
    for search_id in (one, other):
        lab.submit_architectures(search_id, [SIX])
    (first,), (second,) = members(lab, one), members(lab, other)
    assert list(first.costs) == list(second.costs)[::-1] == BOTH
    assert (first.cost, second.cost) == (first.costs["latency"], second.costs["energy"])
    assert (first.unit, second.unit) == ("ms", "mJ")
    assert first.costs == second.costs
    assert lab.compute_pareto_front(one).hypervolume == pytest.approx(lab.compute_pareto_front(other).hypervolume)


def test_what_is_kept_is_told_with_each_cost_as_it_is_asked_for(lab: Laboratory) -> None:
    search_id = lab.start_search(device="edgegpu", objective=["energy", "params"]).search_id
    (result,) = lab.submit_architectures(search_id, [SIX]).results
    asked: dict[str, Any] = {"space": SPACE.name, "dataset": "cifar10", "data": lab.settings.data}
    (energy,) = query_cost([SIX], device="edgegpu", objective="energy", **asked).results
    (params,) = query_cost([SIX], device=None, objective="params", **asked).results
    assert result.costs == {"energy": energy.value, "params": params.value}
    assert (result.cost, result.unit) == (energy.value, "mJ")
    (point,) = lab.compute_pareto_front(search_id).front
    assert point.costs == result.costs
    assert point.source == "fitted:hwnasbench, computed"


def test_a_search_for_one_cost_says_it_once(lab: Laboratory) -> None:
    search_id = lab.start_search(device="edgegpu").search_id
    (result,) = lab.submit_architectures(search_id, [SIX]).results
    (point,) = lab.compute_pareto_front(search_id).front
    for told in (result, point, *members(lab, search_id)):
        assert told.cost > 0
        assert "costs" not in told.model_dump(mode="json")


@pytest.mark.parametrize(
    ("objective", "over", "told"),
    [
        (BOTH, "energy", "{value:.4g} mJ is over the limit of {limit:g} mJ"),
        ("latency", "energy", "{value:.4g} mJ energy is over the limit of {limit:g} mJ"),
        ("macs", "latency", "{value:.4g} ms latency is over the limit of {limit:g} ms"),
        (["energy", "macs"], "macs", "{value:.4g} M is over the limit of {limit:g} M"),
        ("energy", "params", "{value:.4g} M parameters are over the limit of {limit:g} M"),
        (BOTH, "macs", "{value:.4g} M MACs are over the limit of {limit:g} M"),
    ],
)
def test_what_is_over_a_limit_is_refused_with_the_cost_that_is_too_high(
    lab: Laboratory, objective: Any, over: Objective, told: str
) -> None:
    device = None if over in ANYWHERE else "edgegpu"
    asked: dict[str, Any] = {"space": SPACE.name, "dataset": "cifar10", "data": lab.settings.data}
    (cost,) = query_cost([SIX], device=device, objective=over, **asked).results
    assert cost.value
    for part, unsure in ((0.5, ""), (0.9999, f", by less than its error of {cost.error:.1%}" if cost.error else "")):
        limit = part * cost.value
        limits = Limits(**{over: limit})
        search_id = lab.start_search(device="edgegpu", objective=objective, limits=limits).search_id
        (result,) = lab.submit_architectures(search_id, [SIX]).results
        assert (result.status, result.score) == ("refused", None)
        assert result.reason == told.format(value=cost.value, limit=limit) + unsure


@pytest.mark.parametrize(
    ("asked", "goal"),
    [
        (
            {"objective": BOTH, "limits": Limits(energy=60, params=1)},
            "a high zero-cost score, a low latency and a low energy of at most 60 mJ on edgegpu, with at most 1 M"
            " parameters.",
        ),
        (
            {"objective": ["params", "latency"], "limits": Limits(macs=100, energy=60)},
            "a high zero-cost score, a low number of parameters and a low latency on edgegpu, with at most 60 mJ energy"
            " and at most 100 M MACs.",
        ),
        ({"objective": "energy"}, "a high zero-cost score and a low energy on edgegpu."),
        (
            {"objective": "macs", "device": None, "limits": Limits(macs=100)},
            "a high zero-cost score and a low number of MACs of at most 100 M.",
        ),
    ],
)
def test_the_goal_names_every_cost_and_every_limit(lab: Laboratory, asked: dict[str, Any], goal: str) -> None:
    search_id = lab.start_search(**{"device": "edgegpu", "niches": 1, **asked}).search_id
    assert lab.get_brief(search_id, 0).goal == f"Architectures of nasbench201 for cifar10 with {goal}"


def test_effects_are_mined_on_the_score_and_on_each_cost(shared_lab: Laboratory, search_id: str) -> None:
    effects = shared_lab.mine_rules(search_id, 0).effects
    of = {target: [e for e in effects if e.target == target] for target in ("score", *BOTH)}
    assert sum(map(len, of.values())) == len(effects)
    assert len(of["score"]) <= MOST_EFFECTS["score"]
    assert 0 < max(len(of[name]) for name in BOTH) <= MOST_OF_COST
    for name in BOTH:
        found = [m.costs[name] for m in members(shared_lab, search_id, 0)]
        assert all(abs(e.effect) < max(found) - min(found) for e in of[name])
        assert all(e.statement.endswith(f"s {name}") for e in of[name])


def test_a_rule_is_on_the_score_or_on_a_cost_of_the_search_by_its_name(lab: Laboratory) -> None:
    search_id = lab.start_search(device="edgegpu", objective=BOTH, niches=1).search_id
    targets = ["score", "latency", "energy", "cost", "memory"]
    edits = [RuleEdit.model_validate({"action": "add", "statement": name, "target": name}) for name in targets]
    edits.append(RuleEdit(action="revise", rule_id="0.1", target="macs"))
    known = lab.update_knowledge_base(search_id, 0, edits)
    assert [result.status for result in known.results] == ["added"] * 3 + ["refused"] * 3
    assert [result.reason for result in known.results[3:]] == [
        f"target '{name}' is not one of this search: use one of score, latency, energy"
        for name in ("cost", "memory", "macs")
    ]
    assert [rule.target for rule in lab.get_brief(search_id, 0).rules] == targets[:3]


@pytest.mark.parametrize("niche", range(2))
def test_gaps_are_of_the_front_of_the_score_and_each_cost_alone_by_turns(
    shared_lab: Laboratory, search_id: str, niche: int
) -> None:
    own = members(shared_lab, search_id, niche)
    gaps = shared_lab.get_brief(search_id, niche).gaps
    assert {gap.objective for gap in gaps} == {*BOTH}
    assert [gap.objective for gap in gaps[:4]] == BOTH * 2
    for name in BOTH:
        alone = sorted({(m.costs[name], m.score) for m in own})
        front = [
            (cost, score)
            for cost, score in alone
            if all(s < score for c, s in alone if c <= cost and (c, s) != (cost, score))
        ]
        widest = sorted(pairwise(front), key=lambda step: step[0][0] - step[1][0])
        told = [(g.cost_from, g.cost_to, g.score_from, g.score_to) for g in gaps if g.objective == name]
        assert told == [(a[0], b[0], a[1], b[1]) for a, b in widest[: len(told)]]


def test_members_by_cost_are_by_the_first_and_where_that_is_equal_by_the_second(
    shared_lab: Laboratory, search_id: str
) -> None:
    by_cost = [tuple(m.costs.values()) for m in members(shared_lab, search_id, sort="cost")]
    assert by_cost == sorted(by_cost)


def test_a_whole_search_is_the_same_with_the_same_seed_and_another_with_another_cost(
    lab: Laboratory, hand: SimpleNamespace
) -> None:
    fronts = []
    for costs in (BOTH, BOTH, ["latency", "params"]):
        search_id = lab.start_search(device="edgegpu", objective=costs, evaluations=60, niches=2).search_id
        search = hand.play(lab, search_id)
        assert (search.used, search.done) == (60, True)
        fronts.append(lab.compute_pareto_front(search_id))
    assert fronts[0].front == fronts[1].front
    assert [p.architecture for p in fronts[0].front] != [p.architecture for p in fronts[2].front]
    assert 0 < fronts[0].share < 1
