"""What is the same in every FBNet: its 22 layers, their shapes, and the nine blocks each can be.

The space is FBNet's (Wu et al., CVPR 2019, arXiv 1812.03443) as HW-NAS-Bench builds and measured it (Li et al., ICLR
2021, arXiv 2103.10584): its names of blocks, in its order, and its two plans, one for small pictures (CIFAR-100) and
one for large ones (ImageNet).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

BLOCKS = ("k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "skip")
SKIP = BLOCKS.index("skip")

STEM = 16  # channels
STAGES = ((1, 16), (4, 24), (4, 32), (4, 64), (4, 112), (4, 184), (1, 352))  # layers and channels
LAYERS = sum(count for count, _ in STAGES)
SMALL = 64  # pixels: pictures up to this size are halved three times, larger ones five times

_SMALL_STRIDES, _LARGE_STRIDES = (1, 1, 2, 2, 1, 2, 1), (1, 2, 2, 2, 1, 2, 1)


@dataclass(frozen=True)
class Layer:
    """The shape of a layer: (c_in, size, size) -> (c_out, size_out, size_out)."""

    size: int
    c_in: int
    c_out: int
    stride: int

    @property
    def size_out(self) -> int:
        """Height and width after the layer."""
        return -(-self.size // self.stride)

    @property
    def keeps_shape(self) -> bool:
        """Whether what goes in has the shape of what comes out: a block has a residual here, `skip` is the identity."""
        return self.c_in == self.c_out and self.stride == 1


@dataclass(frozen=True)
class Block:
    """What a block's name says: `k5_e1_g2` is a 5x5 kernel, expansion 1 and 1x1 convolutions in two groups."""

    kernel: int
    expansion: int
    groups: int


@dataclass(frozen=True)
class Plan:
    """A network but for the blocks: the stride of its stem, the shapes of its layers, the channels of its head."""

    resolution: int
    stem_stride: int
    layers: tuple[Layer, ...]
    head: int


def block(name: str) -> Block:
    """What the name of a block other than `skip` says.

    >>> block("k3_e6"), block("k5_e1_g2")
    (Block(kernel=3, expansion=6, groups=1), Block(kernel=5, expansion=1, groups=2))
    """
    kernel, expansion, *groups = (int(part[1:]) for part in name.split("_"))
    return Block(kernel, expansion, *(groups or [1]))


@cache
def plan(resolution: int) -> Plan:
    """The plan for pictures of `resolution` pixels a side: CIFAR-100's up to 64, else ImageNet's.

    >>> [plan(size).head for size in (32, 224)], len(plan(32).layers), len(set(plan(32).layers))
    ([1504, 1984], 22, 12)
    """
    small = resolution <= SMALL
    stem_stride = 1 if small else 2
    layers: list[Layer] = []
    size, c_in = -(-resolution // stem_stride), STEM
    for (count, c_out), first in zip(STAGES, _SMALL_STRIDES if small else _LARGE_STRIDES, strict=True):
        for stride in (first, *[1] * (count - 1)):
            layers.append(Layer(size, c_in, c_out, stride))
            size, c_in = layers[-1].size_out, c_out
    return Plan(resolution, stem_stride, tuple(layers), 1504 if small else 1984)
