"""A space seen from one device: what every distinct architecture costs there, and which a search may touch.

Costs come from a table or a fitted model and are cheap, so a whole space is priced at once; scores are not, and are
only looked up for the architectures a search pays for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices import Costs, Objective, cost_of
from llmnas_mcp.errors import DataError
from llmnas_mcp.pareto import front_of
from llmnas_mcp.scoring import has_atlas, score_of
from llmnas_mcp.search.members import Scale
from llmnas_mcp.spaces import Dataset, Genotype, SearchSpace


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

    @classmethod
    def of(cls, space: SearchSpace, dataset: Dataset, device: str, objective: Objective, data: Path) -> Landscape:
        """Price the whole space. Raises what `cost_of` raises for a device or dataset it does not know."""
        genotypes = space.distinct()
        costs = cost_of(space, genotypes, device=device, dataset=dataset.name, objective=objective, data=data)
        rows = {tuple(map(int, g)): i for i, g in enumerate(genotypes)}
        return cls(space, dataset, device, objective, costs, space.params(genotypes, dataset), data, rows)

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

    def best_front(self, max_cost: float | None, scale: Scale) -> NDArray[np.float64] | None:
        """The front an exhaustive search would find, as scaled points (n, 2); None where no atlas holds all scores."""
        if not has_atlas(self.space, self.dataset):
            return None
        keep = np.flatnonzero(self.admissible(max_cost))
        scores = score_of(self.space, np.array(self.genotypes)[keep], dataset=self.dataset, data=self.data).score
        points = scale.objectives(list(scores), list(self.costs.values[keep]))
        return points[front_of(points)]
