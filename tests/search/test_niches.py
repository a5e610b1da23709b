from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmnas_mcp.errors import LabError
from llmnas_mcp.search.niches import MOST_NICHES, kmeans_1d, partition, silhouette
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import DATASETS, Space
from llmnas_mcp.spaces.reference import reference_of
from tests.thorough import examples

VALUES = st.one_of(
    st.lists(st.integers(0, 40), min_size=1, max_size=10, unique=True),
    st.lists(st.integers(0, 2_000_000), min_size=1, max_size=10, unique=True),
).map(sorted)
PARAMS = st.lists(st.integers(0, 2_000_000), min_size=1, max_size=60)


def spread(values: list[int], starts: list[int]) -> float:
    """The sum of squared distances to the mean of each cluster."""
    clusters = [values[a:b] for a, b in pairwise([*starts, len(values)])]
    return sum(sum((v - sum(c) / len(c)) ** 2 for v in c) for c in clusters)


def clearness(values: list[int], starts: list[int]) -> float:
    """The mean silhouette, point by point."""
    clusters = [values[a:b] for a, b in pairwise([*starts, len(values)])]
    found = []
    for own in clusters:
        for v in own:
            if len(own) == 1:
                found.append(0.0)
                continue
            inside = sum(abs(v - w) for w in own) / (len(own) - 1)
            outside = min(sum(abs(v - w) for w in c) / len(c) for c in clusters if c is not own)
            found.append((outside - inside) / max(inside, outside))
    return sum(found) / len(found)


@given(VALUES, st.data())
def test_no_other_clusters_are_tighter(values: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(values)))
    starts = kmeans_1d(np.array(values), k)
    assert len(starts) == k
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    every = ([0, *cut] for cut in combinations(range(1, len(values)), k - 1))
    best = min(spread(values, cut) for cut in every)
    assert spread(values, starts) == pytest.approx(best, rel=1e-9, abs=1e-3)


@given(VALUES.filter(lambda values: len(values) > 2), st.data())
def test_the_silhouette_is_that_of_its_definition(values: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(2, len(values)))
    starts = kmeans_1d(np.array(values), k)
    assert silhouette(np.array(values), starts) == pytest.approx(clearness(values, starts))


@given(PARAMS, st.one_of(st.none(), st.integers(1, MOST_NICHES)))
def test_niches_are_contiguous_and_every_network_has_exactly_one(params: list[int], count: int | None) -> None:
    if count is not None and count > len(set(params)):
        with pytest.raises(LabError, match=f"niches={count} is not possible: choose 1 to {len(set(params))}"):
            partition(np.array(params), count)
        return
    niches, _ = partition(np.array(params), count)
    assert count in (None, len(niches))
    assert [n.index for n in niches] == list(range(len(niches)))
    assert all(one.high == other.low for one, other in pairwise(niches))
    assert all(sum(n.holds(p) for n in niches) == 1 for p in params)
    assert all(any(n.holds(p) for p in params) for n in niches)


@settings(max_examples=examples(40))
@given(PARAMS, st.randoms(use_true_random=False))
def test_how_often_and_in_which_order_a_complexity_occurs_does_not_move_the_cut(params: list[int], random) -> None:  # type: ignore[no-untyped-def]
    more = params + random.choices(params, k=20)
    random.shuffle(more)
    assert partition(np.array(more)) == partition(np.array(params))


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_nasbench201_falls_into_seven_niches_by_its_number_of_3x3_convolutions(space: Space, dataset: str) -> None:
    cells = reference_of(space, DATASETS[dataset]).genotypes
    params = space.params(cells, DATASETS[dataset])
    niches, how = partition(params)
    assert (len(niches), how) == (7, "clusters")
    convolutions = (cells == space.words[0].index("nor_conv_3x3")).sum(1)
    for niche in niches:
        inside = (niche.low <= params) & (params < niche.high)
        assert set(convolutions[inside]) == {niche.index}


@pytest.mark.parametrize("count", range(1, MOST_NICHES + 1))
def test_a_search_has_as_many_niches_as_told(lab: Laboratory, count: int) -> None:
    started = lab.start_search(device="fpga", niches=count)
    assert [n.niche for n in started.niches] == list(range(count))
    assert sum(n.size for n in started.niches) == 5259


@pytest.mark.parametrize("count", [0, -1, MOST_NICHES + 1, 1000])
def test_an_impossible_number_of_niches_is_refused_with_what_is_possible(lab: Laboratory, count: int) -> None:
    with pytest.raises(LabError, match=f"niches={count} is not possible: choose 1 to 12, or leave it out"):
        lab.start_search(device="fpga", niches=count)
    assert lab.list_searches().total == 0
