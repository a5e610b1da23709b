"""What every search space can do, from the choices that its author writes down.

A space is a set of choices that nobody lists. An architecture is a string at the boundary (the notation of its
community, or `depth=3,width=32`) and a *genotype* inside: a tuple with one choice index per position. Everything
generic (sampling, mutation, crossover, neighbours, repair) works on genotypes.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import counting, notation
from llmnas_mcp.spaces.datasets import DATASETS, Dataset
from llmnas_mcp.spaces.needed import Genotype

if TYPE_CHECKING:
    from torch import nn

MOST_LISTED = 20_000  # architectures that are ever listed
Genotypes = Sequence[Genotype] | NDArray[np.int_]


class Space(ABC):
    """A set of architectures: one choice at each position. A subclass needs `name`, `choices` and `build`.

    choices: position -> the values allowed there, in the order of an architecture's notation. title: by default the
    first line of the class's docstring. encoding: how an architecture is written, in words. datasets: the published
    ones its networks are for, None for all; images of the laboratory's owner come beside them. tokens: whether these
    work more on tokens, as transformers do, than on feature maps; None where a look at one is to tell. spec: what
    `space_of` finds the space by in another process. edition: changes with the file of the space. The registry sets
    both.
    """

    name: ClassVar[str]
    choices: ClassVar[Mapping[str, Sequence[Any]]]
    title: ClassVar[str] = ""
    source: ClassVar[str] = "written by its user"
    encoding: ClassVar[str] = "position=value for each position that matters, separated by commas, in any order"
    datasets: ClassVar[tuple[str, ...] | None] = None
    tokens: ClassVar[bool | None] = None
    spec: str = ""
    edition: str = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "title" not in vars(cls) and (text := (cls.__doc__ or "").strip()):
            cls.title = text.splitlines()[0]

    # what a space must say of itself -------------------------------------------------------------------------------

    @abstractmethod
    def build(self, chosen: Mapping[str, Any], dataset: Dataset) -> nn.Module:
        """The network of these choices (position -> value), freshly initialised.

        It takes (batch, dataset.channels, dataset.resolution, dataset.resolution) to (batch, dataset.classes).
        """

    # what a space may say of itself ----------------------------------------------------------------------------------

    def active(self, chosen: Mapping[str, Any]) -> Iterable[str]:  # noqa: ARG002 - for those that override it
        """The positions that matter, given all choices: by default every one."""
        return self.choices

    def parse(self, architecture: str) -> Genotype:
        """Read an architecture in the space's notation or its short form; raises ArchitectureError, with an example."""
        return notation.parse(self, architecture)

    def format(self, genotype: Genotype) -> str:
        """Write a genotype in the space's notation; `parse` reads it."""
        return notation.format_pairs(self, genotype)

    def short(self, genotype: Genotype) -> str:
        """A genotype in few characters; `parse` reads that too."""
        return notation.format_short(self, genotype)

    def say(self, position: str, word: str) -> str:
        """That a value stands at a position, as a person would say it; what stands in statements of rules.

        >>> from llmnas_mcp.spaces import get_space
        >>> get_space("nasbench201").say("0->3", "skip_connect")
        'skip_connect on 0->3'
        """
        return f"{word} on {position}"

    def canonical(self, genotype: Genotype) -> Genotype:
        """The genotype that stands for all that are the same network: by default inactive positions do not count."""
        active = set(self.active(self.chosen(genotype)))
        return tuple(choice if name in active else 0 for name, choice in zip(self.positions, genotype, strict=True))

    def constant(self, genotype: Genotype) -> bool:  # noqa: ARG002 - for those that override it
        """Whether the network's output is known not to depend on its input: such a network is no candidate."""
        return False

    def check_dataset(self, dataset: Dataset) -> None:  # noqa: ARG002 - for those that override it
        """Raise SpaceError, with the fix, where networks of the space take no such images: by default they take any."""
        return

    def params(self, genotypes: Genotypes, dataset: Dataset) -> NDArray[np.int64]:
        """Trainable parameters of each network as built, shape (n,). By default they are counted, see `counting`."""
        return np.array([counting.params(self, g, dataset) for g in self._rows(genotypes)], dtype=np.int64)

    def macs(self, genotypes: Genotypes, dataset: Dataset) -> NDArray[np.int64]:
        """Multiply-accumulates of one forward pass of one input, shape (n,); by default counted as the parameters."""
        return np.array([counting.count(self, g, dataset).macs for g in self._rows(genotypes)], dtype=np.int64)

    def source_code(self, genotype: Genotype, dataset: Dataset) -> str:
        """A Python module with `build()` that makes the network and needs torch, nothing of ours.

        By default the file in which the space is written, with this architecture filled in.
        """
        return notation.standalone(self, genotype, dataset)

    # what follows from it -------------------------------------------------------------------------------------------

    @property
    def dataset(self) -> str:
        """The dataset that is meant where none is named: its first."""
        return (self.datasets or tuple(DATASETS))[0]

    @cached_property
    def positions(self) -> tuple[str, ...]:
        """The positions, in the order of a genotype."""
        return tuple(self.choices)

    @cached_property
    def values(self) -> tuple[tuple[Any, ...], ...]:
        """The values allowed at each position, in the order of a genotype."""
        return tuple(tuple(values) for values in self.choices.values())

    @cached_property
    def words(self) -> tuple[tuple[str, ...], ...]:
        """The values allowed at each position as they are written."""
        return tuple(tuple(map(str, values)) for values in self.values)

    @property
    def size(self) -> int:
        """Number of genotypes."""
        return prod(len(values) for values in self.values)

    @property
    def example(self) -> str:
        """A valid architecture: the middle choice everywhere."""
        return self.format(self.canonical(tuple(len(values) // 2 for values in self.values)))

    @property
    def counted(self) -> bool:
        """Whether parameters come from building each network, which takes some milliseconds, and not from a formula."""
        return type(self).params is Space.params

    def chosen(self, genotype: Genotype) -> dict[str, Any]:
        """The choices of a genotype: position -> value."""
        return {
            name: values[choice] for name, values, choice in zip(self.positions, self.values, genotype, strict=True)
        }

    def network(self, genotype: Genotype, dataset: Dataset) -> nn.Module:
        """The network in torch, freshly initialised: (batch, channels, resolution, resolution) -> (batch, classes)."""
        return self.build(self.chosen(genotype), dataset)

    def genotypes(self) -> Iterator[Genotype]:
        """Every genotype, in ascending order: for tables of a whole space, which no search needs.

        Raises DataError where that is too much.
        """
        self._check_listed()
        return product(*(range(len(values)) for values in self.values))

    def index_of(self, genotypes: Genotypes) -> NDArray[np.int64]:
        """Positions of genotypes in `genotypes()`, shape (n,)."""
        self._check_listed()
        shape = tuple(len(values) for values in self.values)
        array = np.asarray(genotypes, dtype=np.int64).reshape(-1, len(shape))
        return np.asarray(np.ravel_multi_index(tuple(array.T), shape), dtype=np.int64)

    def _check_listed(self) -> None:
        if self.size > MOST_LISTED:
            raise DataError(
                f"Space {self.name} has {self.size:,} architectures: a table with a row for each is for spaces of at"
                f" most {MOST_LISTED:,}."
            )

    def sample(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Genotypes drawn uniformly, shape (count, positions)."""
        return rng.integers([len(values) for values in self.values], size=(count, len(self.values)))

    def neighbours(self, genotype: Genotype) -> list[Genotype]:
        """All genotypes that differ at exactly one position."""
        return [
            (*genotype[:i], choice, *genotype[i + 1 :])
            for i, values in enumerate(self.values)
            for choice in range(len(values))
            if choice != genotype[i]
        ]

    def mutate(self, genotypes: Genotypes, rng: np.random.Generator) -> NDArray[np.int64]:
        """For each genotype a uniformly drawn neighbour, shape (n, positions)."""
        mutated = np.array(genotypes, dtype=np.int64).reshape(-1, len(self.values))
        others = np.array([len(values) - 1 for values in self.values])
        at = rng.choice(len(others), size=len(mutated), p=others / others.sum())
        rows = np.arange(len(mutated))
        to = rng.integers(others[at])
        mutated[rows, at] = to + (to >= mutated[rows, at])
        return mutated

    def crossover(self, ones: Genotypes, others: Genotypes, rng: np.random.Generator) -> NDArray[np.int64]:
        """Uniform crossover row by row: every position from one parent or the other with equal chance."""
        pair = np.asarray(ones, dtype=np.int64), np.asarray(others, dtype=np.int64)
        return np.where(rng.random(pair[0].shape) < 0.5, *pair)

    def _rows(self, genotypes: Genotypes) -> list[Genotype]:
        return [tuple(map(int, genotype)) for genotype in genotypes]

    def __repr__(self) -> str:
        return f"<space {self.name} from {inspect.getmodule(type(self)).__name__}>"  # type: ignore[union-attr]
