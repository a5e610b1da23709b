"""What notation and counting need of a space, which they must not import: it imports them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from llmnas_mcp.spaces.datasets import Dataset

if TYPE_CHECKING:
    from torch import nn

Genotype = tuple[int, ...]


class Choices(Protocol):
    """See `base.Space`."""

    @property
    def name(self) -> str:
        """The space's name."""

    @property
    def choices(self) -> Mapping[str, Sequence[Any]]:
        """Position -> values."""

    @property
    def encoding(self) -> str:
        """How an architecture is written."""

    @property
    def example(self) -> str:
        """One that is."""

    @property
    def positions(self) -> tuple[str, ...]:
        """The positions."""

    @property
    def words(self) -> tuple[tuple[str, ...], ...]:
        """The values as they are written."""

    def active(self, chosen: Mapping[str, Any]) -> Iterable[str]:
        """The positions that matter."""

    def chosen(self, genotype: Genotype) -> dict[str, Any]:
        """Position -> value."""

    def format(self, genotype: Genotype) -> str:
        """The notation of a genotype."""

    def network(self, genotype: Genotype, dataset: Dataset) -> nn.Module:
        """The network of a genotype."""

    def __hash__(self) -> int: ...
