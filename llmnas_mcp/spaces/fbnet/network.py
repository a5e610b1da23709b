"""The FBNet network in torch, as HW-NAS-Bench builds it (Wu et al., CVPR 2019; Li et al., ICLR 2021).

A 3x3 stem, 22 layers, a 1x1 head, the mean over the picture and a linear classifier. A layer is an inverted residual
with a depthwise convolution of 3x3 or 5x5, or `skip`: the identity where it keeps the shape, else a 1x1 convolution.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


def convolution(c_in: int, c_out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias that keeps the size but for its stride, and batch normalisation."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(c_out)]


class Shuffle(nn.Module):
    """Deals the channels of each group out over all groups."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the same shape."""
        _, channels, *size = x.shape
        dealt = x.reshape(-1, self.groups, channels // self.groups, *size).transpose(1, 2)
        return dealt.reshape(-1, channels, *size)


class Block(nn.Module):
    """1x1 convolution to `expansion` times the channels, depthwise convolution with the stride, 1x1 convolution."""

    def __init__(self, c_in: int, c_out: int, stride: int, kernel: int, expansion: int, groups: int = 1) -> None:
        super().__init__()
        middle = c_in * expansion
        self.body = nn.Sequential(
            *convolution(c_in, middle, 1, groups=groups),
            nn.ReLU(),
            *([Shuffle(groups)] if groups > 1 else []),
            *convolution(middle, middle, kernel, stride=stride, groups=middle),
            nn.ReLU(),
            *convolution(middle, c_out, 1, groups=groups),
        )
        self.residual = c_in == c_out and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(batch, c_in, height, width) -> (batch, c_out, height/stride, width/stride)."""
        out: Tensor = self.body(x)
        return out + x if self.residual else out


def layer(name: str, c_in: int, c_out: int, stride: int) -> nn.Module:
    """The module of a block by its name: `k5_e1_g2` is kernel 5, expansion 1, groups 2."""
    if name != "skip":
        return Block(c_in, c_out, stride, *(int(part[1:]) for part in name.split("_")))
    if c_in == c_out and stride == 1:
        return nn.Identity()
    return nn.Sequential(*convolution(c_in, c_out, 1, stride=stride), nn.ReLU())


class Network(nn.Module):
    """A whole classifier; `layers` has name, channels in, channels out and stride of each layer."""

    def __init__(
        self,
        layers: Sequence[tuple[str, int, int, int]],
        *,
        stem_stride: int,
        head: int,
        classes: int,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*convolution(channels, layers[0][1], 3, stride=stem_stride), nn.ReLU())
        self.layers = nn.Sequential(*(layer(*described) for described in layers))
        self.head = nn.Sequential(*convolution(layers[-1][2], head, 1), nn.ReLU())
        self.classifier = nn.Linear(head, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, resolution, resolution) -> logits (batch, classes)."""
        features: Tensor = self.head(self.layers(self.stem(x)))
        logits: Tensor = self.classifier(features.mean((2, 3)))
        return logits
