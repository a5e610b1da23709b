"""Searches for one cost or two, with limits on any: all they keep is within these, and their fronts are fronts."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from llmnas_mcp import results as r
from llmnas_mcp.devices import ANYWHERE, DEVICES, Objective, cost_of
from llmnas_mcp.pareto import unit_hypervolume
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import Genotypes, Space, dataset_shape, get_space
from llmnas_mcp.spaces.reference import reference_of
from tests.thorough import examples

COUNTED: list[Objective] = ["macs", "params"]


def costs_of(
    space: Space, genotypes: Genotypes, dataset: str, device: str | None, objective: Objective
) -> NDArray[np.float64]:
    """What architectures cost, asked of no search."""
    where = None if objective in ANYWHERE else device
    return cost_of(space, genotypes, device=where, dataset=dataset, objective=objective, data=Path("nowhere")).values


@cache
def costs_of_reference(space: str, dataset: str, device: str | None, objective: Objective) -> NDArray[np.float64]:
    genotypes = reference_of(get_space(space), dataset_shape(dataset)).genotypes
    return costs_of(get_space(space), genotypes, dataset, device, objective)


@st.composite
def settings_of_a_search(draw: st.DrawFn) -> dict[str, Any]:
    """One or two costs to keep low, and limits on any, within which at least one architecture is."""
    space, dataset = draw(st.sampled_from([("nasbench201", "cifar10"), ("fbnet", "cifar100")]))
    device = draw(st.sampled_from(list(DEVICES))) if space == "nasbench201" else None
    priced: list[Objective] = ["latency"] if device else []
    priced += ["energy"] if device and DEVICES[device].energy else []
    names = st.sampled_from(priced + COUNTED)
    objectives = draw(st.lists(names, min_size=1, max_size=2, unique=True))
    limited = draw(st.lists(names, max_size=4, unique=True))
    if not {*priced} & {*objectives, *limited}:
        device = None
    costs = {name: costs_of_reference(space, dataset, device, name) for name in {*objectives, *limited}}
    able = np.flatnonzero(np.isfinite(sum(costs.values())))
    within = able[draw(st.integers(0, len(able) - 1))]
    room = draw(st.sampled_from([1.0, 1.5]))
    return {
        **{"space": space, "dataset": dataset, "device": device, "objective": objectives},
        "limits": Limits(**{name: room * float(costs[name][within]) for name in limited}),
        "scored_by": "params" if space == "fbnet" else "zero-cost",  # so that nothing is measured
        "seed": draw(st.integers(0, 99)),
    }


def costs_told(search: r.Search, point: r.MemberInfo | r.FrontPoint) -> tuple[float, ...]:
    """A point's costs by the search's objectives; a search for one says it once."""
    several = tuple(point.costs.values()) or (point.cost,)
    assert (several[0], point.unit) == (point.cost, search.units[0])
    assert list(point.costs) == (search.objectives if len(search.objectives) > 1 else [])
    return several


def check_within(search: r.Search, points: list[Any]) -> None:
    """Each costs what it is said to cost, and no more than is allowed."""
    space = get_space(search.space)
    genotypes = [space.parse(point.architecture) for point in points]
    told = np.array([costs_told(search, point) for point in points])
    for name in {*search.objectives, *search.limits}:
        costs = costs_of(space, genotypes, search.dataset, search.device, name)
        assert (costs <= search.limits.get(name, math.inf)).all()  # NaN, where one cannot run, is not
        if name in search.objectives:
            assert costs.tolist() == told[:, search.objectives.index(name)].tolist()


def scaled(search: r.Search, points: list[Any]) -> NDArray[np.float64]:
    """By the definition: each cost from 0 to 1 over its range, and 1 - score."""
    low, high = np.array(search.cost_low), np.array(search.cost_high)
    costs = np.array([costs_told(search, point) for point in points])
    return np.column_stack([(costs - low) / np.maximum(high - low, 1e-12), [1 - point.score for point in points]])


@settings(max_examples=examples(40))
@given(asked=settings_of_a_search())
def test_limits_on_any_cost_hold_in_every_search_and_its_front_is_what_nothing_in_it_beats(
    shared_lab: Laboratory, hand: SimpleNamespace, asked: dict[str, Any]
) -> None:
    search_id = shared_lab.start_search(**asked, offspring=2).search_id
    space = get_space(asked["space"])
    strangers = space.sample(6, np.random.default_rng(asked["seed"])).tolist()

    def after(niche: r.NicheInfo, _: int, __: r.Bred, submission: r.Submission) -> None:
        assert {result.status for result in submission.results} <= {"kept", "duplicate"}
        shared_lab.submit_architectures(search_id, [space.format(tuple(own)) for own in strangers], niche.niche)

    search = hand.play(shared_lab, search_id, rounds=2, after=after)
    members = shared_lab.list_niche_members(search_id, limit=1000).members
    front = shared_lab.compute_pareto_front(search_id)
    assert len(members) == search.used > 0
    check_within(search, members)
    check_within(search, front.front)
    points, best = scaled(search, members), scaled(search, [point for point in front.front if not point.near])
    for point in best:
        assert not ((points <= point).all(1) & (points < point).any(1)).any()
    for point in points:
        assert (best <= point).all(1).any()
    assert front.hypervolume == pytest.approx(unit_hypervolume(points))
    assert front.hypervolume == pytest.approx(unit_hypervolume(best))
    assert front.hypervolume == search.hypervolume == search.history[-1].hypervolume
    if space.size < 1e6:  # all of it lies on the scale
        assert ((points >= 0) & (points <= 1)).all()
        assert front.share is not None
        assert 0 <= front.share <= 1 + 1e-9
