"""Searches that go by memory, which only an imported table tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from llmnas_mcp.devices.tables import import_table
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import DATASETS, get_space
from llmnas_mcp.spaces.reference import reference_of

SPACE = get_space("nasbench201")
CELLS = [tuple(cell) for cell in reference_of(SPACE, DATASETS["cifar10"]).genotypes[::222].tolist()]
MEMORY = {SPACE.format(cell): 1.5 + sum(cell) / 7 + i / 1000 for i, cell in enumerate(CELLS)}
OTHER = SPACE.format(tuple(reference_of(SPACE, DATASETS["cifar10"]).genotypes[1].tolist()))


@pytest.fixture(autouse=True)
def imported(settings: SimpleNamespace, write: Callable[..., Path]) -> None:
    """A table of the memory that a few cells take on a Raspberry Pi: too small for a model of the others."""
    rows = [{"arch_str": name, "raspi4_memory": memory} for name, memory in MEMORY.items()]
    import_table(write("sram_cifar10.csv", rows), SPACE, settings.data)


def test_a_search_by_memory_is_of_what_the_table_has(lab: Laboratory, hand: SimpleNamespace) -> None:
    started = lab.start_search(device="raspi4", objective="memory", niches=2)
    assert started.units == ["MB"]
    assert sum(niche.size or 0 for niche in started.niches) == len(MEMORY) == 24
    hand.play(lab, started.search_id)
    members = lab.list_niche_members(started.search_id, limit=1000).members
    assert {m.architecture: m.cost for m in members} == MEMORY
    assert {(m.unit, m.source) for m in members} == {("MB", "table:sram_cifar10")}
    front = lab.compute_pareto_front(started.search_id)
    assert front.share == pytest.approx(1)
    assert min(point.cost for point in front.front) == min(MEMORY.values())
    (refused,) = lab.submit_architectures(started.search_id, [OTHER]).results
    assert (refused.status, refused.cost, refused.unit) == ("refused", None, "MB")
    assert "table sram_cifar10 does not have this one" in (refused.reason or "")


def test_memory_may_be_one_of_two_costs_or_limited_in_a_search_for_another(
    lab: Laboratory, hand: SimpleNamespace
) -> None:
    limit = sorted(MEMORY.values())[10]
    within = {name for name, memory in MEMORY.items() if memory <= limit}
    both = lab.start_search(device="raspi4", objective=["latency", "memory"], niches=1).search_id
    limited = lab.start_search(device="raspi4", limits=Limits(memory=limit), niches=1).search_id
    for search_id, expected in ((both, {*MEMORY}), (limited, within)):
        hand.play(lab, search_id)
        assert {m.architecture for m in lab.members(search_id)[1]} == expected
    for member in lab.list_niche_members(both, limit=1000).members:
        assert member.costs["memory"] == MEMORY[member.architecture]
        assert member.source == "fitted:hwnasbench, table:sram_cifar10"
    big, unknown = max(MEMORY, key=MEMORY.__getitem__), OTHER
    told = [result.reason for result in lab.submit_architectures(limited, [big, unknown]).results]
    assert told[0] == f"{MEMORY[big]:.4g} MB memory is over the limit of {limit:g} MB"
    assert "table sram_cifar10 does not have this one" in (told[1] or "")


def test_a_limit_on_memory_below_all_that_is_known_is_refused_with_the_least(lab: Laboratory) -> None:
    least = min(MEMORY.values())
    with pytest.raises(Exception, match=rf"at most 1 MB memory \(the least there is: {least:.3g}\) on raspi4"):
        lab.start_search(device="raspi4", limits=Limits(memory=1))
