"""The proxies as functions of what was observed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from llmnas_mcp.errors import UnknownNameError
from llmnas_mcp.scoring import PROXIES, check_proxies
from llmnas_mcp.scoring.engine import COUNTED, DEFAULT, OBSERVED
from llmnas_mcp.scoring.observation import Observation

NAMES = [
    *("params", "macs", "growth", "jacov", "naswot", "expressivity", "progressivity", "trainability", "complexity"),
    *("synflow", "dss", "grad_norm", "snip", "grasp", "fisher", "l2_norm", "plain", "zico"),
    *("epe_nas", "zen", "meco", "swap", "reg_swap"),
]


def value(proxy: str, **seen: object) -> float:
    return PROXIES[proxy].measure(SimpleNamespace(**seen))


def of_patterns(proxy: str, on: np.ndarray) -> float:
    """A proxy of rectifiers that are on or off as told, (images, units)."""
    given_to_relu = torch.from_numpy(np.where(on, 1.0, -1.0))
    convolution = nn.Conv2d(3, 1, 1)
    network = nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 4), nn.ReLU())
    seen = Observation(network, torch.zeros(len(on), 3, 2, 2), torch.zeros(len(on), dtype=torch.int64))
    seen._rectified = [given_to_relu]
    return PROXIES[proxy].measure(seen)


def test_every_proxy_is_registered_under_its_name_with_what_it_is_and_its_paper() -> None:
    assert list(PROXIES) == NAMES
    for name, proxy in PROXIES.items():
        assert proxy.name == name
        assert proxy.title
        assert "arXiv" in proxy.source or "NeurIPS" in proxy.source


def test_the_default_set_is_what_is_counted_and_what_one_pass_observes() -> None:
    assert COUNTED + OBSERVED == DEFAULT
    assert set(DEFAULT) < set(PROXIES)


def test_names_are_checked_and_each_kept_once() -> None:
    assert check_proxies(["zen", "zico", "zen"]) == ("zen", "zico")
    assert check_proxies(name for name in ["zen", "zico"]) == ("zen", "zico")
    assert check_proxies([]) == ()


def test_a_name_of_no_proxy_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"proxy 'zenn'.*Did you mean 'zen'\?"):
        check_proxies(["zico", "zenn"])


@given(arrays(np.float64, (4, 12), elements=st.floats(-1e6, 1e6)))
def test_jacov_and_epe_nas_are_finite_for_any_jacobian(jacobian: np.ndarray) -> None:
    seen = {"jacobian": torch.from_numpy(jacobian), "labels": torch.tensor([0, 1, 0, 1])}
    assert np.isfinite(value("jacov", **seen))
    assert np.isfinite(value("epe_nas", **seen))


def test_jacov_prefers_uncorrelated_gradients_to_alike_ones_to_none() -> None:
    rng = np.random.default_rng(0)
    apart = rng.standard_normal((8, 500))
    worse = [apart, apart[:1] + 0.3 * apart, np.zeros((8, 500))]
    best, alike, none = (value("jacov", jacobian=torch.from_numpy(rows)) for rows in worse)
    assert best > alike > none
    assert best == pytest.approx(-8, abs=0.1)


@given(st.floats(1e-6, 1e6), st.floats(-10, 10))
def test_jacov_does_not_depend_on_the_scale_or_the_mean_of_the_gradients(scale: float, shift: float) -> None:
    rows = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 50)))
    assert value("jacov", jacobian=scale * (rows + shift)) == pytest.approx(value("jacov", jacobian=rows))


@given(arrays(np.bool_, (4, 9)))
def test_naswot_matches_the_formula_for_any_pattern(on: np.ndarray) -> None:
    agreement = (on[:, None, :] == on[None, :, :]).sum(2).astype(float)
    assert np.exp(of_patterns("naswot", on)) == pytest.approx(np.linalg.det(agreement + np.eye(4)))


@given(arrays(np.bool_, st.tuples(st.sampled_from([2, 6, 16]), st.integers(1, 40))))
def test_swap_counts_the_different_patterns_of_units(on: np.ndarray) -> None:
    assert of_patterns("swap", on) == len({tuple(unit) for unit in on.T.tolist()})


def test_swap_looks_at_no_more_than_sixteen_images() -> None:
    on = np.random.default_rng(0).random((20, 200)) < 0.5
    on[16:] = False
    assert of_patterns("swap", on) == of_patterns("swap", on[:16])


def test_swap_counts_a_pattern_once_over_all_layers() -> None:
    seen = SimpleNamespace(rectified=[torch.tensor([[1.0, -1.0], [1.0, 1.0]]), torch.tensor([[1.0], [1.0]])])
    assert PROXIES["swap"].measure(seen) == 2


def test_synaptic_flow_of_a_chain_is_its_output_once_per_layer_in_logarithms() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1, bias=False),
        nn.ReLU(),
        nn.Conv2d(4, 5, 2, bias=False),
        nn.Flatten(),
        nn.Linear(5, 3, bias=False),
    )
    first, second, last = (network[i].weight.detach().double().abs() for i in (0, 2, 4))
    flow = (last @ (second.sum((2, 3)) @ first[:, :, 0, 0])).sum()
    seen = Observation(network, torch.randn(2, 3, 2, 2), torch.tensor([0, 1]))
    assert PROXIES["synflow"].measure(seen) == pytest.approx(np.log1p(3 * float(flow)))


def test_trainability_is_best_where_blocks_pass_gradients_on_at_their_length() -> None:
    def trained(scale: float) -> float:
        layers = [nn.Conv2d(4, 4, 1, bias=False) for _ in range(3)]
        for layer in layers:
            nn.init.orthogonal_(layer.weight, scale)
        network = nn.Sequential(nn.Conv2d(3, 4, 1), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        seen = Observation(network, torch.randn(16, 3, 8, 8), torch.arange(16) % 4)
        return PROXIES["trainability"].measure(seen)

    torch.manual_seed(0)
    assert trained(1.0) == pytest.approx(0, abs=0.02)
    assert trained(0.2) < -1
    assert trained(5.0) < -1


def test_a_block_that_changes_nothing_is_the_worst_by_trainability() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network[1].weight.data = torch.eye(4)[:, :, None, None]
    seen = Observation(network, torch.randn(16, 3, 8, 8), torch.arange(16) % 4)
    assert PROXIES["trainability"].measure(seen) == -1e6
