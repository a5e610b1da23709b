"""Neighbours, mutation, crossover, samples, indices: what a space offers to those who walk in it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp.spaces import Genotype, Space, get_space

SPACE = get_space("nasbench201")
CELLS = st.tuples(*[st.integers(0, 4)] * 6)
SEEDS = st.integers(0, 2**32)


def test_indices_count_the_genotypes_in_order(space: Space, cells: list[Genotype]) -> None:
    assert len(cells) == len(set(cells)) == space.size == 15_625
    assert space.index_of(cells).tolist() == list(range(15_625))
    assert space.index_of(np.array(cells[::-1])).tolist() == list(range(15_625))[::-1]


def test_no_genotypes_have_no_indices(space: Space) -> None:
    assert space.index_of([]).tolist() == []


@pytest.mark.parametrize("cell", [(5, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, -1)])
def test_what_is_no_genotype_has_no_index(space: Space, cell: Genotype) -> None:
    with pytest.raises(ValueError, match="invalid entry"):
        space.index_of([cell])


@given(CELLS)
def test_a_cell_has_24_neighbours_that_differ_at_exactly_one_edge(cell: Genotype) -> None:
    neighbours = SPACE.neighbours(cell)
    assert len(set(neighbours)) == 24
    assert all(sum(a != b for a, b in zip(cell, other, strict=True)) == 1 for other in neighbours)


@given(st.lists(CELLS, max_size=20), SEEDS)
def test_a_mutated_cell_differs_at_exactly_one_edge(cells: list[Genotype], seed: int) -> None:
    parents = np.array(cells, dtype=int).reshape(-1, 6)
    before = parents.copy()
    mutated = SPACE.mutate(parents, np.random.default_rng(seed))
    assert mutated.shape == parents.shape
    assert ((mutated != parents).sum(1) == 1).all()
    assert ((mutated >= 0) & (mutated < 5)).all()
    assert (parents == before).all()


def test_every_neighbour_is_as_likely_a_mutation_as_any_other(space: Space) -> None:
    cell = (3, 0, 3, 1, 0, 2)
    drawn = Counter(map(tuple, space.mutate([cell] * 24_000, np.random.default_rng(0)).tolist()))
    assert set(drawn) == set(space.neighbours(cell))
    assert all(abs(n - 1000) < 5 * 31 for n in drawn.values())  # five standard deviations


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=20), SEEDS)
def test_a_crossed_cell_has_every_edge_from_one_parent_or_the_other(
    pairs: list[tuple[Genotype, Genotype]], seed: int
) -> None:
    ones, others = (np.array(parents) for parents in zip(*pairs, strict=True))
    before = ones.copy(), others.copy()
    crossed = SPACE.crossover(ones, others, np.random.default_rng(seed))
    assert ((crossed == ones) | (crossed == others)).all()
    assert (ones == before[0]).all()
    assert (others == before[1]).all()


def test_crossover_takes_each_edge_from_either_parent_equally_often(space: Space) -> None:
    crossed = space.crossover([(0,) * 6] * 4000, [(1,) * 6] * 4000, np.random.default_rng(0))
    assert len(set(map(tuple, crossed.tolist()))) == 64
    assert (np.abs(crossed.mean(0) - 0.5) < 5 * 0.5 / 4000**0.5).all()


@given(st.integers(0, 50), SEEDS)
def test_a_sample_is_of_genotypes_and_as_large_as_asked(count: int, seed: int) -> None:
    sample = SPACE.sample(count, np.random.default_rng(seed))
    assert sample.shape == (count, 6)
    assert ((sample >= 0) & (sample < 5)).all()


def test_a_sample_is_uniform_over_the_operations_of_every_edge(space: Space) -> None:
    sample = space.sample(10_000, np.random.default_rng(0))
    shares = np.stack([(sample == op).mean(0) for op in range(5)])
    assert (np.abs(shares - 0.2) < 5 * 0.4 / 100).all()


def test_the_same_seed_walks_the_same_way_and_another_seed_another(space: Space) -> None:
    def walk(seed: int) -> list[list[int]]:
        rng = np.random.default_rng(seed)
        first, second = space.sample(5, rng), space.sample(5, rng)
        return space.mutate(space.crossover(first, second, rng), rng).tolist()

    assert walk(7) == walk(7)
    assert walk(7) != walk(8)
