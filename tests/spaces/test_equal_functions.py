"""Cells of one class compute the same function, those of two do not: shown by computing, not by the product's strings.

Two networks are equal when the live convolutions of one can be paired with those of the other, kernel by kernel, so
that with the same weights they compute the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from itertools import permutations, product
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from llmnas_mcp.spaces import DATASETS, Genotype, Space, get_space
from llmnas_mcp.spaces.nasbench201.encoding import EDGES
from tests.thorough import examples

SPACE, CIFAR = get_space("nasbench201"), DATASETS["cifar10"]
NONE, SKIP, CONV1, CONV3, POOL = range(5)
CELLS = st.tuples(*[st.integers(0, 4)] * 6)
CELL = st.integers(0, 4)
# The example: the convolutions into node 1 and of edge 0->3 read the same, and are two.
FOUR, THREE = (3, 0, 3, 3, 0, 3), (3, 0, 3, 0, 1, 3)

PRIME = 2**61 - 1
WEIGHTS = {CONV1: [3**40 + i for i in range(6)], CONV3: [5**25 + 7 * i for i in range(6)]}


def linear_pool(x: int) -> int:
    return 11**17 * x % PRIME


def other_pool(x: int) -> int:
    return pow(x, 5, PRIME)


def value(cell: Genotype, weights: Sequence[int], pool: Callable[[int], int]) -> int:
    """What a cell makes of a fixed number, with a weight for every edge; exact, so that equal is equal.

    In place of tensors there are numbers modulo a prime, in place of a convolution a polynomial that is zero at zero
    and does not add up. Were two of those equal for these weights and not for all, it would be a chance in 10**17.
    """
    nodes = [2**31 + 11, 0, 0, 0]
    for (source, target), op, weight in zip(EDGES, cell, weights, strict=True):
        x = nodes[source]
        made = {NONE: 0, SKIP: x, POOL: pool(x)}.get(op, x * pow(x + weight, 3 if op == CONV3 else 7, PRIME))
        nodes[target] = (nodes[target] + made) % PRIME
    return nodes[3]


def live_convolutions(cell: Genotype) -> list[int]:
    """The edges of convolutions whose weights matter."""
    weights = [17**11 + i for i in range(6)]
    before = value(cell, weights, other_pool)
    changed = [value(cell, [w + 1000 * (i == j) for j, w in enumerate(weights)], other_pool) for i in range(6)]
    return [i for i in range(6) if cell[i] in WEIGHTS and changed[i] != before]


def arrangements(cell: Genotype) -> list[dict[int, int]]:
    """All ways to number the live convolutions of each kernel: edge -> number."""
    live = live_convolutions(cell)
    kinds = [[i for i in live if cell[i] == kind] for kind in WEIGHTS]
    orders = product(*(permutations(range(len(kind))) for kind in kinds))
    return [
        {i: n for kind, order in zip(kinds, both, strict=True) for i, n in zip(kind, order, strict=True)}
        for both in orders
    ]


def values(cell: Genotype, pool: Callable[[int], int]) -> list[tuple[int, dict[int, int]]]:
    """What the cell makes of a number under each arrangement of weights."""
    found = []
    for numbers in arrangements(cell):
        weights = [WEIGHTS[op][numbers[i]] if i in numbers else 0 for i, op in enumerate(cell)]
        found.append((value(cell, weights, pool), numbers))
    return found


@cache
def functions(pool: Callable[[int], int]) -> dict[int, set[Genotype]]:
    """The cells by the function they compute."""
    found = defaultdict(set)
    for cell in SPACE.genotypes():
        found[min(made for made, _ in values(cell, pool))].add(cell)
    return found


def pairing(one: Genotype, other: Genotype) -> dict[int, int]:
    """Which live convolution of `other` takes the weights of which of `one`, so that both compute the same."""
    (wanted, left), *_ = values(one, linear_pool)
    right = next(numbers for made, numbers in values(other, linear_pool) if made == wanted)
    edge_of = {(one[i], n): i for i, n in left.items()}
    return {edge_of[other[i], n]: i for i, n in right.items()}


def network(cell: Genotype, seed: int) -> nn.Module:
    """In double precision, with batch normalisations that scale and shift by their statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = SPACE.network(cell, CIFAR).double().eval()
        for layer in built.modules():
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.running_mean is not None
                assert layer.running_var is not None
                layer.running_var.uniform_(0.5, 2)
                layer.weight.data.uniform_(0.5, 2)
    return built


