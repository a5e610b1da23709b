"""What a search reached in truth: its architectures held against the exact front of trained accuracy and costs.

A judge is for afterwards. No search may ask one, and none can: `search` does not import this package.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.benchmarks.accuracy import Grade, accuracy_of, grade_of
from llmnas_mcp.devices import ANYWHERE, UNITS, Costs, Objective, cost_of
from llmnas_mcp.errors import DataError
from llmnas_mcp.pareto import front_of, igd, igd_plus, unit_hypervolume
from llmnas_mcp.spaces import Genotype, Genotypes, Space, dataset_shape
from llmnas_mcp.spaces.reference import reference_of

# How the front of a space that is not listed is found: so often so many offspring of the front so far.
GENERATIONS, OFFSPRING = 60, 1000
SEED = 2510


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
class Asked:
    """What a judge is asked about: see `Judge.of`."""

    space: Space
    dataset: str
    device: str | None
    objectives: tuple[Objective, ...]
    data: Path
    limits: dict[Objective, float]


@dataclass(frozen=True)
class Truths:
    """Accuracy (%) and costs of n architectures as written, (n, 1 + k): NaN where one is unknown or cannot run.

    within: (n,), which of them are known and within the limits. sources, off: what all of it comes from, and how far
    that is off, in points of accuracy and as a share of a cost.
    """

    values: NDArray[np.float64]
    within: NDArray[np.bool_]
    sources: tuple[str, ...]
    off: tuple[float, float]

    @classmethod
    def of(cls, asked: Asked, genotypes: Genotypes) -> Truths:
        """Look them up, or estimate them."""

        def priced(name: Objective) -> Costs:
            where = None if name in ANYWHERE else asked.device
            known = {"device": where, "dataset": asked.dataset, "data": asked.data}
            return cost_of(asked.space, genotypes, objective=name, **known)  # type: ignore[arg-type]

        accuracies = accuracy_of(asked.space, genotypes, dataset=asked.dataset, data=asked.data)
        costs = {name: priced(name) for name in dict.fromkeys([*asked.objectives, *asked.limits])}
        own = [costs[name] for name in asked.objectives]
        values = np.column_stack([accuracies.values, *(cost.values for cost in own)])
        values[np.isnan(values).any(1)] = np.nan
        within = ~np.isnan(values[:, 0])
        for name, limit in asked.limits.items():
            within &= costs[name].values <= limit
        sources = dict.fromkeys([*accuracies.sources, *(source for cost in own for source in cost.sources)])
        errors = np.concatenate([cost.errors for cost in own])
        off = [float(np.nanmax(part, initial=0.0)) for part in (accuracies.errors, errors)]
        return cls(values, within, tuple(sources), (off[0], off[1]))


@dataclass(frozen=True)
class Judge:
    """Trained accuracy and costs of architectures, as written, and the exact front of these.

    low, high: (k + 1,), the ends of the scale: least and most of each cost and of accuracy, the latter last and
    negative, so that less is better. exact: the exact front as scaled points by rising first cost; best: its
    hypervolume. complete: whether that front is of all architectures; of a space that is not listed it is what a long
    search by the judge's own figures found. estimated: whether anything was fitted; then `error` is how far that is
    off, in points of accuracy and as a share of a cost. grade: what the accuracies are of. source says what all of it
    comes from.
    """

    asked: Asked = field(repr=False)
    known: dict[Genotype, NDArray[np.float64]] = field(repr=False)
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    front: list[tuple[str, float, list[float]]] = field(repr=False)
    exact: NDArray[np.float64] = field(repr=False)
    best: float
    complete: bool
    estimated: bool
    grade: Grade
    source: str
    error: tuple[float, float] | None

    @classmethod
    def of(
        cls,
        space: Space,
        dataset: str,
        device: str | None,
        objectives: Sequence[Objective],
        data: Path,
        limits: Mapping[Objective, float] | None = None,
    ) -> Judge:
        """A judge by the tables in the folder `data`; what these lack is estimated, see `accuracy_of` and `cost_of`.

        With `limits` (ms, mJ, MB or M) only architectures within these count, in the exact front and in what is judged;
        the scale stays that of the whole space. Raises what those two raise, and DataError where nothing is within.

        >>> from llmnas_mcp.spaces import get_space
        >>> judge = Judge.of(get_space("nasbench201"), "cifar10", "fpga", ["latency"], Path("none"))
        >>> judge.estimated, judge.source
        (True, 'fitted:nasbench201-accuracy, fitted:hwnasbench')
        """
        asked = Asked(space, dataset, device, tuple(objectives), data, dict(limits or {}))
        reference = reference_of(space, dataset_shape(dataset, data))
        genotypes = list(space.genotypes()) if reference.complete else _evolved(asked, reference.genotypes)
        truths = Truths.of(asked, genotypes)
        if not truths.within.any():
            most = " and ".join(f"{limit:g} {UNITS[name]}" for name, limit in asked.limits.items())
            raise DataError(
                f"No architecture of {space.name} with a known accuracy runs{f' on {device}' if device else ''}"
                f"{f' within {most}; raise the limit' if most else ''}."
            )
        less = _less(truths.values)
        low, high = np.nanmin(less, 0), np.nanmax(less, 0)
        points = (less - low) / np.maximum(high - low, 1e-12)
        rows = np.flatnonzero(truths.within)
        exact = rows[front_of(points[rows])]
        estimated = any(not source.startswith(("table:", "computed")) for source in truths.sources)
        told = ((genotypes[row], truths.values[row].tolist()) for row in exact)
        return cls(
            asked=asked,
            known=dict(zip(genotypes, np.where(truths.within[:, None], truths.values, np.nan), strict=True)),
            low=low,
            high=high,
            front=[(space.format(genotype), accuracy, costs) for genotype, (accuracy, *costs) in told],
            exact=points[exact],
            best=unit_hypervolume(points[exact]),
            complete=reference.complete,
            estimated=estimated,
            grade=grade_of(space),
            source=", ".join(truths.sources),
            error=truths.off if estimated else None,
        )

    def values(self, genotypes: Genotypes) -> NDArray[np.float64]:
        """Accuracy (%) and costs of architectures as written, (n, 1 + k); NaN for those that do not count."""
        rows: list[Genotype] = [tuple(map(int, genotype)) for genotype in genotypes]
        if new := [row for row in dict.fromkeys(rows) if row not in self.known]:
            truths = Truths.of(self.asked, new)
            self.known.update(zip(new, np.where(truths.within[:, None], truths.values, np.nan), strict=True))
        return np.array([self.known[row] for row in rows]).reshape(-1, len(self.low))

    def verdict(self, genotypes: Genotypes) -> Verdict:
        """How good the architectures are, as written; those that cannot run or are over a limit count for nothing."""
        values = self._counting(genotypes)
        if not len(values):
            return Verdict(0.0, math.inf, math.inf, None, 0)
        points = (_less(values) - self.low) / np.maximum(self.high - self.low, 1e-12)
        return Verdict(
            share=unit_hypervolume(points) / self.best,
            igd=igd(points, self.exact),
            igd_plus=igd_plus(points, self.exact),
            best_accuracy=float(values[:, 0].max()),
            front_size=len(front_of(points)),
        )

    def best_accuracy_under(self, genotypes: Genotypes, limits: Sequence[float]) -> list[float | None]:
        """The best accuracy (%) among the architectures whose first cost is at most each limit; None where none is."""
        accuracy, cost = self._counting(genotypes)[:, :2].T
        return [float(accuracy[cost <= limit].max()) if (cost <= limit).any() else None for limit in limits]

    def best_under(self, limits: Sequence[float]) -> list[float | None]:
        """The best accuracy (%) there is within each limit of the first cost; None where nothing is within it."""
        within = [[accuracy for _, accuracy, (cost, *_) in self.front if cost <= limit] for limit in limits]
        return [max(found, default=None) for found in within]

    def _counting(self, genotypes: Genotypes) -> NDArray[np.float64]:
        values = self.values(genotypes)
        counting: NDArray[np.float64] = values[~np.isnan(values[:, 0])]
        return counting


def _less(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Accuracy and costs (n, 1 + k) as costs and negative accuracy: less is better."""
    return np.column_stack([values[:, 1:], -values[:, 0]])


def _evolved(asked: Asked, start: NDArray[np.int_]) -> list[Genotype]:
    """The front of a space that is not listed, with the reference it was bred from, by the judge's own figures."""
    space, rng = asked.space, np.random.default_rng(SEED)
    known = {space.canonical(tuple(genotype)) for genotype in start.tolist()}
    front = sorted(known)
    for _ in range(GENERATIONS):
        one, other = (np.array(front)[rng.integers(len(front), size=OFFSPRING)] for _ in range(2))
        children = space.mutate(np.where(rng.random((OFFSPRING, 1)) < 0.5, space.crossover(one, other, rng), one), rng)
        pool = sorted({*front, *(space.canonical(tuple(child)) for child in children.tolist())})
        truths = Truths.of(asked, pool)
        rows = np.flatnonzero(truths.within)
        if not len(rows):
            break
        front = [pool[rows[i]] for i in front_of(_less(truths.values[rows]))]
    return sorted({*known, *front})
