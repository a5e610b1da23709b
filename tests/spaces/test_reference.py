"""What stands for a space that nobody lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp.spaces import DATASETS, Genotypes, get_space
from llmnas_mcp.spaces.reference import SAMPLE, descend, reference_of, repair

FBNET, CELLS = get_space("fbnet"), get_space("nasbench201")
CIFAR100 = DATASETS["cifar100"]
FBNETS = st.tuples(*[st.integers(0, 8)] * 22)


def test_a_small_space_is_its_own_reference_but_for_what_is_constant() -> None:
    reference = reference_of(CELLS, DATASETS["cifar10"])
    assert reference.complete
    assert len(reference.genotypes) == len(reference.rows) == 5259
    assert reference.weights.sum() == 15_625 - 341
    assert not any(map(CELLS.constant, reference.rows))


@pytest.mark.parametrize("dataset", ["cifar100", "imagenet"])
def test_a_sampled_reference_covers_the_range_of_complexity_with_both_ends(dataset: str) -> None:
    reference = reference_of(FBNET, DATASETS[dataset])
    assert not reference.complete
    assert SAMPLE / 2 < len(reference.genotypes) <= SAMPLE
    assert reference.genotypes.tolist() == sorted(map(list, map(FBNET.canonical, reference.rows)))
    assert reference.params.tolist() == FBNET.params(reference.genotypes, DATASETS[dataset]).tolist()
    # Parameters are a sum over layers, so the ends are what each layer makes least and most of.
    ends = []
    for pick in (np.argmin, np.argmax):
        layers = [[(0,) * i + (op,) + (0,) * (21 - i) for op in range(9)] for i in range(22)]
        best = tuple(int(pick(FBNET.params(options, DATASETS[dataset]))) for options in layers)
        ends.append(int(FBNET.params([best], DATASETS[dataset])[0]))
    assert [reference.params.min(), reference.params.max()] == ends
    steps = np.histogram(np.log(reference.params), 10)[0]
    assert (steps > 0).all()


def test_a_sampled_reference_is_the_same_every_time() -> None:
    one = reference_of(FBNET, CIFAR100)
    reference_of.cache_clear()
    np.random.seed(7)
    two = reference_of(FBNET, CIFAR100)
    assert one is not two
    assert (one.genotypes == two.genotypes).all()
    assert (one.weights == two.weights).all()


@given(FBNETS, st.floats(0.5e6, 4e6), st.floats(1, 2), st.integers(0, 99))
def test_what_is_repaired_lies_in_the_range_and_is_canonical(
    genotype: tuple[int, ...], low: float, times: float, seed: int
) -> None:
    start = FBNET.canonical(genotype)
    (found,) = repair(FBNET, [start], low, low * times, CIFAR100, np.random.default_rng(seed))
    assert [found] == repair(FBNET, [start], low, low * times, CIFAR100, np.random.default_rng(seed))
    if found is not None:
        assert low <= FBNET.params([found], CIFAR100)[0] < low * times
        assert FBNET.canonical(found) == found
    own = int(FBNET.params([start], CIFAR100)[0])
    assert repair(FBNET, [start], own, own + 1, CIFAR100, np.random.default_rng(seed)) == [start]
    assert repair(FBNET, [start], low, low, CIFAR100, np.random.default_rng(seed)) == [None]


def test_most_architectures_are_brought_into_a_range_that_has_some() -> None:
    rng = np.random.default_rng(0)
    drawn = [FBNET.canonical(tuple(row)) for row in FBNET.sample(50, rng).tolist()]
    found = repair(FBNET, drawn, 1.2e6, 1.4e6, CIFAR100, rng)
    assert sum(genotype is not None for genotype in found) > 25


@given(FBNETS)
def test_descending_ends_at_the_least_of_a_sum_over_positions_wherever_it_begins(genotype: tuple[int, ...]) -> None:
    def params(genotypes: Genotypes) -> np.ndarray:
        return FBNET.params(genotypes, CIFAR100).astype(float)

    found = descend(FBNET, genotype, params)
    assert params([found])[0] == reference_of(FBNET, CIFAR100).params.min()
    assert (
        params([descend(FBNET, genotype, lambda rows: -params(rows))])[0] == reference_of(FBNET, CIFAR100).params.max()
    )


def test_descending_never_takes_what_has_no_value_or_is_constant() -> None:
    def odd(genotypes: Genotypes) -> np.ndarray:
        found = FBNET.params(genotypes, CIFAR100).astype(float)
        return np.where(np.asarray(genotypes)[:, 0] == 8, np.nan, found)

    found = descend(FBNET, (0,) * 22, odd)
    assert found[0] != 8
    assert not np.isnan(odd([found])[0])
    cell = descend(CELLS, (3,) * 6, lambda rows: CELLS.params(rows, CIFAR100).astype(float))
    assert not CELLS.constant(cell)
