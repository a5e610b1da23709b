"""One search problem, the same for every method: costs are free, a score is paid for, once for each architecture."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.pareto import hypervolume
from llmnas_mcp.search.landscape import Landscape
from llmnas_mcp.search.members import REFERENCE
from llmnas_mcp.spaces import Genotype, Genotypes

Float = NDArray[np.float64]
PATIENCE = 50  # architectures a method may ask for in vain, for each of its evaluations


class BudgetUsed(Exception):  # noqa: N818 - the end of a run, not an error of anyone's
    """A method has used its evaluations, or asks again and again for what it has seen."""


class Problem:
    """What a method may know of a space, a device and a budget.

    `paid` are the rows of the landscape it has paid for, in order.
    """

    def __init__(self, landscape: Landscape, evaluations: int, max_cost: float | None = None) -> None:
        self.landscape, self.space = landscape, landscape.space
        self.runs = landscape.admissible(max_cost)
        self.budget = min(evaluations, int(self.runs.sum()))
        self.paid: dict[int, tuple[float, float]] = {}
        self._asked = 0

    def rows(self, genotypes: Genotypes) -> NDArray[np.int64]:
        """The distinct architecture each genotype is, shape (n,)."""
        known, canonical = self.landscape.rows, self.space.canonical
        return np.array([known[canonical(tuple(map(int, genotype)))] for genotype in genotypes], dtype=np.int64)

    def costs(self, genotypes: Genotypes) -> Float:
        """The cost of each canonical form in the landscape's unit (down), shape (n,); NaN outside the limits. Free."""
        rows = self.rows(genotypes)
        return np.where(self.runs[rows], self.landscape.costs.values[rows], np.nan)

    def evaluate(self, genotypes: Genotypes) -> Float:
        """Scaled cost and 1 - score of each, both minimised and in [0, 1], shape (n, 2).

        What is outside the limits is infinite, and costs nothing. Raises BudgetUsed at the first new architecture
        beyond the budget.
        """
        rows = self.rows(genotypes)
        points = np.full((len(rows), 2), np.inf)
        for i, row in enumerate(rows.tolist()):
            self._asked += 1
            if self.runs[row]:
                if row not in self.paid:
                    if len(self.paid) >= self.budget:
                        raise BudgetUsed
                    self.paid[row] = self._point(row)
                points[i] = self.paid[row]
        if len(self.paid) >= self.budget or self._asked > PATIENCE * (self.budget + 100):
            raise BudgetUsed
        return points

    def _point(self, row: int) -> tuple[float, float]:
        score = self.landscape.scores([self.landscape.genotypes[row]]).score
        (point,) = self.landscape.scale.objectives(list(score), [self.landscape.costs.values[row]])
        return float(point[0]), float(point[1])

    @property
    def architectures(self) -> list[Genotype]:
        """What was paid for, in order, as canonical genotypes."""
        return [self.landscape.genotypes[row] for row in self.paid]

    @property
    def points(self) -> Float:
        """Scaled cost and 1 - score of what was paid for, shape (n, 2)."""
        return np.array(list(self.paid.values()), dtype=np.float64).reshape(-1, 2)


Method = Callable[[Problem, int], None]


def run(method: Method, problem: Problem, seed: int) -> Problem:
    """Let a method use up a problem's budget; returns the problem."""
    with suppress(BudgetUsed):
        method(problem, seed)
    return problem


def curve(points: Float, most: int = 100) -> list[tuple[int, float]]:
    """Hypervolume (up) after so many evaluations, at no more than `most` places, the last of them the end.

    >>> curve(np.array([[0.5, 0.5], [0.25, 0.5]]))
    [(1, 0.25), (2, 0.375)]
    """
    places = sorted({round(n) for n in np.linspace(1, len(points), min(most, len(points)))}) if len(points) else []
    return [(n, float(hypervolume(points[:n], REFERENCE))) for n in places]
