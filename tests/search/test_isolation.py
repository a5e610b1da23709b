"""No architecture is ever bred into, or kept by, a niche whose range it is outside."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmnas_mcp import results as r
from llmnas_mcp.devices import cost_of
from llmnas_mcp.errors import LabError
from llmnas_mcp.search.landscape import NO_LIMITS, Limits
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import dataset_shape, get_space
from tests.thorough import examples

SPACE = get_space("nasbench201")
DEVICES = ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
CELLS = st.tuples(*[st.integers(0, 4)] * 6).map(SPACE.format)


def check_belongs(lab: Laboratory, search: r.Search, niche: int, architectures: list[str]) -> None:
    """Each is canonical, has parameters of the niche's range and runs within the limit: all asked afresh."""
    if not architectures:
        return
    cells = [SPACE.parse(a) for a in architectures]
    assert [SPACE.canonical(cell) for cell in cells] == cells
    where = search.niches[niche]
    params = SPACE.params(cells, dataset_shape(search.dataset))
    assert (params >= round(where.params_low_m * 1e6)).all()
    assert (params < round(where.params_high_m * 1e6)).all()
    costs = cost_of(
        SPACE,
        cells,
        device=search.device,
        dataset=search.dataset,
        objective=search.objectives[0],
        data=lab.settings.data,
    ).values
    assert (costs > 0).all()  # NaN, where it cannot run, is not
    assert (costs <= search.limits.get("latency", np.inf)).all()


def check_members(lab: Laboratory, search: r.Search) -> None:
    for niche in search.niches:
        kept = lab.list_niche_members(search.search_id, niche.niche, limit=1000).members
        assert {m.niche for m in kept} <= {niche.niche}
        check_belongs(lab, search, niche.niche, [m.architecture for m in kept])
    assert sum(niche.members for niche in search.niches) == search.used <= search.evaluations


@pytest.mark.thorough
@settings(max_examples=examples(12))
@given(
    device=st.sampled_from(DEVICES),
    dataset=st.sampled_from(["cifar10", "cifar100"]),
    seed=st.integers(0, 2**31 - 1),
    niches=st.one_of(st.none(), st.integers(1, 12)),
    share=st.floats(0.02, 1),
    offspring=st.integers(1, 8),
    evaluations=st.integers(1, 80),
)
@example(
    device="edgegpu", dataset="cifar10", seed=1, niches=None, share=1.0, offspring=1, evaluations=36
)  # niche 0 has no share in one of its rounds
def test_whole_searches_breed_and_keep_within_every_niche(
    shared_lab: Laboratory, hand: SimpleNamespace, share: float, evaluations: int, **asked: Any
) -> None:
    limits = Limits(latency=hand.cost_below(asked["device"], max(1, int(share * 5000)), asked["dataset"]))
    try:
        started = shared_lab.start_search(limits=limits, evaluations=evaluations, **asked)
    except LabError as error:  # fewer complexities within the limit than niches asked for
        most = re.search(r"choose 1 to (\d+)", str(error))
        assert most
        started = shared_lab.start_search(limits=limits, evaluations=evaluations, **asked | {"niches": int(most[1])})
    search = shared_lab.get_search(started.search_id)

    def after(niche: r.NicheInfo, _: int, bred: r.Bred, submission: r.Submission) -> None:
        names = [o.architecture for o in bred.offspring]
        check_belongs(shared_lab, search, niche.niche, names)
        assert [(s.architecture, s.status, s.niche) for s in submission.results] == [
            (name, "kept", niche.niche) for name in names
        ]

    end = hand.play(shared_lab, search.search_id, after=after)
    check_members(shared_lab, end)
    assert end.used == min(evaluations, sum(n.size for n in end.niches))


@settings(max_examples=examples(12))
@given(
    batches=st.lists(st.tuples(st.integers(0, 3), st.lists(CELLS, max_size=12)), max_size=6),
    device=st.sampled_from(DEVICES),
    limited=st.booleans(),
)
def test_architectures_sent_anywhere_are_kept_at_home_or_refused(
    shared_lab: Laboratory, hand: SimpleNamespace, batches: list[tuple[int, list[str]]], device: str, limited: bool
) -> None:
    limits = Limits(latency=hand.cost_below(device, 2500)) if limited else NO_LIMITS
    search_id = shared_lab.start_search(device=device, niches=4, limits=limits, evaluations=40).search_id
    for niche, architectures in batches:
        for result in shared_lab.submit_architectures(search_id, architectures, niche).results:
            assert result.status == "refused" or result.niche == niche
            assert (result.reason is None) == (result.status == "kept")
    check_members(shared_lab, shared_lab.get_search(search_id))


@pytest.mark.parametrize("device", ["edgetpu", "fpga"])
def test_every_cell_has_one_niche_that_takes_it_and_is_refused_by_all_others(lab: Laboratory, device: str) -> None:
    search_id = lab.start_search(device=device, evaluations=2000).search_id
    cells = [SPACE.format(tuple(cell)) for cell in SPACE.distinct()[::97].tolist()]
    taken = dict.fromkeys(cells, 0)
    for niche in range(7):
        for result in lab.submit_architectures(search_id, cells, niche).results:
            taken[result.architecture] += result.status == "kept"
    runs = {SPACE.format(tuple(cell)) for cell in lab.members(search_id)[0].candidates.genotypes.tolist()}
    assert taken == {cell: int(cell in runs) for cell in cells}
