"""NAS-Bench-201 as a search space, with its complexity in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import SpaceError
from llmnas_mcp.spaces.base import Genotypes, Space
from llmnas_mcp.spaces.datasets import Dataset
from llmnas_mcp.spaces.nasbench201.encoding import (
    EDGES,
    EXAMPLE,
    OPERATIONS,
    POSITIONS,
    format_cell,
    parse_cell,
    short_cell,
)
from llmnas_mcp.spaces.nasbench201.topology import NONE, canonical_cells
from llmnas_mcp.spaces.needed import Genotype

if TYPE_CHECKING:
    from torch import nn

_CHANNELS, _CELLS = np.array([16, 32, 64]), 5  # as in network.py, which needs torch
_KERNEL = np.array([1 if "1x1" in op else 3 if "conv_3x3" in op else 0 for op in OPERATIONS])


class NASBench201(Space):
    """15,625 cells of six edges with five operations each."""

    name = "nasbench201"
    title = "NAS-Bench-201 cells: 4 nodes, 6 edges, 5 operations"
    source = "Dong and Yang, NAS-Bench-201, ICLR 2020 (arXiv 2001.00326)"
    encoding = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|: edges into nodes 1, 2, 3; op~i is the edge from node i"
    choices = dict.fromkeys(POSITIONS, OPERATIONS)
    datasets = ("cifar10", "cifar100", "ImageNet16-120")
    tokens = False

    @property
    def example(self) -> str:
        """A cell with every kind of operation that has weights."""
        return EXAMPLE

    def parse(self, architecture: str) -> Genotype:
        """See `parse_cell`."""
        return parse_cell(architecture)

    def format(self, genotype: Genotype) -> str:
        """See `format_cell`."""
        return format_cell(genotype)

    def short(self, genotype: Genotype) -> str:
        """See `short_cell`."""
        return short_cell(genotype)

    def canonical(self, genotype: Genotype) -> Genotype:
        """See `topology.canonical_cells`.

        >>> NASBench201().canonical((3, 0, 3, 1, 0, 0))
        (0, 0, 0, 1, 0, 0)
        """
        return canonical_cells()[genotype]

    def constant(self, genotype: Genotype) -> bool:
        """Whether the network's output does not depend on its input: no way through the cell, as in 341 of them.

        >>> NASBench201().constant((3, 0, 0, 0, 0, 3)), NASBench201().constant((3, 0, 3, 0, 0, 3))
        (True, False)
        """
        return self.canonical(genotype) == self.canonical((NONE,) * len(EDGES))

    def check_dataset(self, dataset: Dataset) -> None:
        """Raise SpaceError for images that cannot be halved twice: both ways around a reduction must fit together."""
        if dataset.resolution % 4:
            raise SpaceError(
                f"Networks of {self.name} halve images twice, and {dataset.name} has {dataset.resolution} pixels a"
                f" side: add the data again with --resolution {max(4, round(dataset.resolution / 4) * 4)}."
            )

    def distinct(self) -> NDArray[np.int_]:
        """All 5,260 canonical cells, shape (5260, 6)."""
        return self._distinct

    @cached_property
    def _distinct(self) -> NDArray[np.int_]:
        return np.array(sorted(set(canonical_cells().values())))

    def params(self, genotypes: Genotypes, dataset: Dataset) -> NDArray[np.int64]:
        """Trainable parameters, dead edges included, as the benchmark counts them.

        >>> from llmnas_mcp.spaces.datasets import DATASETS
        >>> NASBench201().params([(0, 0, 0, 1, 0, 0), (3, 3, 3, 3, 3, 3)], DATASETS["cifar10"])
        array([  73306, 1531546])
        """
        kernels = self._kernels(genotypes)[:, :, None]
        convs: NDArray[np.int64] = (
            np.where(kernels > 0, kernels**2 * _CHANNELS**2 + 2 * _CHANNELS, 0).sum((1, 2)) * _CELLS
        )
        stem = 9 * dataset.channels * 16 + 2 * 16
        reductions = sum(56 * c**2 + 8 * c for c in (16, 32))
        return convs + stem + reductions + 2 * 64 + 65 * dataset.classes

    def macs(self, genotypes: Genotypes, dataset: Dataset) -> NDArray[np.int64]:
        """Multiply-accumulates of convolutions and classifier (the convention of NATS-Bench).

        >>> from llmnas_mcp.spaces.datasets import DATASETS
        >>> NASBench201().macs([(0, 0, 0, 1, 0, 0)], DATASETS["cifar10"])
        array([7783050])
        """
        pixels = (dataset.resolution // np.array([1, 2, 4])) ** 2
        kernels = self._kernels(genotypes)[:, :, None]
        convs: NDArray[np.int64] = (kernels**2 * _CHANNELS**2 * pixels).sum((1, 2)) * _CELLS
        stem = 9 * dataset.channels * 16 * int(pixels[0])
        reductions = sum(56 * c**2 * int(p) for c, p in zip((16, 32), pixels[1:], strict=True))
        return convs + stem + reductions + 65 * dataset.classes

    def build(self, chosen: Mapping[str, Any], dataset: Dataset) -> nn.Module:
        """See `network.Network`; imports torch."""
        from llmnas_mcp.spaces.nasbench201.network import Network

        cell = tuple(OPERATIONS.index(chosen[position]) for position in POSITIONS)
        return Network(cell, dataset.classes, dataset.channels)

    def source_code(self, genotype: Genotype, dataset: Dataset) -> str:
        """The text of network.py with this cell and these classes filled in."""
        text = files("llmnas_mcp.spaces.nasbench201").joinpath("network.py").read_text(encoding="utf-8")
        ours = (
            "from llmnas_mcp.spaces.nasbench201.encoding import EDGES, OPERATIONS\n"
            "from llmnas_mcp.spaces.needed import Genotype\n"
        )
        cell = (
            f"Genotype = tuple[int, ...]\nOPERATIONS = {OPERATIONS!r}\nEDGES = {EDGES!r}\n\n"
            f"# {self.format(genotype)}\nCELL: Genotype = {tuple(genotype)!r}\nCLASSES = {dataset.classes}\n"
        )
        build = (
            f'\n\ndef build() -> Network:\n    """The network for {dataset.name}, untrained: inputs'
            f' (batch, {dataset.channels}, {dataset.resolution}, {dataset.resolution})."""\n'
            f"    return Network(CELL, CLASSES{'' if dataset.channels == 3 else f', colours={dataset.channels}'})\n"
        )
        if ours not in text:
            raise RuntimeError("network.py no longer imports what source_code replaces")
        return text.replace(ours, cell) + build

    @staticmethod
    def _kernels(genotypes: Genotypes) -> NDArray[np.int64]:
        return _KERNEL[np.asarray(genotypes, dtype=np.int64).reshape(-1, len(POSITIONS))].astype(np.int64)
