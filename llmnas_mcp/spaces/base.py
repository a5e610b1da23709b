"""What every search space can do.

An architecture is a string at the boundary (the notation its community uses) and a *genotype* inside: a tuple with one
choice index per position. Everything generic (sampling, mutation, crossover, neighbours) works on genotypes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.spaces.datasets import Dataset

if TYPE_CHECKING:
    from torch import nn

Genotype = tuple[int, ...]
Genotypes = Sequence[Genotype] | NDArray[np.int_]


class SearchSpace(ABC):
    """A finite set of architectures: one choice at each position."""

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    encoding: ClassVar[str]
    example: ClassVar[str]
    positions: ClassVar[tuple[str, ...]]
    choices: ClassVar[tuple[tuple[str, ...], ...]]

    @property
    def size(self) -> int:
        """Number of genotypes."""
        return prod(len(c) for c in self.choices)

    # what a space must say of itself -------------------------------------------------------------------------------

    @abstractmethod
    def parse(self, architecture: str) -> Genotype:
        """Read an architecture string; raise ArchitectureError showing position, allowed operations, an example."""

    @abstractmethod
    def format(self, genotype: Genotype) -> str:
        """Write a genotype in the space's official notation; `parse` is its inverse."""

    @abstractmethod
    def canonical(self, genotype: Genotype) -> Genotype:
        """The genotype that stands for all that are the same network but for dead parts and order."""

    @abstractmethod
    def distinct(self) -> NDArray[np.int_]:
        """Every canonical genotype once, shape (classes, positions), in ascending order."""

    @abstractmethod
    def params(self, genotypes: Genotypes, dataset: Dataset) -> NDArray[np.int64]:
        """Trainable parameters of each network as built, shape (n,)."""

    @abstractmethod
    def macs(self, genotypes: Genotypes, dataset: Dataset) -> NDArray[np.int64]:
        """Multiply-accumulate operations of one forward pass of one input, shape (n,)."""

    @abstractmethod
    def network(self, genotype: Genotype, dataset: Dataset) -> nn.Module:
        """The network in torch, freshly initialised: (batch, 3, resolution, resolution) -> (batch, classes)."""

    @abstractmethod
    def source_code(self, genotype: Genotype, dataset: Dataset) -> str:
        """A Python module with `build()` that makes the network and needs torch, nothing of ours."""

    # what follows from it -------------------------------------------------------------------------------------------

    def genotypes(self) -> Iterator[Genotype]:
        """Every genotype, in ascending order; `index_of` gives positions in that order."""
        return product(*(range(len(c)) for c in self.choices))

    def index_of(self, genotypes: Genotypes) -> NDArray[np.int64]:
        """Positions of genotypes in `genotypes()`, shape (n,)."""
        shape = tuple(len(c) for c in self.choices)
        array = np.asarray(genotypes, dtype=np.int64).reshape(-1, len(shape))
        return np.asarray(np.ravel_multi_index(tuple(array.T), shape), dtype=np.int64)

    def sample(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Genotypes drawn uniformly, shape (count, positions)."""
        return rng.integers([len(c) for c in self.choices], size=(count, len(self.choices)))

    def neighbours(self, genotype: Genotype) -> list[Genotype]:
        """All genotypes that differ at exactly one position."""
        return [
            (*genotype[:i], op, *genotype[i + 1 :])
            for i, ops in enumerate(self.choices)
            for op in range(len(ops))
            if op != genotype[i]
        ]

    def mutate(self, genotypes: Genotypes, rng: np.random.Generator) -> NDArray[np.int64]:
        """For each genotype a uniformly drawn neighbour, shape (n, positions)."""
        mutated = np.array(genotypes, dtype=np.int64).reshape(-1, len(self.choices))
        others = np.array([len(c) - 1 for c in self.choices])
        at = rng.choice(len(others), size=len(mutated), p=others / others.sum())
        rows = np.arange(len(mutated))
        to = rng.integers(others[at])
        mutated[rows, at] = to + (to >= mutated[rows, at])
        return mutated

    def crossover(self, ones: Genotypes, others: Genotypes, rng: np.random.Generator) -> NDArray[np.int64]:
        """Uniform crossover row by row: every position from one parent or the other with equal chance."""
        pair = np.asarray(ones, dtype=np.int64), np.asarray(others, dtype=np.int64)
        return np.where(rng.random(pair[0].shape) < 0.5, *pair)
