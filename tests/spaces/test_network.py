from __future__ import annotations

import zlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmnas_mcp.spaces import DATASETS, Genotype, SearchSpace, get_space
from llmnas_mcp.spaces.nasbench201.encoding import EDGES, OPERATIONS
from tests.thorough import examples

SPACE = get_space("nasbench201")
CELLS = st.tuples(*[st.integers(0, 4)] * 6)


def output_of(cell: Genotype, x: torch.Tensor) -> torch.Tensor:
    """What a freshly built cell computes when two convolutions of the same value have the same weights.

    A value is the multiset of the terms that a node sums: the input, or an operation of a value. Nothing here follows
    the way the product tells cells apart.
    """
    from llmnas_mcp.spaces.nasbench201.network import Cell

    module = Cell(cell, channels=x.shape[1]).double()
    values: list[tuple[object, ...]] = [("input",), (), (), ()]
    for (source, to), op, edge in zip(EDGES, cell, module.edges, strict=True):
        if OPERATIONS[op] == "skip_connect":
            values[to] = tuple(sorted((*values[to], *values[source]), key=repr))
        elif OPERATIONS[op] != "none" and values[source]:
            values[to] = tuple(sorted((*values[to], (op, values[source])), key=repr))
        for weight in (p for p in edge.parameters() if p.dim() == 4):
            seed = torch.Generator().manual_seed(zlib.crc32(repr((op, values[source])).encode()))
            weight.data.normal_(generator=seed)
    with torch.no_grad():
        return module(x)


@settings(max_examples=examples(60))
@given(CELLS)
def test_an_untrained_cell_computes_the_same_as_its_canonical_cell(cell: Genotype) -> None:
    x = torch.randn(2, 4, 6, 6, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(output_of(cell, x), output_of(SPACE.canonical(cell), x))


def test_cells_of_other_classes_compute_something_else() -> None:
    x = torch.randn(2, 4, 6, 6, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    chain = output_of((3, 0, 3, 0, 0, 3), x)
    assert not any(torch.allclose(chain, output_of(other, x)) for other in SPACE.neighbours((3, 0, 3, 0, 0, 3)))


@pytest.mark.parametrize("dataset", list(DATASETS))
@pytest.mark.parametrize("cell", [(3, 2, 4, 1, 0, 3), (0, 0, 0, 0, 0, 0)])
def test_the_network_turns_images_into_one_logit_a_class(space: SearchSpace, dataset: str, cell: Genotype) -> None:
    shape = DATASETS[dataset]
    logits = space.network(cell, shape)(torch.zeros(2, 3, shape.resolution, shape.resolution))
    assert logits.shape == (2, shape.classes)
    assert torch.isfinite(logits).all()


def test_every_parameter_on_the_way_to_the_output_can_be_learned(space: SearchSpace) -> None:
    network = space.network((3, 2, 3, 1, 2, 3), DATASETS["ImageNet16-120"])
    network(torch.randn(2, 3, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_two_networks_start_from_different_weights(space: SearchSpace) -> None:
    one, other = (space.network((0, 0, 0, 3, 0, 0), DATASETS["cifar10"]).state_dict() for _ in range(2))
    assert one.keys() == other.keys()
    assert not torch.equal(one["classifier.weight"], other["classifier.weight"])
