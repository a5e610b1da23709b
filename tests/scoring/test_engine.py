"""One look at a network, on small inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from llmnas_mcp.scoring import engine
from llmnas_mcp.spaces import get_space

SPACE = get_space("nasbench201")
GOOD, NOTHING, SKIP = (3, 1, 3, 1, 2, 3), (0, 0, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0)


def fresh(genotype: tuple[int, ...], resolution: int = 8) -> tuple[float, ...]:
    engine.measure.cache_clear()
    return engine.measure(SPACE, genotype, resolution)


def test_a_network_has_the_same_values_to_the_bit_whatever_was_scored_before() -> None:
    alone = fresh(GOOD)
    torch.manual_seed(7)
    fresh(SKIP)
    assert fresh(GOOD) == alone


def test_the_callers_random_state_stays_as_it_was() -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    fresh(SKIP)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy_before).all()


@pytest.mark.parametrize("genotype", [NOTHING, SKIP, (0, 0, 0, 4, 0, 0), (3, 3, 3, 3, 3, 3)])
def test_values_are_finite_even_where_a_cell_computes_nothing(genotype: tuple[int, ...]) -> None:
    assert np.isfinite(fresh(genotype)).all()


def test_a_cell_that_computes_nothing_is_the_worst_by_every_proxy() -> None:
    assert all(nothing < skip < good for nothing, skip, good in zip(*map(fresh, (NOTHING, SKIP, GOOD)), strict=True))


def test_responses_are_those_of_a_plain_computation() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 3))
    images = torch.randn(4, 3, 2, 2)
    agreement, jacobian = engine.responses(network, images)

    on = (network[1](images.flatten(1)) > 0).numpy()
    np.testing.assert_array_equal(agreement, (on[:, None, :] == on[None, :, :]).sum(2))
    slopes = network[3].weight.sum(0) * torch.tensor(on)
    np.testing.assert_allclose(jacobian, (slopes @ network[1].weight).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_synaptic_flow_of_a_chain_is_its_output_once_per_layer() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 5, bias=False), nn.ReLU(), nn.Linear(5, 3, bias=False))
    first, last = (layer.weight.detach().double().abs() for layer in (network[1], network[3]))
    assert engine.synaptic_flow(network, 2) == pytest.approx(2 * float((last @ first).sum()))


def test_noise_is_standardised_and_falls_with_frequency() -> None:
    images = engine.pink_noise(32)
    assert images.shape == (engine.BATCH, 3, 32, 32)
    torch.testing.assert_close(images.std(dim=(1, 2, 3)), torch.ones(engine.BATCH))
    power = torch.fft.fft2(images).abs().square().mean((0, 1))
    assert power[0, 1] > 10 * power[0, 8]
