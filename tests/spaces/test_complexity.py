from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmnas_mcp.spaces import DATASETS, Dataset, Genotype, Space, get_space
from tests.thorough import examples

SPACE = get_space("nasbench201")
CELLS = st.tuples(*[st.integers(0, 4)] * 6)


def multiply_accumulates(network: torch.nn.Module, x: torch.Tensor) -> int:
    """Counted one layer at a time while the network runs; the benchmark counts the addition of a bias too."""
    counted = []

    def count(layer: torch.nn.Module, _: object, out: torch.Tensor) -> None:
        counted.append(out[0].numel() * (layer.weight[0].numel() + (layer.bias is not None)))

    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network(x)
    return sum(counted)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_the_parameters_of_all_cells_are_the_published_ones(
    space: Space, published: list[dict[str, str]], dataset: str
) -> None:
    cells = [space.parse(row["arch_str"]) for row in published]
    assert len(set(cells)) == 15_625
    told = np.array([round(float(row[f"params_m_{dataset}"]) * 1e6) for row in published])
    assert (space.params(cells, DATASETS[dataset]) == told).all()


def test_the_work_of_all_cells_is_the_published_one(space: Space, published: list[dict[str, str]]) -> None:
    cells = [space.parse(row["arch_str"]) for row in published]
    told = np.array([round(float(row["flops_m_cifar10"]) * 1e6) for row in published])
    assert (space.macs(cells, DATASETS["cifar10"]) == told).all()


@settings(max_examples=examples(15))
@given(CELLS, st.sampled_from(list(DATASETS.values())))
def test_the_network_has_the_parameters_and_does_the_work_told(cell: Genotype, dataset: Dataset) -> None:
    network = SPACE.network(cell, dataset)
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == SPACE.params([cell], dataset)[0]
    x = torch.zeros(2, 3, dataset.resolution, dataset.resolution)
    assert multiply_accumulates(network, x) == SPACE.macs([cell], dataset)[0]


@given(st.lists(CELLS, max_size=20))
def test_many_cells_are_counted_as_each_alone(cells: list[Genotype]) -> None:
    for count in (SPACE.params, SPACE.macs):
        alone = [int(count([cell], DATASETS["cifar100"])[0]) for cell in cells]
        assert count(cells, DATASETS["cifar100"]).tolist() == alone
        assert count(np.array(cells, dtype=int).reshape(-1, 6), DATASETS["cifar100"]).tolist() == alone
