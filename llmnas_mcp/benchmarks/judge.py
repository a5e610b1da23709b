"""What a search reached in truth: its architectures held against the exact front in (trained accuracy, cost).

A judge is for afterwards. No search may ask one, and none can: `search` does not import this package.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.benchmarks.accuracy import accuracy_of
from llmnas_mcp.devices import Objective, cost_of
from llmnas_mcp.errors import DataError
from llmnas_mcp.pareto import front_of, hypervolume, igd, igd_plus
from llmnas_mcp.spaces import Genotypes, Space, dataset_shape

REFERENCE = (1.0, 1.0)


@dataclass(frozen=True)
class Verdict:
    """How good a set of architectures is in truth.

    share: its hypervolume as a share of the exact front's, in [0, 1], up. igd, igd_plus: distances from the exact
    front, down, 0 the best; infinite when none of the architectures can run. best_accuracy: in %, None then.
    front_size: how many of the architectures are on the front they make together.
    """

    share: float
    igd: float
    igd_plus: float
    best_accuracy: float | None
    front_size: int


@dataclass(frozen=True)
class Judge:
    """Trained accuracy and cost of every architecture of a space, as written, and the exact front of these.

    accuracy (%), cost (ms or mJ): in the order of `space.genotypes()`. points: (cost, accuracy), both minimised and
    scaled to [0, 1] over all that can run, NaN for what cannot run or costs more than the limit. exact: indices of the
    exact front by rising cost; best: its hypervolume. estimated: whether anything was fitted; then `error` is how far
    that is off, in points of accuracy and as a share of the cost. source says what all of it comes from.
    """

    space: Space = field(repr=False)
    accuracy: NDArray[np.float64] = field(repr=False)
    cost: NDArray[np.float64] = field(repr=False)
    points: NDArray[np.float64] = field(repr=False)
    exact: NDArray[np.int64] = field(repr=False)
    best: float
    estimated: bool
    source: str
    error: tuple[float, float] | None

    @classmethod
    def of(
        cls,
        space: Space,
        dataset: str,
        device: str | None,
        objective: Objective,
        data: Path,
        max_cost: float | None = None,
        max_macs: float | None = None,
        max_params: float | None = None,
    ) -> Judge:
        """A judge by the tables in the folder `data`; what these lack is estimated, see `accuracy_of` and `cost_of`.

        With `max_cost` (ms, mJ or M), `max_macs` or `max_params` (M) only architectures within these count, in the
        exact front and in what is judged; the scale stays that of the whole space. Raises what those two raise, and
        DataError where nothing is within the limits.

        >>> from llmnas_mcp.spaces import get_space
        >>> judge = Judge.of(get_space("nasbench201"), "cifar10", "fpga", "latency", Path("none"))
        >>> judge.estimated, judge.source
        (True, 'fitted:nasbench201-accuracy, fitted:hwnasbench')
        """
        genotypes = np.array(list(space.genotypes()))
        accuracies = accuracy_of(space, genotypes, dataset=dataset, data=data)
        costs = cost_of(space, genotypes, device=device, dataset=dataset, objective=objective, data=data)
        objectives = np.column_stack([costs.values, -accuracies.values])
        objectives[np.isnan(objectives).any(1)] = np.nan
        within = ~np.isnan(objectives[:, 0])
        if max_cost is not None:
            within &= costs.values <= max_cost
        for count, most in ((space.macs, max_macs), (space.params, max_params)):
            if most is not None:
                within &= count(genotypes, dataset_shape(dataset)) / 1e6 <= most
        if not within.any():
            limit = "" if max_cost is None else f" within {max_cost:g} {costs.unit}; raise the limit"
            raise DataError(
                f"No architecture of {space.name} with a known accuracy runs{f' on {device}' if device else ''}{limit}."
            )
        low, high = np.nanmin(objectives, 0), np.nanmax(objectives, 0)
        points = (objectives - low) / np.maximum(high - low, 1e-12)
        points[~within] = np.nan
        rows = np.flatnonzero(within)
        exact = rows[front_of(points[rows])]
        sources = dict.fromkeys([*accuracies.sources, *costs.sources])
        off = [float(np.nanmax(errors, initial=0.0)) for errors in (accuracies.errors, costs.errors)]
        estimated = any(source.startswith("fitted:") for source in sources)
        return cls(
            space=space,
            accuracy=accuracies.values,
            cost=costs.values,
            points=points,
            exact=exact,
            best=hypervolume(points[exact], REFERENCE),
            estimated=estimated,
            source=", ".join(sources),
            error=(off[0], off[1]) if estimated else None,
        )

    @property
    def front(self) -> list[tuple[str, float, float]]:
        """The exact front by rising cost: architecture, accuracy in %, cost in ms or mJ."""
        cells = np.array(list(self.space.genotypes()))[self.exact].tolist()
        values = zip(cells, self.accuracy[self.exact].tolist(), self.cost[self.exact].tolist(), strict=True)
        return [(self.space.format(tuple(cell)), accuracy, cost) for cell, accuracy, cost in values]

    def verdict(self, genotypes: Genotypes) -> Verdict:
        """How good the architectures are, as written; those that cannot run or are over the limit count for nothing."""
        rows = self._counting(genotypes)
        if not len(rows):
            return Verdict(0.0, math.inf, math.inf, None, 0)
        points, exact = self.points[rows], self.points[self.exact]
        return Verdict(
            share=hypervolume(points, REFERENCE) / self.best,
            igd=igd(points, exact),
            igd_plus=igd_plus(points, exact),
            best_accuracy=float(self.accuracy[rows].max()),
            front_size=len(front_of(points)),
        )

    def best_accuracy_under(self, genotypes: Genotypes, limits: Sequence[float]) -> list[float | None]:
        """The best accuracy (%) among the architectures that cost at most each limit (ms or mJ); None where none is."""
        rows = self._counting(genotypes)
        cost, accuracy = self.cost[rows], self.accuracy[rows]
        return [float(accuracy[cost <= limit].max()) if (cost <= limit).any() else None for limit in limits]

    def _counting(self, genotypes: Genotypes) -> NDArray[np.int64]:
        rows = self.space.index_of(genotypes)
        counting: NDArray[np.int64] = rows[~np.isnan(self.points[rows, 0])]
        return counting
