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
        """The one genotype that stands for all that compute the same function; the cheapest of them."""

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

    # what follows from it -------------------------------------------------------------------------------------------

    def genotypes(self) -> Iterator[Genotype]:
        """Every genotype, in ascending order; `index_of` gives positions in that order."""
        return product(*(range(len(c)) for c in self.choices))

    def index_of(self, genotypes: Genotypes) -> NDArray[np.int64]:
        """Positions of genotypes in `genotypes()`, shape (n,)."""
        shape = tuple(len(c) for c in self.choices)
        array = np.asarray(genotypes, dtype=np.int64).reshape(-1, len(shape))
        return np.ravel_multi_index(tuple(array.T), shape).astype(np.int64)

    def sample(self, rng: np.random.Generator) -> Genotype:
        """One genotype, uniformly."""
        return tuple(int(rng.integers(len(c))) for c in self.choices)

    def neighbours(self, genotype: Genotype) -> list[Genotype]:
        """All genotypes that differ at exactly one position."""
        return [
            (*genotype[:i], op, *genotype[i + 1 :])
            for i, ops in enumerate(self.choices)
            for op in range(len(ops))
            if op != genotype[i]
        ]

    def mutate(self, genotype: Genotype, rng: np.random.Generator) -> Genotype:
        """A uniformly drawn neighbour: one position changed to another of its choices."""
        near = self.neighbours(genotype)
        return near[int(rng.integers(len(near)))]

    def crossover(self, one: Genotype, other: Genotype, rng: np.random.Generator) -> Genotype:
        """Uniform crossover: every position from one parent or the other with equal chance."""
        take = rng.random(len(one)) < 0.5
        return tuple(a if t else b for a, b, t in zip(one, other, take, strict=True))
