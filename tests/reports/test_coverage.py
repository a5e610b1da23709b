"""What part of a space searches have reached: the numbers, whose designs count, the picture."""

from __future__ import annotations

import io
from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from llmnas_mcp.errors import LabError, NotFoundError
from llmnas_mcp.reports import compare_coverage, plot_coverage
from llmnas_mcp.reports.coverage import Coverage, spread
from llmnas_mcp.results import BRED, Origin
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.niches import partition
from llmnas_mcp.search.service import Laboratory

ASKING = ("plain-prompt", "claude")
DESIGNED = Origin(operator="fresh", reason="it is strong")
VALUES = st.lists(st.floats(-10, 110, allow_subnormal=False), max_size=40)
EDGES = st.lists(st.integers(0, 100), min_size=2, max_size=12, unique=True).map(sorted)


def begin(lab: Laboratory, operator: str, designs: int = 0, **settings: object) -> str:
    """A search with so many designs, the largest architectures there are."""
    asked = {"device": "fpga", "evaluations": 5000, "niches": 1, "operator": operator, **settings}
    search_id = lab.start_search(**asked).search_id
    handle, _ = lab.members(search_id)
    known = handle.candidates
    largest = known.genotypes[np.argsort(known.params, kind="stable")][len(known.params) - designs :]
    names = [handle.space.format(tuple(genotype)) for genotype in largest.tolist()]
    for i in range(0, designs, 1000):
        part = names[i : i + 1000]
        lab.submit_architectures(search_id, part, origins=[DESIGNED] * len(part))
    return search_id


def add_bred(lab: Laboratory, search_id: str, count: int) -> None:
    bred = lab.breed_architectures(search_id, 0, count).offspring
    lab.submit_architectures(search_id, [o.architecture for o in bred], origins=[o.origin for o in bred])


def coverage(lab: Laboratory, search_id: str) -> Coverage:
    return compare_coverage(lab, [search_id], ASKING).searches[0]


@given(VALUES, EDGES)
def test_every_value_lies_in_one_bin_and_the_rest_follows_from_the_counts(
    values: list[float], edges: list[int]
) -> None:
    found, bins = spread(values, edges), len(edges) - 1
    plain = [min(max(bisect_right(edges, value) - 1, 0), bins - 1) for value in values]
    assert found.counts == [plain.count(i) for i in range(bins)]
    assert found.reached == len(set(plain))
    assert found.share == found.reached / bins
    assert found.fullest == (max(found.counts) / len(values) if values else None)


@given(VALUES, VALUES, EDGES)
def test_more_designs_never_reach_less(values: list[float], more: list[float], edges: list[int]) -> None:
    assert spread(values + more, edges).reached >= max(spread(values, edges).reached, spread(more, edges).reached)


@given(st.lists(st.integers(1, 10**7), min_size=2, max_size=60))
def test_niches_are_counted_as_a_search_would_fill_them(params: list[int]) -> None:
    niches, _ = partition(np.array(params))
    counts = [sum(niche.holds(value) for value in params) for niche in niches]
    assert spread(params, [n.low for n in niches] + [niches[-1].high]).counts == counts


def test_one_design_reaches_one_range_and_one_niche_of_the_space(lab: Laboratory) -> None:
    compared = compare_coverage(lab, [begin(lab, "plain-prompt", 1)], ASKING)
    (one,) = compared.searches
    (ranges,) = one.ranges
    assert ranges.counts == [0] * 9 + [1]
    assert one.niches.counts == [0] * 6 + [1]
    assert (ranges.share, one.niches.share, ranges.fullest) == (0.1, 1 / 7, 1.0)
    started = lab.start_search(device="fpga")
    assert len(compared.niche_edges) == len(started.niches) + 1
    assert compared.space_niches.counts == [n.size for n in started.niches]


def test_a_search_of_all_that_can_run_lies_as_the_space_does(lab: Laboratory) -> None:
    handle, _ = lab.members(begin(lab, "claude"))
    limit = float(np.quantile(handle.candidates.costs, 0.2))
    within = int((handle.candidates.costs <= limit).sum())
    compared = compare_coverage(lab, [begin(lab, "claude", within, limits=Limits(latency=limit))], ASKING)
    assert compared.searches[0].designs == within
    assert compared.searches[0].ranges == compared.space_ranges
    assert compared.searches[0].niches == compared.space_niches
    assert sum(compared.space_ranges[0].counts) == sum(compared.space_niches.counts) == within


def test_what_was_bred_in_place_of_designs_does_not_count(lab: Laboratory) -> None:
    search_id = begin(lab, "plain-prompt", 12)
    before = coverage(lab, search_id)
    add_bred(lab, search_id, 60)
    after = coverage(lab, search_id)
    assert (before.designs, before.bred) == (12, 0)
    assert after == before.model_copy(update={"bred": 60})


