"""One search problem, the same for every method: costs are free, a score is paid for, once for each architecture."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.pareto import unit_hypervolume
from llmnas_mcp.search.landscape import NO_LIMITS, Landscape, Limits
from llmnas_mcp.search.members import Scale
from llmnas_mcp.spaces import Genotype, Genotypes

Float = NDArray[np.float64]
PATIENCE = 50  # architectures a method may ask for in vain, for each of its evaluations


class BudgetUsed(Exception):  # noqa: N818 - the end of a run, not an error of anyone's
    """A method has used its evaluations, or asks again and again for what it has seen."""


class Problem:
    """What a method may know of a space, a device and a budget; `paid` has what it has paid for, in order.

    scale: of the costs, by default that of all within the limits.
    """

    def __init__(
        self, landscape: Landscape, evaluations: int, limits: Limits = NO_LIMITS, scale: Scale | None = None
    ) -> None:
        self.landscape, self.space, self.limits = landscape, landscape.space, limits
        known = landscape.candidates(limits)
        self.scale = scale or known.scale
        self.budget = min(evaluations, len(known.genotypes)) if known.complete else evaluations
        self.paid: dict[Genotype, tuple[float, ...]] = {}
        self._asked = 0

    def canonical(self, genotypes: Genotypes) -> list[Genotype]:
        """The canonical form of each genotype."""
        return [self.space.canonical(tuple(map(int, genotype))) for genotype in genotypes]

    def costs(self, genotypes: Genotypes) -> Float:
        """The costs of each canonical form in their units (down), shape (n, k); NaN outside the limits. Free."""
        own = self.canonical(genotypes)
        within = self.landscape.excess(own, self.limits) == 0
        return np.where(within[:, None], self.landscape.costs(own).values, np.nan)

    def evaluate(self, genotypes: Genotypes) -> Float:
        """Scaled costs and 1 - score of each, all minimised and in [0, 1], shape (n, objectives).

        What is outside the limits is infinite, and costs nothing. Raises BudgetUsed at the first new architecture
        beyond the budget.
        """
        own = self.canonical(genotypes)
        runs = [bool(np.isfinite(costs).all()) for costs in self.costs(own)]
        points = np.full((len(own), self.objectives), np.inf)
        room = self.budget - len(self.paid)
        new = [g for g, run in zip(own, runs, strict=True) if run and g not in self.paid]
        new = list(dict.fromkeys(new))[:room]
        # All at once: what must be measured is measured on all cores.
        found = dict(zip(new, map(tuple, self.landscape.points(new, self.scale).tolist()), strict=True)) if new else {}
        for i, (genotype, run) in enumerate(zip(own, runs, strict=True)):
            self._asked += 1
            if run:
                if genotype not in self.paid:
                    if genotype not in found:
                        raise BudgetUsed
                    self.paid[genotype] = found[genotype]
                points[i] = self.paid[genotype]
        if len(self.paid) >= self.budget or self._asked > PATIENCE * (self.budget + 100):
            raise BudgetUsed
        return points

    @property
    def architectures(self) -> list[Genotype]:
        """What was paid for, in order, as canonical genotypes."""
        return list(self.paid)

    @property
    def points(self) -> Float:
        """Scaled costs and 1 - score of what was paid for, shape (n, objectives)."""
        return np.array(list(self.paid.values()), dtype=np.float64).reshape(-1, self.objectives)

    @property
    def objectives(self) -> int:
        """How many there are: the costs, and the score."""
        return len(self.landscape.objectives) + 1


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
    return [(n, unit_hypervolume(points[:n])) for n in places]
