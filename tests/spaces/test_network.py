from __future__ import annotations

import pytest
import torch

from llmnas_mcp.spaces import DATASETS, Genotype, Space


@pytest.mark.parametrize("dataset", list(DATASETS))
@pytest.mark.parametrize("cell", [(3, 2, 4, 1, 0, 3), (0, 0, 0, 0, 0, 0)])
def test_the_network_turns_images_into_one_logit_a_class(space: Space, dataset: str, cell: Genotype) -> None:
    shape = DATASETS[dataset]
    logits = space.network(cell, shape)(torch.zeros(2, 3, shape.resolution, shape.resolution))
    assert logits.shape == (2, shape.classes)
    assert torch.isfinite(logits).all()


def test_every_parameter_on_the_way_to_the_output_can_be_learned(space: Space) -> None:
    network = space.network((3, 2, 3, 1, 2, 3), DATASETS["ImageNet16-120"])
    network(torch.randn(2, 3, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_two_networks_start_from_different_weights(space: Space) -> None:
    one, other = (space.network((0, 0, 0, 3, 0, 0), DATASETS["cifar10"]).state_dict() for _ in range(2))
    assert one.keys() == other.keys()
    assert not torch.equal(one["classifier.weight"], other["classifier.weight"])
