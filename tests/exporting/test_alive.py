"""Networks reduced to what is alive in them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from llmnas_mcp.errors import LabError
from llmnas_mcp.runtimes.alive import alive
from llmnas_mcp.spaces import DATASETS, get_space

SPACE, DATASET = get_space("nasbench201"), DATASETS["cifar10"]


def network_of(cell: str, shifted: bool = False) -> nn.Module:
    torch.manual_seed(0)
    network = SPACE.network(SPACE.parse(cell), DATASET)
    for norm in network.modules():
        if shifted and isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.bias, std=0.1)
    return network.eval()


def convolutions(graph: nn.Module) -> int:
    return sum("conv2d" in str(node.target) for node in graph.graph.nodes)  # type: ignore[union-attr]


def far(network: nn.Module, graph: nn.Module) -> float:
    x = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        wanted = network(x)
        return float((graph(x) - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize(
    ("cell", "left", "why"),
    [
        pytest.param("3n3sn1", 3, "all of it is alive", marks=pytest.mark.thorough),
        pytest.param("33n1nn", 1, "two lead nowhere", marks=pytest.mark.thorough),
        ("n13311", 3, "what reads zeros and what reads that are left out"),
        ("nnnsnn", 0, "it is but a skip"),
    ],
)
def test_only_what_is_alive_is_left(cell: str, left: int, why: str) -> None:
    network = network_of(cell)
    graph = alive(network, torch.randn(2, 3, 32, 32))
    outside = convolutions(alive(network_of("nnnsnn"), torch.randn(2, 3, 32, 32)))
    assert convolutions(graph) == outside + 15 * left, why
    assert not any("zeros" in str(node.target) for node in graph.graph.nodes)  # type: ignore[union-attr]
    assert far(network, graph) == 0


def test_zeros_that_batch_normalisation_shifts_become_a_constant() -> None:
    network = network_of("n13311", shifted=True)
    graph = alive(network, torch.randn(2, 3, 32, 32))
    assert any("constant" in str(node.target) for node in graph.graph.nodes)  # type: ignore[union-attr]
    assert far(network, graph) < 1e-6


def test_a_network_that_ignores_its_images_is_still_one_for_any_number_of_them() -> None:
    network = network_of("3nnnn3", shifted=True)
    assert far(network, alive(network, torch.randn(2, 3, 32, 32))) == 0


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) if x.sum() > 0 else -x.flatten(1)


class CountsByLen(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), -1)


@pytest.mark.parametrize("network", [Branches(), CountsByLen()])
def test_a_network_that_is_no_graph_for_any_number_of_images_is_refused_with_the_fix(network: nn.Module) -> None:
    with pytest.raises(LabError, match=r"cannot be exported.*x\.shape\[0\]"):
        alive(network, torch.randn(2, 3, 8, 8))


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (torch.zeros_like(x) + x.relu_()).flatten(1)


def test_a_network_that_works_in_place_is_exported_as_it_is() -> None:
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(alive(InPlace().eval(), x.clone())(x.clone()), x.relu().flatten(1))
