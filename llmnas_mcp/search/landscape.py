"""A space seen from one device: what architectures cost there, what they score, and which of them a search may keep.

Nothing here knows how large the space is: costs and scores are asked for the architectures at hand, and what is said of
the whole (niches, scale, hypervolume) comes from its reference.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices import UNITS, Costs, Objective, cost_of
from llmnas_mcp.errors import DataError, LabError, UnscorableError
from llmnas_mcp.pareto import front_of
from llmnas_mcp.results import ScoredBy
from llmnas_mcp.scoring import Scores, has_atlas, looked_up, score_of
from llmnas_mcp.scoring.engine import OBSERVED
from llmnas_mcp.scoring.workers import measure_all
from llmnas_mcp.search.members import Scale, near_rows
from llmnas_mcp.spaces import Dataset, Genotype, Genotypes, Space
from llmnas_mcp.spaces.reference import Reference, descend, reference_of

ENOUGH = 50  # candidates of a reference within the limits; where there are fewer, more are looked for
MOST_PRICED = 100_000  # architectures whose costs are remembered
STEPS = 60  # random changes tried to bring architectures within the limits


class Limits(NamedTuple):
    """The most that an architecture may have; None is no limit. Cost in its unit, the others in millions."""

    cost: float | None = None
    macs: float | None = None
    params: float | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, eq=False)
class Candidates:
    """Architectures that run within limits and stand for all that do: (n, positions), canonical, ascending.

    weights: how many genotypes each stands for. params (n,); costs (n,), finite. complete: whether these are all.
    """

    genotypes: NDArray[np.int_]
    weights: NDArray[np.int64]
    params: NDArray[np.int64]
    costs: NDArray[np.float64]
    complete: bool

    @property
    def scale(self) -> Scale:
        """The range of their costs."""
        return Scale(float(self.costs.min()), float(self.costs.max()))


@dataclass(frozen=True, eq=False)
class Landscape:
    """A space and a dataset, on a device for one objective; device None for an objective that needs none."""

    space: Space
    dataset: Dataset
    device: str | None
    objective: Objective
    data: Path
    scored_by: ScoredBy = "zero-cost"
    known: dict[Limits, Candidates] = field(default_factory=dict, repr=False)
    priced: dict[Genotype, tuple[float, str, float, str | None]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Raises what `cost_of` raises for a device or dataset it does not know."""
        self._cost_of([])

    @property
    def unit(self) -> str:
        """The unit of every cost."""
        return UNITS[self.objective]

    @property
    def reference(self) -> Reference:
        """What stands for the space."""
        return reference_of(self.space, self.dataset)

    def costs(self, genotypes: Genotypes) -> Costs:
        """What architectures cost (down); NaN, with a reason, where one cannot run. Each is priced once."""
        asked: list[Genotype] = [tuple(map(int, genotype)) for genotype in genotypes]
        if new := [genotype for genotype in dict.fromkeys(asked) if genotype not in self.priced]:
            if len(self.priced) > MOST_PRICED:
                self.priced.clear()
                new = list(dict.fromkeys(asked))
            found = self._cost_of(new)
            rows = zip(found.values.tolist(), found.sources, found.errors.tolist(), found.reasons, strict=True)
            self.priced.update(zip(new, rows, strict=True))
        values, sources, errors, reasons = zip(*(self.priced[g] for g in asked), strict=True) if asked else [()] * 4
        return Costs(np.array(values, float), UNITS[self.objective], sources, np.array(errors, float), reasons)

    def _cost_of(self, genotypes: Sequence[Genotype]) -> Costs:
        where, data = self.dataset.name, self.data
        return cost_of(self.space, genotypes, device=self.device, dataset=where, objective=self.objective, data=data)

    def params(self, genotypes: Genotypes) -> NDArray[np.int64]:
        """The parameters of architectures, shape (n,)."""
        return self.space.params(genotypes, self.dataset)

    def excess(self, genotypes: Genotypes, limits: Limits) -> NDArray[np.float64]:
        """By what factors, multiplied, architectures are over the limits, less one: 0 within, infinite what can't run.

        Constant ones are no candidates either.
        """
        costs = self.costs(genotypes).values
        over = np.where(np.isnan(costs), np.inf, 1.0)
        if limits.cost is not None:
            over *= np.maximum(costs / limits.cost, 1)
        if limits.macs is not None:
            over *= np.maximum(self.space.macs(genotypes, self.dataset) / 1e6 / limits.macs, 1)
        if limits.params is not None:
            over *= np.maximum(self.params(genotypes) / 1e6 / limits.params, 1)
        constant = np.array([self.space.constant(tuple(map(int, g))) for g in genotypes], dtype=bool)
        return np.where(constant | np.isnan(over), np.inf, over) - 1

    def candidates(self, limits: Limits) -> Candidates:
        """What stands for all architectures within the limits. Raises LabError, saying what is least, for none."""
        if limits not in self.known:
            self.known[limits] = _candidates(self, limits)
        return self.known[limits]

    def scored_at_once(self, genotypes: Genotypes) -> bool:
        """Whether all of these canonical genotypes are scored without measuring any."""
        if self.scored_by == "params":
            return True
        known = looked_up(self.space, self.dataset, self.data)
        return all(tuple(genotype) in known for genotype in genotypes)

    def scores(self, genotypes: Genotypes, progress: Callable[[int, int], None] | None = None) -> Scores:
        """Scores of canonical genotypes, up; see `score_of`. By params: the part of the reference with no more."""
        if self.scored_by == "params":
            own, known = self.params(genotypes), np.sort(self.reference.params)
            rank = np.searchsorted(known, own, side="right") / len(known)
            return Scores(rank, {}, ("computed",) * len(own), {})
        return score_of(self.space, genotypes, dataset=self.dataset, data=self.data, progress=progress)

    def scored(
        self, genotypes: Sequence[Genotype], progress: Callable[[int, int], None] | None = None
    ) -> Generator[tuple[Genotype, Scores | UnscorableError], None, None]:
        """Scores of canonical genotypes that must be measured, each as soon as it is, or why it has none."""
        before = 0

        def first(done: int, total: int) -> None:
            nonlocal before
            before = total
            if progress:
                progress(done, total + len(genotypes))

        def then(done: int, total: int) -> None:
            if progress:
                progress(before + done, before + total)

        self.scores([], first)  # what to rank against
        with closing(measure_all(self.space, genotypes, self.dataset, OBSERVED, self.data, then)) as outcomes:
            for genotype, outcome in outcomes:
                yield genotype, outcome if isinstance(outcome, UnscorableError) else self.scores([genotype])

    def points(self, genotypes: Sequence[Genotype], scale: Scale) -> NDArray[np.float64]:
        """Canonical genotypes as scaled points (n, 2), both minimised."""
        return scale.objectives(list(self.scores(genotypes).score), list(self.costs(genotypes).values))

    def kept(self, genotypes: Sequence[Genotype], scale: Scale) -> list[Genotype]:
        """The front of canonical genotypes with what errors may have kept off it, as searches keep it."""
        costs = self.costs(genotypes)
        return [genotypes[i] for i in near_rows(self.points(genotypes, scale), costs.values, costs.errors, scale)]

    @property
    def whole(self) -> bool:
        """Whether the score of every architecture is at hand."""
        return self.reference.complete and (self.scored_by == "params" or has_atlas(self.space, self.dataset))

    def best_front(self, limits: Limits, scale: Scale) -> NDArray[np.float64] | None:
        """The front an exhaustive search would find, as scaled points (n, 2); None where not all scores are at hand."""
        if not self.whole:
            return None
        known = self.candidates(limits)
        points = scale.objectives(list(self.scores(known.genotypes).score), list(known.costs))
        return points[front_of(points)]


