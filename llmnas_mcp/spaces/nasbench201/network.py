"""The NAS-Bench-201 network in torch (Dong and Yang, ICLR 2020, fig. 1).

Stem, then three stages of five cells with 16, 32 and 64 channels, a stride-2 residual block between stages, a head.
An operation is ReLU-Conv-BatchNorm. Operations on dead edges are built as well, as in the benchmark: they have
parameters and take time on a device, though nothing depends on them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llmnas_mcp.spaces.nasbench201.encoding import EDGES, OPERATIONS
from llmnas_mcp.spaces.needed import Genotype

CHANNELS = (16, 32, 64)
CELLS_PER_STAGE = 5


class Zero(nn.Module):
    """The operation `none`, which adds nothing: a cell never runs it."""


def convolution(kernel: int, c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution without bias, batch normalisation."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(c_out),
    )


def operation(name: str, channels: int) -> nn.Module:
    """The module of one of OPERATIONS, keeping the number of channels and the size."""
    match name:
        case "none":
            return Zero()
        case "skip_connect":
            return nn.Identity()
        case "nor_conv_1x1":
            return convolution(1, channels, channels)
        case "nor_conv_3x3":
            return convolution(3, channels, channels)
        case _:
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


class Cell(nn.Module):
    """Four nodes: each sums the operations on its incoming edges.

    Sums are plain additions: of a stack that is summed, a runtime makes three operators and takes twice as long.
    """

    def __init__(self, genotype: Genotype, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(operation(OPERATIONS[op], channels) for op in genotype)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the same shape."""
        nodes = [x]
        for target in (1, 2, 3):
            incoming = [
                edge(nodes[source])
                for (source, to), edge in zip(EDGES, self.edges, strict=True)
                if to == target and not isinstance(edge, Zero)
            ]
            nodes.append(sum(incoming[1:], incoming[0]) if incoming else torch.zeros_like(x))
        return nodes[3]


class Reduction(nn.Module):
    """The residual block between stages: halves the size, doubles the channels."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.main = nn.Sequential(convolution(3, c_in, c_out, stride=2), convolution(3, c_out, c_out))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(c_in, c_out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, c_in, height, width) -> (batch, c_out, height/2, width/2)."""
        out: Tensor = self.shortcut(x) + self.main(x)
        return out


class Network(nn.Module):
    """A whole classifier made of one cell, for images of so many colours."""

    def __init__(self, genotype: Genotype, classes: int, colours: int = 3) -> None:
        super().__init__()
        stem = nn.Conv2d(colours, CHANNELS[0], 3, padding=1, bias=False)
        layers: list[nn.Module] = [stem, nn.BatchNorm2d(CHANNELS[0])]
        for stage, channels in enumerate(CHANNELS):
            if stage:
                layers.append(Reduction(CHANNELS[stage - 1], channels))
            layers += [Cell(genotype, channels) for _ in range(CELLS_PER_STAGE)]
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(CHANNELS[-1]), nn.ReLU())
        self.classifier = nn.Linear(CHANNELS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, colours, resolution, resolution) -> logits (batch, classes)."""
        logits: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return logits
