"""Small networks that no space has, for what the proxies may meet in a user's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 10


class Depthwise(nn.Module):
    """A depthwise separable convolution with ReLUs in place, as in MobileNet, and a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.mix = nn.Conv2d(channels, channels, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(2))
        self.relu = nn.ReLU(inplace=True)  # one module, called twice

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.norms[0](self.spatial(x)))
        return self.relu(self.norms[1](self.mix(out))) + x


def mobile() -> nn.Module:
    """Depthwise convolutions, ReLUs in place, and two linear layers at the end."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        Depthwise(8),
        Depthwise(8),
        nn.Conv2d(8, 12, 3, stride=2, padding=1),
        Depthwise(12),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 20),
        nn.ReLU(inplace=True),
        nn.Linear(20, CLASSES),
    )


def bare() -> nn.Module:
    """No normalisation at all, convolutions with biases."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 10, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(40, CLASSES),
    )


def dropping() -> nn.Module:
    """Dropout of channels and of features."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout2d(0.2),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32, CLASSES),
    )


class Residual(nn.Module):
    """Three convolutions and what `forward` does between them."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.third = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.head = nn.Linear(12, CLASSES)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        x = self.between(self.first(x))
        return self.head(self.between(self.third(self.between(self.second(x)))).mean((2, 3)))


def functional_relu() -> nn.Module:
    """ReLUs that are no modules."""
    return Residual(functional.relu)


def module_relu() -> nn.Module:
    """The same network with a ReLU that is one."""
    return Residual(nn.ReLU())


def in_place() -> nn.Module:
    """What a convolution gave is overwritten by what comes next."""
    return Residual(lambda x: functional.relu(x.add_(0.1), inplace=True))


def not_in_place() -> nn.Module:
    """The same function, nothing overwritten."""
    return Residual(lambda x: functional.relu(x + 0.1))


class Counting(nn.Module):
    """A wrapper that counts how often it, or any copy of it, is called."""

    calls = 0

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        Counting.calls += 1
        return self.inside(x)


class Does(nn.Module):
    """Two convolutions with ReLUs, then whatever `then` makes of features (batch, 10, height, width)."""

    def __init__(self, then: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, CLASSES, 3, padding=1), nn.ReLU()
        )
        self.then = then

    def forward(self, x: Tensor) -> object:
        return self.then(self.features(x))


def seeded(factory: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """What a factory makes, always the same; the random state of the tests stays as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return factory()
