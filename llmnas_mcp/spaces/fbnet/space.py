"""FBNet as a search space, with its complexity in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.spaces.base import Genotypes, Space
from llmnas_mcp.spaces.datasets import Dataset
from llmnas_mcp.spaces.fbnet.plan import BLOCKS, LAYERS, SKIP, STEM, Layer, Plan, block, plan
from llmnas_mcp.spaces.needed import Genotype
from llmnas_mcp.spaces.notation import malformed

if TYPE_CHECKING:
    from torch import nn

POSITIONS = tuple(f"layer.{i}" for i in range(LAYERS))


class FBNet(Space):
    """22 layers, each one of nine blocks: 9^22 architectures."""

    name = "fbnet"
    title = "FBNet: 22 layers of inverted residuals, 9 blocks each"
    source = (
        "Wu et al., FBNet, CVPR 2019 (arXiv 1812.03443), as in HW-NAS-Bench, Li et al., ICLR 2021 (arXiv 2103.10584)"
    )
    encoding = (
        f"{POSITIONS[0]}=block,{POSITIONS[1]}=block,... to {POSITIONS[-1]}, or a list of the {LAYERS} blocks, or of "
        f"their indices in {' '.join(BLOCKS)} (0 to {SKIP}), as in HW-NAS-Bench; in short {LAYERS} such digits"
    )
    choices = dict.fromkeys(POSITIONS, BLOCKS)
    datasets = ("cifar100", "imagenet")
    tokens = False

    def parse(self, architecture: str) -> Genotype:
        """Read `layer.0=k3_e1,layer.1=skip,...` in any order, or HW-NAS-Bench's list of 22 blocks or their indices.

        Blanks, brackets and quotes of a list are left out of account, and 22 digits do for a list of indices. Raises
        ArchitectureError that names the layer, the blocks there are and a valid example.

        >>> FBNet().parse("[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8]")[-2:]
        (0, 8)
        """
        if "=" in architecture or "-" in architecture:
            return super().parse(architecture)
        words = [word.strip(" \t\r\n'\"") for word in architecture.strip(" \t\r\n").strip("[]()").split(",")]
        if len(words) == 1 and words[0].isdecimal():
            words = list(words[0])
        if len(words) != LAYERS:
            raise malformed(self, architecture, f"it has {len(words)} blocks, not {LAYERS}")
        return tuple(self._index(architecture, layer, word) for layer, word in enumerate(words))

    def short(self, genotype: Genotype) -> str:
        """The indices of the blocks as 22 digits, which `parse` reads too.

        >>> FBNet().short((0,) * 21 + (8,))
        '0000000000000000000008'
        """
        return "".join(str(int(op)) for op in genotype)

    def _index(self, architecture: str, layer: int, word: str) -> int:
        if word in BLOCKS:
            return BLOCKS.index(word)
        if len(word) == 1 and word in "012345678":
            return int(word)
        raise malformed(
            self, architecture, f"layer.{layer} cannot be {word[:40]!r}; allowed: {', '.join(BLOCKS)}, or 0 to {SKIP}"
        )

    def canonical(self, genotype: Genotype) -> Genotype:
        """The same network with the identities of a stage behind its blocks.

        A `skip` is the identity in all layers of a stage but the first, and these have one shape: where it stands among
        them makes no difference. Nothing else is the same: first layers have a shape of their own.

        >>> FBNet().short(FBNet().canonical((0, 1, 8, 2, 8) + (0,) * 17))
        '0128800000000000000000'
        """
        found, at = [int(op) for op in genotype], 0
        for count in _runs():
            found[at : at + count] = sorted(found[at : at + count], key=lambda op: op == SKIP)
            at += count
        return tuple(found)

    def params(self, genotypes: Genotypes, dataset: Dataset) -> NDArray[np.int64]:
        """Trainable parameters of each network as built, shape (n,).

        >>> from llmnas_mcp.spaces import DATASETS
        >>> FBNet().params([(0,) * 22, (8,) * 22], DATASETS["cifar100"])
        array([1170676,  780660])
        """
        its = plan(dataset.resolution)
        rest = 9 * dataset.channels * STEM + 2 * STEM + its.layers[-1].c_out * its.head + 2 * its.head
        return _summed(genotypes, _params(dataset.resolution)) + rest + (its.head + 1) * dataset.classes

    def macs(self, genotypes: Genotypes, dataset: Dataset) -> NDArray[np.int64]:
        """Multiply-accumulates of convolutions and classifier for one picture, shape (n,).

        >>> from llmnas_mcp.spaces import DATASETS
        >>> FBNet().macs([(0,) * 22], DATASETS["imagenet"])
        array([118371152])
        """
        its = plan(dataset.resolution)
        first, last = its.layers[0], its.layers[-1]
        rest = 9 * dataset.channels * STEM * first.size**2 + last.c_out * its.head * last.size_out**2
        return _summed(genotypes, _macs(dataset.resolution)) + rest + its.head * dataset.classes

    def build(self, chosen: Mapping[str, Any], dataset: Dataset) -> nn.Module:
        """See `network.Network`; imports torch."""
        from llmnas_mcp.spaces.fbnet.network import Network

        its = plan(dataset.resolution)
        layers = _layers([chosen[position] for position in POSITIONS], its)
        return Network(
            layers, stem_stride=its.stem_stride, head=its.head, classes=dataset.classes, channels=dataset.channels
        )

    def source_code(self, genotype: Genotype, dataset: Dataset) -> str:
        """The text of network.py with these layers filled in: `build()` makes the network and needs torch only."""
        text = files("llmnas_mcp.spaces.fbnet").joinpath("network.py").read_text(encoding="utf-8")
        its = plan(dataset.resolution)
        layers = "".join(
            f"    {layer!r},\n".replace("'", '"') for layer in _layers([BLOCKS[op] for op in genotype], its)
        )
        return (
            f"{text}\n\n# {[int(op) for op in genotype]}\n"
            f"# {self.format(genotype)}\n"
            f"LAYERS = (  # name, channels in, channels out, stride\n{layers})\n\n\n"
            f'def build() -> Network:\n    """The network for {dataset.name}, untrained: inputs'
            f' (batch, {dataset.channels}, {dataset.resolution}, {dataset.resolution})."""\n'
            f"    return Network(\n        LAYERS, stem_stride={its.stem_stride}, head={its.head}, "
            f"classes={dataset.classes}, channels={dataset.channels}\n    )\n"
        )


