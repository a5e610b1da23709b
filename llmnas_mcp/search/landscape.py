"""A space seen from one device: what architectures cost there, what they score, and which of them a search may keep.

Nothing here knows how large the space is: costs and scores are asked for the architectures at hand, and what is said of
the whole (niches, scale, hypervolume) comes from its reference.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices import ANYWHERE, NAMES, UNITS, Costs, Objective, Unit, cost_of
from llmnas_mcp.errors import DataError, LabError, UnscorableError
from llmnas_mcp.pareto import front_of
from llmnas_mcp.results import ScoredBy
from llmnas_mcp.scoring import Scores, form_of, has_atlas, looked_up, proxies_at_hand, score_of
from llmnas_mcp.scoring.workers import measure_all
from llmnas_mcp.search.members import Scale, near_rows
from llmnas_mcp.spaces import Dataset, Genotype, Genotypes, Space
from llmnas_mcp.spaces.reference import Reference, descend, reference_of

ENOUGH = 50  # candidates of a reference within the limits; where there are fewer, more are looked for
MOST_PRICED = 100_000  # architectures whose costs are remembered
STEPS = 60  # random changes tried to bring architectures within the limits


class Limits(NamedTuple):
    """The most that an architecture may cost, by objective and in its unit; None is no limit."""

    latency: float | None = None
    energy: float | None = None
    memory: float | None = None
    macs: float | None = None
    params: float | None = None

    @property
    def set(self) -> dict[Objective, float]:
        """Those that there are.

        >>> Limits(latency=8.0).set
        {'latency': 8.0}
        """
        names = get_args(Objective)
        return {name: limit for name, limit in zip(names, self, strict=True) if limit is not None}


NO_LIMITS = Limits()


@dataclass(frozen=True)
class CostTable:
    """What n architectures cost by k objectives, lower is better: NaN, with a reason, where one cannot run.

    values, errors: (n, k), errors relative and NaN where there is none. sources: one an objective, reasons: one each.
    """

    values: NDArray[np.float64]
    sources: tuple[tuple[str, ...], ...]
    errors: NDArray[np.float64]
    reasons: tuple[str | None, ...]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Architectures that run within limits and stand for all that do: (n, positions), canonical, ascending.

    weights: how many genotypes each stands for. params (n,); costs (n, objectives), finite. complete: whether these
    are all.
    """

    genotypes: NDArray[np.int_]
    weights: NDArray[np.int64]
    params: NDArray[np.int64]
    costs: NDArray[np.float64]
    complete: bool

    @property
    def scale(self) -> Scale:
        """The ranges of their costs."""
        return Scale.of(self.costs)


