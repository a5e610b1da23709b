"""A search of a space that nobody lists, and objectives that need no device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmnas_mcp.devices import Objective
from llmnas_mcp.errors import LabError
from llmnas_mcp.search.breeding import FRESH, POOL, Ground, breed
from llmnas_mcp.search.landscape import ENOUGH, NO_LIMITS, Landscape, Limits
from llmnas_mcp.search.members import Member, points_of
from llmnas_mcp.search.mining import MOST_PAIRED, mine
from llmnas_mcp.search.niches import partition
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import DATASETS, get_space
from llmnas_mcp.spaces.reference import TRIES, reference_of
from tests.thorough import examples

SPACE, CIFAR100 = get_space("fbnet"), DATASETS["cifar100"]
CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
LIMITS = [NO_LIMITS, Limits(macs=40), Limits(params=1.5), Limits(macs=60, params=2), Limits(macs=12)]
BOTH = ("macs", "params")


def landscape_of(*objectives: Objective) -> Landscape:
    return Landscape(SPACE, CIFAR100, None, objectives or ("macs",), Path("no tables"), "params")


def members_of(landscape: Landscape, genotypes: list[tuple[int, ...]], niche: int = 0) -> list[Member]:
    costs, params = map(tuple, landscape.costs(genotypes).values.tolist()), landscape.params(genotypes).tolist()
    scores = landscape.scores(genotypes).score.tolist()
    return [
        Member(SPACE.format(g), g, niche, 1, score, own, size, "test", ("test",) * len(own))
        for g, score, own, size in zip(genotypes, scores, costs, params, strict=True)
    ]


@pytest.mark.parametrize("objectives", [("macs",), BOTH])
@pytest.mark.parametrize("limits", LIMITS)
def test_candidates_are_within_the_limits_and_reach_from_the_least_to_the_most(
    limits: Limits, objectives: tuple[Objective, ...]
) -> None:
    landscape = landscape_of(*objectives)
    known = landscape.candidates(limits)
    assert (landscape.excess(known.genotypes, limits) == 0).all()
    assert len(known.genotypes) > 0.8 * ENOUGH  # a few of those that are looked for may be found twice
    assert len({tuple(g) for g in known.genotypes.tolist()}) == len(known.genotypes) == len(known.weights)
    assert (known.costs == landscape.costs(known.genotypes).values).all()
    assert known.scale.low == landscape.candidates(NO_LIMITS).scale.low
    assert not known.complete


def test_a_limit_below_everything_sampled_is_met_if_anything_meets_it() -> None:
    landscape = landscape_of()
    sampled = SPACE.macs(landscape.reference.genotypes, CIFAR100).min() / 1e6
    (least,) = landscape.candidates(NO_LIMITS).scale.low
    assert least < sampled
    assert len(landscape.candidates(Limits(macs=least)).genotypes) >= 1
    assert landscape.candidates(Limits(macs=(least + sampled) / 2)).scale.low == (least,)
    with pytest.raises(LabError, match=rf"at most 1 M MACs \(the least there is: {least:.3g}\)\. Raise the limit"):
        landscape.candidates(Limits(macs=1))


@pytest.mark.parametrize("limits", LIMITS)
def test_the_work_does_not_grow_with_the_size_of_the_space(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    reference_of(SPACE, CIFAR100)  # made once in a process
    counted: list[int] = []
    plain = type(SPACE).params

    def params(self: Any, genotypes: Any, dataset: Any) -> Any:
        counted.append(len(genotypes))
        return plain(self, genotypes, dataset)

    monkeypatch.setattr(type(SPACE), "params", params)
    landscape = landscape_of()
    known = landscape.candidates(limits)
    niche = partition(known.params)[0][0]
    own = known.genotypes[(known.params >= niche.low) & (known.params < niche.high)]
    ground = Ground(landscape, limits, niche, known.scale)
    members = members_of(landscape, [tuple(g) for g in own.tolist()])
    front = points_of(members, known.scale)
    counted.clear()
    assert breed(ground, members[:8], front, [], 20, np.random.default_rng(0))
    fresh = breed(ground, [], np.empty((0, 2)), [], 20, np.random.default_rng(0))
    assert fresh
    assert len(counted) < 3 * TRIES + 20
    assert sum(counted) < (POOL + 2 * 20 * FRESH) * (TRIES + 1) + 2000


@settings(max_examples=examples(40))
@given(
    objectives=st.sampled_from([("macs",), BOTH]),
    limits=st.sampled_from(LIMITS[:4]),
    at=st.integers(0, 11),
    first=st.integers(0, 12),
    seed=st.integers(0, 99),
)
def test_all_that_is_bred_is_new_canonical_in_the_niche_and_within_the_limits(
    objectives: tuple[Objective, ...], limits: Limits, at: int, first: int, seed: int
) -> None:
    landscape = landscape_of(*objectives)
    known = landscape.candidates(limits)
    niches = partition(known.params)[0]
    niche = niches[at % len(niches)]
    inside = (known.params >= niche.low) & (known.params < niche.high)
    members = members_of(landscape, [tuple(g) for g in known.genotypes[inside][:first].tolist()], niche.index)
    if niche.index > 0 and first:  # whatever was found next door is found again nowhere
        below = known.genotypes[known.params < niche.low][-first:]
        members += members_of(landscape, [tuple(g) for g in below.tolist()], niche.index - 1)
    front = points_of(members, known.scale)
    ground = Ground(landscape, limits, niche, known.scale)
    bred = [p.genotype for p in breed(ground, members, front, [], 9, np.random.default_rng(seed))]
    assert 0 < len(bred) == len(set(bred)) <= 9
    assert not set(bred) & {m.genotype for m in members}
    assert [SPACE.canonical(genotype) for genotype in bred] == bred
    params = landscape.params(bred)
    assert ((params >= niche.low) & (params < niche.high)).all()
    macs = SPACE.macs(bred, CIFAR100) / 1e6
    for value, most in ((macs, limits.macs), (params / 1e6, limits.params)):
        assert most is None or (value <= most).all()


@pytest.mark.parametrize("objective", ["macs", "params"])
def test_an_objective_that_is_counted_needs_no_device_and_has_no_error(lab: Laboratory, objective: str) -> None:
    started = lab.start_search(objective=objective)  # type: ignore[arg-type]
    assert started.search_id.startswith(f"{objective}-cifar10-")
    assert started.units == ["M"]
    (kept,) = lab.submit_architectures(started.search_id, [CELL]).results
    cells = get_space("nasbench201")
    counted = getattr(cells, objective)([cells.parse(CELL)], DATASETS["cifar10"])[0] / 1e6
    assert (kept.status, kept.cost, kept.unit) == ("kept", counted, "M")
    (point,) = lab.compute_pareto_front(started.search_id).front
    assert (point.cost, point.source) == (counted, "computed")


def test_what_is_over_a_limit_of_work_or_parameters_or_constant_is_refused_with_the_reason(lab: Laboratory) -> None:
    cells = get_space("nasbench201")
    six, nothing = cells.format((3,) * 6), cells.format((0,) * 6)
    one = lab.start_search(device="fpga", limits=Limits(macs=100)).search_id
    two = lab.start_search(device="fpga", limits=Limits(params=1)).search_id
    told = [lab.submit_architectures(i, [six, nothing, CELL]).results for i in (one, two)]
    assert [result.status for results in told for result in results] == ["refused", "refused", "kept"] * 2
    assert (told[0][0].reason or "").endswith("M MACs are over the limit of 100 M")
    assert (told[1][0].reason or "").endswith("M parameters are over the limit of 1 M")
    assert {results[1].reason for results in told} == {"its output does not depend on its input"}
    assert lab.get_search(two).limits == {"params": 1}
    assert lab.get_brief(one, 0).limits == {"macs": 100}


def test_of_many_choices_the_strongest_alone_make_pairs() -> None:
    landscape = landscape_of()
    members = members_of(landscape, [tuple(g) for g in landscape.reference.genotypes.tolist()])
    effects = mine(SPACE, members, [m.costs[0] for m in members], "cost", 100_000)
    singles = {tuple(e.pattern.items()) for e in effects if len(e.pattern) == 1}
    paired = {item for e in effects if len(e.pattern) == 2 for item in e.pattern.items()}
    assert len(singles) > MOST_PAIRED >= len(paired) > 0