def _candidates(landscape: Landscape, limits: Limits) -> Candidates:
    reference = landscape.reference
    excess = landscape.excess(reference.genotypes, limits)
    genotypes, weights = reference.genotypes[excess == 0], reference.weights[excess == 0]
    if not reference.complete:
        members = dict(zip(map(tuple, genotypes.tolist()), weights.tolist(), strict=True))
        for genotype in _more(landscape, limits, reference.genotypes, excess, len(members)):
            members.setdefault(genotype, 1)
        genotypes = np.array(sorted(members)).reshape(-1, len(landscape.space.positions))
        weights = np.array([members[tuple(genotype)] for genotype in genotypes.tolist()])
    if not len(genotypes):
        raise _nothing(landscape, limits, excess)
    costs = landscape.costs(genotypes).values
    return Candidates(genotypes, weights, landscape.params(genotypes), costs, reference.complete)


def _more(
    landscape: Landscape, limits: Limits, genotypes: NDArray[np.int_], excess: NDArray[np.float64], known: int
) -> list[Genotype]:
    """Of a space that is not listed: the cheapest and the dearest within limits, and others that get there."""
    space = landscape.space
    runs = np.isfinite(excess)
    if not runs.any():
        return []

    def over(rows: Genotypes) -> NDArray[np.float64]:
        return landscape.excess(rows, limits)

    def cost(rows: Genotypes) -> NDArray[np.float64]:
        return np.where(over(rows) == 0, landscape.costs(rows).values, np.nan)

    start = tuple(genotypes[int(np.where(runs, excess, np.inf).argmin())].tolist())
    start = descend(space, start, over)
    if over([start])[0] > 0:
        return []
    found = [descend(space, start, cost), descend(space, start, lambda rows: -cost(rows))]
    if known < ENOUGH:
        rng = np.random.default_rng(0)
        rows = np.vstack([genotypes[runs], [start] * ENOUGH])
        own = np.append(excess[runs], np.zeros(ENOUGH))
        for _ in range(STEPS):
            others = np.array([space.canonical(tuple(row)) for row in space.mutate(rows, rng).tolist()])
            theirs = over(others)
            nearer = (theirs < own) | (theirs == 0)  # what is within wanders there
            rows, own = np.where(nearer[:, None], others, rows), np.where(nearer, theirs, own)
        found += [tuple(row) for row in rows[own == 0].tolist()]
    return found