@dataclass(frozen=True, eq=False)
class Landscape:
    """A space and a dataset, on a device for one or two objectives; device None where none of them needs one."""

    space: Space
    dataset: Dataset
    device: str | None
    objectives: tuple[Objective, ...]
    data: Path
    scored_by: ScoredBy = "zero-cost"
    known: dict[Limits, Candidates] = field(default_factory=dict, repr=False)
    priced: dict[tuple[Objective, Genotype], tuple[float, str, float, str | None]] = field(
        default_factory=dict, repr=False
    )

    def __post_init__(self) -> None:
        """Raises what `cost_of` raises for a device or dataset it does not know."""
        for objective in self.objectives:
            self._cost_of([], objective)

    @property
    def units(self) -> tuple[Unit, ...]:
        """The unit of each cost."""
        return tuple(UNITS[objective] for objective in self.objectives)

    @property
    def reference(self) -> Reference:
        """What stands for the space."""
        return reference_of(self.space, self.dataset)

    def costs(self, genotypes: Genotypes) -> CostTable:
        """What architectures cost by the objectives."""
        asked: list[Genotype] = [tuple(map(int, genotype)) for genotype in genotypes]
        each = [self.cost(asked, objective) for objective in self.objectives]
        reasons = tuple(next(filter(None, of_one), None) for of_one in zip(*(own.reasons for own in each), strict=True))
        sources = tuple(zip(*(own.sources for own in each), strict=True))
        values, errors = (
            np.column_stack(columns) for columns in zip(*((o.values, o.errors) for o in each), strict=True)
        )
        return CostTable(values, sources, errors, reasons)

    def cost(self, genotypes: Genotypes, objective: Objective) -> Costs:
        """What architectures cost by one objective, one of the landscape's or not. Each is priced once."""
        asked: list[Genotype] = [tuple(map(int, genotype)) for genotype in genotypes]
        if new := [genotype for genotype in dict.fromkeys(asked) if (objective, genotype) not in self.priced]:
            if len(self.priced) > MOST_PRICED:
                self.priced.clear()
                new = list(dict.fromkeys(asked))
            found = self._cost_of(new, objective)
            rows = zip(found.values.tolist(), found.sources, found.errors.tolist(), found.reasons, strict=True)
            self.priced.update(zip(((objective, genotype) for genotype in new), rows, strict=True))
        rows_of = [self.priced[objective, genotype] for genotype in asked]
        values, sources, errors, reasons = zip(*rows_of, strict=True) if asked else [()] * 4
        return Costs(np.array(values, float), UNITS[objective], sources, np.array(errors, float), reasons)

    def _cost_of(self, genotypes: Sequence[Genotype], objective: Objective) -> Costs:
        device = None if objective in ANYWHERE else self.device
        where, data = self.dataset.name, self.data
        return cost_of(self.space, genotypes, device=device, dataset=where, objective=objective, data=data)

    def params(self, genotypes: Genotypes) -> NDArray[np.int64]:
        """The parameters of architectures, shape (n,)."""
        return self.space.params(genotypes, self.dataset)

    def excess(self, genotypes: Genotypes, limits: Limits) -> NDArray[np.float64]:
        """By what factors, multiplied, architectures are over the limits, less one: 0 within, infinite what can't run.

        Constant ones are no candidates either.
        """
        over = np.where(np.isnan(self.costs(genotypes).values).any(1), np.inf, 1.0)
        for objective, limit in limits.set.items():
            with np.errstate(over="ignore"):  # a limit next to nothing is exceeded without bound
                over *= np.maximum(self.cost(genotypes, objective).values / limit, 1)
        constant = np.array([self.space.constant(tuple(map(int, g))) for g in genotypes], dtype=bool)
        return np.where(constant | np.isnan(over), np.inf, over) - 1

    def candidates(self, limits: Limits) -> Candidates:
        """What stands for all architectures within the limits. Raises LabError, saying what is least, for none."""
        if limits not in self.known:
            self.known[limits] = _candidates(self, limits)
        return self.known[limits]

    def scored_at_once(self, genotypes: Genotypes) -> bool:
        """Whether all of these canonical genotypes are scored without measuring any."""
        if self.counted:
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

    def lasting(self, genotypes: Genotypes) -> list[NDArray[np.float64]]:
        """What still tells better from good where scores are close, each (n,), up; see `forms.Form`.

        Nothing where the score is of another kind, or where something would have to be measured for it.
        """
        names = form_of(self.space, self.dataset).lasting
        if self.scored_by == "params" or not names:
            return []
        known = proxies_at_hand(self.space, genotypes, names, dataset=self.dataset, data=self.data)
        return [] if known is None else list(known.values())

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
        observed = form_of(self.space, self.dataset).observed
        with closing(measure_all(self.space, genotypes, self.dataset, observed, self.data, then)) as outcomes:
            for genotype, outcome in outcomes:
                yield genotype, outcome if isinstance(outcome, UnscorableError) else self.scores([genotype])

    def points(self, genotypes: Sequence[Genotype], scale: Scale) -> NDArray[np.float64]:
        """Canonical genotypes as scaled points (n, objectives + 1), all minimised."""
        return scale.objectives(self.scores(genotypes).score, self.costs(genotypes).values)

    def kept(self, genotypes: Sequence[Genotype], scale: Scale) -> list[Genotype]:
        """The front of canonical genotypes with what errors may have kept off it, as searches keep it."""
        costs = self.costs(genotypes)
        return [genotypes[i] for i in near_rows(self.points(genotypes, scale), costs.values, costs.errors, scale)]

    @property
    def whole(self) -> bool:
        """Whether the score of every architecture is at hand."""
        return self.reference.complete and (self.counted or has_atlas(self.space, self.dataset))

    @property
    def counted(self) -> bool:
        """Whether scores are of counts alone, so that nothing is measured for them."""
        return self.scored_by == "params" or not form_of(self.space, self.dataset).observed

    def best_front(self, limits: Limits, scale: Scale) -> NDArray[np.float64] | None:
        """The front an exhaustive search would find, as scaled points; None where not all scores are at hand."""
        if not self.whole:
            return None
        known = self.candidates(limits)
        points = scale.objectives(self.scores(known.genotypes).score, known.costs)
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
    """Of a space that is not listed: by each cost the least and the most within limits, and others that get there."""
    space = landscape.space
    runs = np.isfinite(excess)
    if not runs.any():
        return []

    def over(rows: Genotypes) -> NDArray[np.float64]:
        return landscape.excess(rows, limits)

    def within(objective: Objective, sign: float) -> Callable[[Genotypes], NDArray[np.float64]]:
        return lambda rows: np.where(over(rows) == 0, sign * landscape.cost(rows, objective).values, np.nan)

    start = tuple(genotypes[int(np.where(runs, excess, np.inf).argmin())].tolist())
    start = descend(space, start, over)
    if over([start])[0] > 0:
        return []
    found = [descend(space, start, within(name, sign)) for name in landscape.objectives for sign in (1.0, -1.0)]
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

    told = []
    for name, limit in limits.set.items():
        least = lowest(partial(_values, landscape, name))
        told.append(f"at most {limit:g} {UNITS[name]} {NAMES[name]} (the least there is: {least:.3g})")
    return LabError(f"No architecture of {space.name} has {' and '.join(told)}{where}. Raise the limit.")


def _values(landscape: Landscape, objective: Objective, genotypes: Genotypes) -> NDArray[np.float64]:
    return landscape.cost(genotypes, objective).values