@cache
def _runs() -> tuple[int, ...]:
    """How many layers follow one another of a shape that they keep; a layer that changes shape counts alone.

    Layer 0, which keeps its shape, has nothing of that shape behind it. The same for every resolution.
    """
    runs: list[int] = []
    before: Layer | None = None
    for layer in plan(32).layers:
        if layer == before and layer.keeps_shape:
            runs[-1] += 1
        else:
            runs.append(1)
        before = layer
    return tuple(runs)


def _layers(blocks: list[str], its: Plan) -> list[tuple[str, int, int, int]]:
    """What network.py asks for of each layer."""
    return [(name, of.c_in, of.c_out, of.stride) for name, of in zip(blocks, its.layers, strict=True)]


def _summed(genotypes: Genotypes, terms: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum over layers of a term (layers, blocks) for each genotype, shape (n,)."""
    array = np.asarray(genotypes, dtype=np.int64).reshape(-1, LAYERS)
    found: NDArray[np.int64] = terms[np.arange(LAYERS), array].sum(1)
    return found


@cache
def _params(resolution: int) -> NDArray[np.int64]:
    """Parameters by layer and block, shape (layers, blocks)."""

    def of(layer: Layer, name: str) -> int:
        if name == "skip":
            return 0 if layer.keeps_shape else layer.c_in * layer.c_out + 2 * layer.c_out
        its = block(name)
        middle = layer.c_in * its.expansion
        convolutions = middle * (layer.c_in + layer.c_out) // its.groups + middle * its.kernel**2
        return convolutions + 2 * (2 * middle + layer.c_out)

    return np.array([[of(layer, name) for name in BLOCKS] for layer in plan(resolution).layers], dtype=np.int64)


@cache
def _macs(resolution: int) -> NDArray[np.int64]:
    """Multiply-accumulates by layer and block, shape (layers, blocks)."""

    def of(layer: Layer, name: str) -> int:
        pixels, pixels_out = layer.size**2, layer.size_out**2
        if name == "skip":
            return 0 if layer.keeps_shape else layer.c_in * layer.c_out * pixels_out
        its = block(name)
        middle = layer.c_in * its.expansion
        points = middle * (layer.c_in * pixels + layer.c_out * pixels_out) // its.groups
        return points + middle * its.kernel**2 * pixels_out

    return np.array([[of(layer, name) for name in BLOCKS] for layer in plan(resolution).layers], dtype=np.int64)