def logits(built: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = built(x)
    return found


def copied(one: nn.Module, other: nn.Module, edges: dict[int, int]) -> None:
    """Give `other` the weights of `one`: all outside of cells, and in every cell those of the edges that are paired."""
    state = other.state_dict()
    for key, tensor in one.state_dict().items():
        before, cell, after = key.partition(".edges.")
        if not cell:
            state[key] = tensor
        elif int(after[0]) in edges:
            state[f"{before}.edges.{edges[int(after[0])]}{after[1:]}"] = tensor
    other.load_state_dict(state)


def assert_equal_networks(one: Genotype, other: Genotype, edges: dict[int, int], seed: int = 0) -> None:
    x = torch.randn(2, 3, 8, 8, dtype=torch.double, generator=torch.Generator().manual_seed(seed))
    ours, theirs = network(one, seed), network(other, seed + 1)
    copied(ours, theirs, edges)
    torch.testing.assert_close(logits(ours, x), logits(theirs, x), rtol=1e-8, atol=1e-8)


class Merge(NamedTuple):
    """Two cells that are the same, and on which edge of the second each operation of the first is."""

    one: Genotype
    other: Genotype
    moved: tuple[int, ...] = (0, 1, 2, 3, 4, 5)


def moved(cell: Genotype, order: tuple[int, ...]) -> Merge:
    """The cell with operation i on edge order[i]."""
    return Merge(cell, tuple(cell[order.index(i)] for i in range(6)), order)


def without(cell: Genotype, dead: tuple[int, ...]) -> Merge:
    return Merge(cell, tuple(NONE if i in dead else op for i, op in enumerate(cell)))


ANY = (CELL, CELL, CELL, CELL)
SAME = {
    "what a node without inputs feeds": st.builds(
        lambda a, b, c, d, e: without((NONE, a, b, c, d, e), (2, 4)), *ANY, CELL
    ),
    "what leads into a node without outputs": st.builds(
        lambda a, b, c, d, e: without((a, b, c, d, e, NONE), (1, 2)), *ANY, CELL
    ),
    "a skip into node 1: its outputs are the input's": st.builds(
        lambda a, b, c, d, e, order: moved((SKIP, a, b, c, d, e), order),
        *ANY, CELL, st.sampled_from([(0, 2, 1, 3, 4, 5), (0, 1, 2, 4, 3, 5), (0, 2, 1, 4, 3, 5)]),
    ),
    "a skip out of node 2: its terms are the output's": st.builds(
        lambda a, b, c, d, e, order: moved((a, b, c, d, e, SKIP), order),
        *ANY, CELL, st.sampled_from([(0, 3, 2, 1, 4, 5), (0, 1, 4, 3, 2, 5), (0, 3, 4, 1, 2, 5)]),
    ),
    "nodes 1 and 2 swapped": st.builds(
        lambda a, b, c, d, e: moved((a, b, NONE, c, d, e), (1, 0, 2, 3, 5, 4)), *ANY, CELL
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAME)
def test_what_is_merged_has_the_same_output_with_the_same_weights(kind: str) -> None:
    @settings(max_examples=examples(8))
    @given(SAME[kind], st.integers(0, 1000))
    def holds(merge: Merge, seed: int) -> None:
        assert SPACE.canonical(merge.one) == SPACE.canonical(merge.other)
        kept = {i: j for i, j in enumerate(merge.moved) if merge.one[i] == merge.other[j]}
        assert_equal_networks(merge.one, merge.other, kept, seed)

    holds()


@settings(max_examples=examples(15))
@given(CELLS)
def test_a_network_computes_the_same_as_that_of_its_canonical_cell(cell: Genotype) -> None:
    assert_equal_networks(cell, SPACE.canonical(cell), pairing(cell, SPACE.canonical(cell)))


def test_a_cell_and_its_canonical_cell_have_the_same_live_convolutions(cells: list[Genotype]) -> None:
    for cell in cells:
        canonical = SPACE.canonical(cell)
        assert sorted(cell[i] for i in live_convolutions(cell)) == sorted(op for op in canonical if op in WEIGHTS)


def test_counted_by_what_they_compute_there_are_5260_functions_and_these_are_the_classes() -> None:
    found = functions(other_pool)
    assert len(found) == 5260
    assert all(len({SPACE.canonical(cell) for cell in same}) == 1 for same in found.values())


@pytest.mark.thorough
def test_as_pooling_is_linear_there_are_but_5044_functions() -> None:
    found = functions(linear_pool)
    several = [same for same in found.values() if len({SPACE.canonical(cell) for cell in same}) > 1]
    assert len(found) == 5044
    assert all(sum(cell.count(POOL) for cell in same) for same in several)


def test_a_pool_of_a_sum_and_the_sum_of_pools_are_two_classes_though_equal() -> None:
    apart, summed = (CONV3, POOL, POOL, NONE, NONE, SKIP), (CONV3, SKIP, SKIP, NONE, NONE, POOL)
    assert SPACE.canonical(apart) != SPACE.canonical(summed)
    assert_equal_networks(apart, summed, {0: 0})


def test_a_batch_normalisation_forgets_that_its_input_is_twice_another() -> None:
    twice, once = (SKIP, SKIP, SKIP, NONE, NONE, CONV3), (NONE, NONE, NONE, CONV3, NONE, NONE)
    assert SPACE.canonical(twice) != SPACE.canonical(once)
    ours, theirs = network(twice, 0), network(once, 1)
    copied(ours, theirs, {5: 3})
    x = torch.randn(2, 3, 8, 8, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(logits(ours.train(), x), logits(theirs.train(), x), rtol=0.01, atol=0.01)
    assert not torch.allclose(logits(ours.eval(), x), logits(theirs.eval(), x), rtol=0.01, atol=0.01)


def test_two_convolutions_that_read_the_same_are_two() -> None:
    four = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|nor_conv_3x3~0|none~1|nor_conv_3x3~2|"
    assert SPACE.parse(four) == FOUR
    assert SPACE.canonical(FOUR) == FOUR
    assert SPACE.canonical(THREE) == THREE
    assert SPACE.params([FOUR], CIFAR)[0] - SPACE.params([THREE], CIFAR)[0] == sum(
        p.numel() for p in SPACE.network((3, 0, 0, 0, 0, 0), CIFAR).parameters()
    ) - sum(p.numel() for p in SPACE.network((0, 0, 0, 0, 0, 0), CIFAR).parameters())


def test_the_weights_that_make_two_convolutions_one_are_the_only_ones_that_make_both_cells_equal() -> None:
    x = torch.randn(2, 3, 8, 8, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    four, three = network(FOUR, 0), network(THREE, 1)
    copied(four, three, {0: 0, 2: 2, 5: 5})
    assert not torch.allclose(logits(four, x), logits(three, x))
    twice = four.state_dict()
    twice.update({key.replace(".edges.0.", ".edges.3."): t for key, t in twice.items() if ".edges.0." in key})
    four.load_state_dict(twice)
    torch.testing.assert_close(logits(four, x), logits(three, x))


def test_cells_that_weights_shared_would_make_equal_differ_in_parameters(cells: list[Genotype]) -> None:
    """326 sets of classes would be one each if convolutions that read the same had the same weights."""
    found = defaultdict(set)
    for cell in cells:
        found[as_if_shared(cell)].add(SPACE.canonical(cell))
    several = {name: list(classes) for name, classes in found.items() if len(classes) > 1}
    assert (len(found), len(several)) == (4930, 326)
    for classes in several.values():
        assert len(set(SPACE.params(classes, CIFAR).tolist())) == len(classes)
    held = {cell for classes in several.values() for cell in classes}
    assert sum(SPACE.canonical(cell) in held for cell in cells) == 2432


def as_if_shared(cell: Genotype) -> int:
    """What the cell makes of a number when all convolutions of one kernel have one weight."""
    return value(cell, [WEIGHTS[op][0] if op in WEIGHTS else 0 for op in cell], other_pool)


def test_the_output_of_341_cells_does_not_depend_on_the_input(space: Space, cells: list[Genotype]) -> None:
    constant = [cell for cell in cells if space.constant(cell)]
    assert len(constant) == 341
    assert {space.canonical(cell) for cell in constant} == {(NONE,) * 6}
    assert constant == [cell for cell in cells if value(cell, [1] * 6, other_pool) == 0]


@settings(max_examples=examples(10))
@given(st.one_of(CELLS, st.sampled_from([cell for cell in SPACE.genotypes() if SPACE.constant(cell)])))
def test_a_constant_network_says_the_same_of_all_inputs_and_no_other_does(cell: Genotype) -> None:
    x = torch.randn(2, 3, 8, 8, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    one, other = logits(network(cell, 0), x)
    assert torch.equal(one, other) == SPACE.constant(cell)
