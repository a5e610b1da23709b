"""What cannot be measured is refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import torch
from torch import nn
from torch.nn import functional

from llmnas_mcp.errors import LabError, UnscorableError
from llmnas_mcp.scoring import PROXIES, engine
from llmnas_mcp.spaces import Dataset
from tests.scoring.handmade import CLASSES, OF_CONVOLUTIONS, Does, bare

TINY = Dataset("tiny", 8, CLASSES)
HEAD = (nn.AdaptiveAvgPool2d(1), nn.Flatten())


def spoiled(value: float) -> nn.Module:
    network = bare()
    with torch.no_grad():
        next(network.parameters())[0] = value
    return network


def fails(_: torch.Tensor) -> torch.Tensor:
    raise KeyError("my own mistake")


def pooled(x: torch.Tensor) -> torch.Tensor:
    return x.mean((2, 3))


UNSCORABLE: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "no layers": (lambda: nn.Sequential(*HEAD), "no Conv2d and no Linear"),
    "one-dimensional convolutions": (lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 8, 3)), "no Conv2d and no"),
    "a lazy layer": (lambda: nn.Sequential(nn.Conv2d(3, 8, 3), *HEAD, nn.LazyLinear(10)), "lazy"),
    "a lazy convolution": (lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.LazyConv2d(8, 3)), "lazy"),
    "feature maps": (lambda: Does(lambda x: x), r"shape \(16, 10, 8, 8\)"),
    "one number an image": (lambda: Does(lambda x: x.mean((1, 2, 3))), r"shape \(16,\)"),
    "another batch": (lambda: Does(lambda x: pooled(x)[:3]), r"shape \(3, 10\)"),
    "several outputs": (lambda: Does(lambda x: (pooled(x), x)), "tuple"),
    "nothing": (lambda: Does(lambda _: None), "NoneType"),
    "too few outputs": (lambda: Does(lambda x: pooled(x)[:, :2]), "2 outputs"),
    "an exception": (lambda: Does(fails), "KeyError: 'my own mistake'"),
    "other channels": (lambda: nn.Sequential(nn.Conv2d(1, 8, 3), *HEAD, nn.Linear(8, 10)), r"\(16, 3, 8, 8\)"),
    "too small an image": (lambda: nn.Sequential(nn.Conv2d(3, 8, 9), *HEAD, nn.Linear(8, 10)), r"\(16, 3, 8, 8\)"),
    "weights that are NaN": (lambda: spoiled(float("nan")), "NaN"),
    "weights that are infinite": (lambda: spoiled(float("inf")), "inf"),
    "outputs that overflow": (lambda: Does(lambda x: pooled(x).exp() * 1e38 * 10), "inf"),
}


@pytest.mark.parametrize("case", UNSCORABLE)
def test_a_network_that_cannot_be_measured_is_refused_with_the_reason(case: str) -> None:
    factory, reason = UNSCORABLE[case]
    with pytest.raises(UnscorableError, match=reason) as caught:
        engine.measure(factory(), TINY, ["params"])
    assert str(caught.value).startswith("The network ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["naswot", "swap", "reg_swap"])
def test_without_a_relu_its_patterns_cannot_be_told(proxy: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Tanh(), nn.Conv2d(8, 8, 1), nn.Tanh(), *HEAD, nn.Linear(8, 10))
    with pytest.raises(UnscorableError, match="no ReLU"):
        engine.measure(network, TINY, [proxy])
    others = [name for name in OF_CONVOLUTIONS if name not in ("naswot", "swap", "reg_swap")]
    assert list(engine.measure(network, TINY, others)) == others


@pytest.mark.parametrize("proxy", ["growth", "expressivity", "progressivity", "trainability"])
def test_with_fewer_than_two_blocks_the_parts_of_aznas_cannot_be_told(proxy: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), *HEAD, nn.Linear(8, 10))
    with pytest.raises(UnscorableError, match="two blocks"):
        engine.measure(network, TINY, [proxy])
    assert "jacov" in engine.measure(network, TINY, ["jacov", "naswot"])


ODD: dict[str, Callable[[], nn.Module]] = {
    "blocks without padding": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), *HEAD, nn.Linear(8, 10)
    ),
    "upsampling": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(8, 8, 1), *HEAD, nn.Linear(8, 10)
    ),
    "a convolution never called": lambda: Unused(),
    "normalised features": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), *HEAD, nn.BatchNorm1d(8), nn.Linear(8, 10)
    ),
    "logarithms of probabilities": lambda: Does(lambda x: functional.log_softmax(pooled(x), 1)),
    "negated logits": lambda: Does(lambda x: -pooled(x)),
    "a ReLU of a parameter": lambda: Gated(),
    "a ReLU called by keyword": lambda: Does(lambda x: pooled(torch.relu(input=x))),
    "half precision inside": lambda: Half(),
    "no gradient": lambda: Does(torch.no_grad()(pooled)),
    "frozen weights": lambda: bare().requires_grad_(False),
    "weights all zero": lambda: zeroed(bare()),
    "normalised weights": lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 8, 3)), nn.ReLU(), nn.Conv2d(8, 8, 3), *HEAD, nn.Linear(8, 9)
    ),
    "infinity clipped": lambda: Does(lambda x: functional.relu6(pooled(x * 1e38 * 1e38).nan_to_num(0))),
}


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.never, self.head = nn.Conv2d(3, 8, 3), nn.Linear(3, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(pooled(x))


class Half(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inside = bare()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.inside(x)


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inside, self.gate = bare(), nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inside(x) * functional.relu(self.gate)


def zeroed(network: nn.Module) -> nn.Module:
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    return network


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("case", ODD)
def test_an_odd_network_is_measured_or_refused_never_a_crash(case: str, proxy: str) -> None:
    # Whatever is raised but UnscorableError is a crash, and fails the test.
    with suppress(UnscorableError):
        assert abs(engine.measure(ODD[case](), TINY, [proxy])[proxy]) < float("inf")


def test_a_network_that_cannot_be_copied_is_refused() -> None:
    network = bare()
    network.last_output = network(torch.zeros(1, 3, 8, 8))  # torch copies no tensor with a history
    with pytest.raises(UnscorableError):
        engine.measure(network, TINY)


def test_a_normalisation_of_single_values_does_not_stop_synflow() -> None:
    assert engine.measure(ODD["normalised features"](), TINY, ["synflow"])["synflow"] > 0


def test_a_relu_of_a_parameter_is_no_unit_that_fires_for_inputs() -> None:
    gated = Gated()
    names = ["naswot", "swap"]
    assert engine.measure(gated, TINY, names) == engine.measure(gated.inside, TINY, names)


def test_a_proxy_there_is_not_is_named() -> None:
    with pytest.raises(LabError, match="zenn"):
        engine.measure(bare(), TINY, ["zenn"])