@pytest.mark.parametrize("operator", ["evolution", "conversation"])
def test_where_breeding_was_the_choice_all_counts(lab: Laboratory, operator: str) -> None:
    search_id = begin(lab, operator, 12)
    add_bred(lab, search_id, 60)
    found = coverage(lab, search_id)
    assert (found.designs, found.bred) == (72, 0)
    assert found.ranges[0].reached > coverage(lab, begin(lab, "claude", 12)).ranges[0].reached


def test_a_model_without_one_useful_design_has_reached_nothing(lab: Laboratory) -> None:
    search_id = begin(lab, "claude")
    add_bred(lab, search_id, 30)
    compared = compare_coverage(lab, [search_id], ASKING)
    (found,) = compared.searches
    assert (found.designs, found.bred) == (0, 30)
    assert (found.ranges[0].reached, found.niches.reached, found.ranges[0].fullest) == (0, 0, None)
    assert plot_coverage(compared)


def test_everything_bred_says_so_in_an_empty_niche_too(lab: Laboratory) -> None:
    search_id = begin(lab, "evolution")
    for _ in range(2):
        add_bred(lab, search_id, 40)
    origins = lab.origins(search_id)
    assert origins.keys() == {m.architecture for m in lab.members(search_id)[1]}
    assert {origin.reason for origin in origins.values()} == {BRED}
    assert {origin.operator for origin in origins.values()} == {"fresh", "mutation", "crossover"}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("device", {"device": "pixel3"}),
        ("dataset", {"dataset": "cifar100"}),
        ("objectives", {"objective": "energy"}),
        ("objectives", {"objective": ["latency", "energy"]}),
        ("limits", {"limits": Limits(latency=50.0)}),
        ("limits", {"limits": Limits(macs=500.0)}),
    ],
)
def test_searches_with_other_ranges_are_not_compared(lab: Laboratory, name: str, other: dict[str, object]) -> None:
    one, two = begin(lab, "claude", 3), begin(lab, "claude", 3, **other)
    with pytest.raises(LabError, match=f"differ in {name}: {one} has .*{two} has"):
        compare_coverage(lab, [one, two], ASKING)


def test_what_cannot_be_compared_is_refused_with_the_reason(lab: Laboratory) -> None:
    full, empty = begin(lab, "claude", 3), begin(lab, "claude")
    for ids, said in (
        ([], "give 1 to 20"),
        ([full] * 21, "give 1 to 20"),
        ([full, full], "more than once"),
        ([full, empty], f"{empty} has no evaluations"),
    ):
        with pytest.raises(LabError, match=said):
            compare_coverage(lab, ids, ASKING)
    with pytest.raises(NotFoundError, match="no search 'nowhere'"):
        compare_coverage(lab, [full, "nowhere"], ASKING)


def test_a_search_for_two_costs_has_ranges_of_both_and_a_picture_of_each(lab: Laboratory) -> None:
    both = {"device": "edgegpu", "objective": ["latency", "energy"], "limits": Limits(params=1)}
    ids = [begin(lab, name, 0, **both) for name in ("evolution", "claude")]
    for search_id in ids:
        add_bred(lab, search_id, 40)
    compared = compare_coverage(lab, ids, ())
    assert (compared.objectives, compared.units, compared.limits) == (
        ["latency", "energy"],
        ["ms", "mJ"],
        {"params": 1},
    )
    assert [len(edges) for edges in compared.range_edges] == [11, 11]
    size = sum(compared.space_niches.counts)
    assert [sum(spread_.counts) for spread_ in compared.space_ranges] == [size] * 2
    for search_id, found in zip(ids, compared.searches, strict=True):
        members = lab.members(search_id)[1]
        for i, own in enumerate(found.ranges):
            assert own == spread([m.costs[i] for m in members], compared.range_edges[i])
    with Image.open(io.BytesIO(plot_coverage(compared))) as picture:
        assert picture.size == (2400, 200 + 340 * 2)
    other = begin(lab, "claude", 1, **both | {"objective": ["energy", "latency"]})
    with pytest.raises(LabError, match=r"differ in objectives: .* has latency, energy, .* has energy, latency"):
        compare_coverage(lab, [ids[0], other], ())


@pytest.mark.thorough
@pytest.mark.parametrize(
    "operators", [("claude",), ("plain-prompt", "a name of $x_{$ one's own, as long as it may be", "evolution")]
)
def test_the_picture_has_a_row_for_every_search_whatever_its_name(lab: Laboratory, operators: tuple[str, ...]) -> None:
    compared = compare_coverage(lab, [begin(lab, name, 9) for name in operators], ASKING)
    with Image.open(io.BytesIO(plot_coverage(compared))) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert picture.size == (1600, 200 + 340 * len(operators))
        assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 10
    assert plot_coverage(compared) == plot_coverage(compared)
