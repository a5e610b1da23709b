"""A space seen from one device: what every distinct architecture costs there, and which a search may touch.

Costs come from a table or a fitted model and are cheap, so a whole space is priced at once; scores are not, and are
only looked up for the architectures a search pays for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices import Costs, Objective, cost_of
from llmnas_mcp.errors import DataError
from llmnas_mcp.pareto import front_of
from llmnas_mcp.results import ScoredBy
from llmnas_mcp.scoring import Scores, has_atlas, looked_up, score_of
from llmnas_mcp.search.members import Scale
from llmnas_mcp.spaces import Dataset, Genotype, Genotypes, SearchSpace


@dataclass(frozen=True)
class Landscape:
    """All distinct architectures of a space with their parameters and their cost on one device."""

    space: SearchSpace
    dataset: Dataset
    device: str
    objective: Objective
    costs: Costs
    params: NDArray[np.int64]
    data: Path
    rows: dict[Genotype, int] = field(repr=False)
    scored_by: ScoredBy = "zero-cost"

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        dataset: Dataset,
        device: str,
        objective: Objective,
        data: Path,
        scored_by: ScoredBy = "zero-cost",
    ) -> Landscape:
        """Price the whole space. Raises what `cost_of` raises for a device or dataset it does not know."""
        genotypes = space.distinct()
        costs = cost_of(space, genotypes, device=device, dataset=dataset.name, objective=objective, data=data)
        rows = {tuple(map(int, g)): i for i, g in enumerate(genotypes)}
        return cls(space, dataset, device, objective, costs, space.params(genotypes, dataset), data, rows, scored_by)

    @cached_property
    def genotypes(self) -> list[Genotype]:
        """The distinct architectures, in the order of every array here."""
        return list(self.rows)

    @cached_property
    def scale(self) -> Scale:
        """The range of costs over the space."""
        values = self.costs.values
        if not np.isfinite(values).any():
            raise DataError(f"No architecture of {self.space.name} runs on {self.device}: {self.costs.reasons[0]}")
        return Scale(float(np.nanmin(values)), float(np.nanmax(values)))

    def admissible(self, max_cost: float | None) -> NDArray[np.bool_]:
        """Which can run on the device within the limit, shape (n,)."""
        finite = np.isfinite(self.costs.values)
        return finite if max_cost is None else finite & (self.costs.values <= max_cost)

    def scored_at_once(self, genotypes: Genotypes) -> bool:
        """Whether all of these canonical genotypes are scored without measuring any."""
        if self.scored_by == "params":
            return True
        known = looked_up(self.space, self.dataset, self.data)
        return all(tuple(genotype) in known for genotype in genotypes)

    def scores(self, genotypes: Genotypes, progress: Callable[[int, int], None] | None = None) -> Scores:
        """Scores of canonical genotypes, up; see `score_of`. By params: the part of all architectures with no more."""
        if self.scored_by == "params":
            own = self.params[[self.rows[tuple(map(int, genotype))] for genotype in genotypes]]
            rank = np.searchsorted(np.sort(self.params), own, side="right") / len(self.params)
            return Scores(rank, {}, ("computed",) * len(own))
        return score_of(self.space, genotypes, dataset=self.dataset, data=self.data, progress=progress)

    @property
    def whole(self) -> bool:
        """Whether the score of every architecture is at hand."""
        return self.scored_by == "params" or has_atlas(self.space, self.dataset)

    def best_front(self, max_cost: float | None, scale: Scale) -> NDArray[np.float64] | None:
        """The front an exhaustive search would find, as scaled points (n, 2); None where not all scores are at hand."""
        if not self.whole:
            return None
        keep = np.flatnonzero(self.admissible(max_cost))
        scores = self.scores(np.array(self.genotypes)[keep]).score
        points = scale.objectives(list(scores), list(self.costs.values[keep]))
        return points[front_of(points)]