def _nothing(landscape: Landscape, limits: Limits, excess: NDArray[np.float64]) -> LabError:
    """What is told where no architecture is within the limits."""
    space, reference = landscape.space, landscape.reference
    where = f" on {landscape.device}" if landscape.device else ""
    if not np.isfinite(excess).any():
        reason = next((r for r in landscape.costs(reference.genotypes).reasons if r), "no cost is known")
        return DataError(f"No architecture of {space.name} runs{where}: {reason}")

    def lowest(value: Callable[[Genotypes], NDArray[np.float64]]) -> float:
        known = value(reference.genotypes)
        if reference.complete:
            return float(np.nanmin(known))
        start = tuple(reference.genotypes[int(np.nanargmin(known))].tolist())
        return float(value([descend(space, start, value)])[0])

    least = {
        "cost": (lowest(lambda rows: landscape.costs(rows).values), landscape.unit, landscape.objective),
        "macs": (lowest(lambda rows: space.macs(rows, landscape.dataset) / 1e6), "M", "MACs"),
        "params": (float(reference.params.min()) / 1e6, "M", "parameters"),
    }
    told = [
        f"at most {limit:g} {least[name][1]} {least[name][2]} (the least there is: {least[name][0]:.3g})"
        for name, limit in limits._asdict().items()
        if limit is not None
    ]
    return LabError(f"No architecture of {space.name} has {' and '.join(told)}{where}. Raise the limit.")
