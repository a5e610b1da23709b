"""Which network to take of those that a search has evaluated: one within limits, and others that differ from it.

What is known of accuracies comes from outside (`reports/picks.py`), for a search must not see it: here it only decides.
The best grade of truth there is decides among the networks it is known of, and the others come after these: trained
before learned before estimated before the score alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp import results as r
from llmnas_mcp.devices import NAMES, UNITS, Objective
from llmnas_mcp.errors import LabError, UnknownNameError
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.landscape import NO_LIMITS, Limits
from llmnas_mcp.search.members import SCORE_MARGIN, Member
from llmnas_mcp.search.views import costs_told
from llmnas_mcp.spaces import Genotype

TOP, MOST_TOP = 3, 50  # networks of a shortlist, by default and at most
APART = 2  # positions at which designs of a shortlist differ, while there are such
LUCK = 0.2  # points by which accuracies differ when the same network is trained again (docs/results.md)
GRADES: tuple[r.Grade, ...] = ("trained", "learned", "estimated", "score")


@dataclass(frozen=True)
class Known:
    """The accuracy of a network in %, up. error: by how many points it is off on average; None where it was trained."""

    value: float
    grade: r.Grade
    source: str
    error: float | None = None

    @property
    def told(self) -> dict[str, Any]:
        """As answers have it."""
        names = ("grade", "accuracy", "accuracy_source", "accuracy_error")
        return dict(zip(names, (self.grade, self.value, self.source, self.error), strict=True))


class Advice(NamedTuple):
    """The network to take, with others that differ from it, best first, and why."""

    picks: list[r.Pick]
    why: str


def read_limits(given: Mapping[str, float]) -> Limits:
    """Limits from costs by name; raises LabError for a name that is no cost's, and for what is no positive number."""
    for name, limit in given.items():
        if name not in UNITS:
            raise UnknownNameError("limit", name, UNITS)
        if not 0 < limit < math.inf:
            raise LabError(f"limits: {name} {limit:g} is out of range: choose a positive number, or leave it out.")
    return Limits(**given)


def by_score(scores: NDArray[np.float64], lasting: Sequence[NDArray[np.float64]]) -> list[int]:
    """The rows of n networks, best first, where nothing but scores is known (n,), up.

    A score ranks a network in its whole space, where all that a search keeps are near the top. So they are ranked anew
    among themselves: by the mean of their ranks by score and by each of `lasting`, (n,), up, see `Landscape.lasting`.
    Equal ones by score. O(n log n).

    >>> by_score(np.array([0.99, 0.98, 0.5]), [np.array([1.0, 3.0, 2.0]), np.array([2.0, 9.0, 1.0])])
    [1, 0, 2]
    """
    ranks = np.mean([_ranks(column) for column in (scores, *lasting)], axis=0)
    return [int(row) for row in np.lexsort((-scores, -ranks))]


def differing(order: Sequence[int], genotypes: Sequence[Genotype], count: int) -> list[int]:
    """The first `count` rows of an order that differ from each other at APART positions; if too few do, others too.

    >>> differing([2, 0, 1], [(1, 1, 1), (2, 2, 2), (1, 1, 2)], 2)
    [2, 1]
    """
    array, kept = np.asarray(genotypes), list[int]()
    for row in order:
        if len(kept) < count and (np.sum(array[kept] != array[row], axis=1) >= APART).all():
            kept.append(row)
    kept += [row for row in order if row not in kept][: count - len(kept)]
    return sorted(kept, key=list(order).index)


def recommend(
    handle: SearchHandle,
    members: Sequence[Member],
    known: Sequence[Known | None],
    given: Limits = NO_LIMITS,
    top: int = TOP,
) -> Advice:
    """What to take of a search's members, whose accuracies are `known`, within its limits and those given.

    Within limits that is the best. Where there is no limit, it is the cheapest that is within error of the best. Raises
    LabError where no member is within the limits given, and for one on a cost that is not known of the device.
    """
    limits = {**handle.limits.set}
    limits |= {name: min(limit, limits.get(name, limit)) for name, limit in given.set.items()}
    if not members:
        return Advice([], "Nothing is evaluated yet.")
    costs = {name: _costs(handle, members, name) for name in limits}
    within = np.ones(len(members), dtype=bool)
    for name, limit in limits.items():
        within &= costs[name] <= limit
    if not within.any():
        least = " and ".join(f"{np.nanmin(costs[name]):.3g} {_of(name)}" for name in limits)
        told = f"No network of search {handle.search_id} has at most {_most(limits)}; the least there is: {least}."
        if given == NO_LIMITS:
            return Advice([], told)
        raise LabError(f"{told} Raise the limit, or search within it.")
    pool = [m for m, fits in zip(members, within, strict=True) if fits]
    own = [k for k, fits in zip(known, within, strict=True) if fits]
    order = _order(handle, pool, own)
    best, first = order[0], order[0] if limits else _cheapest(handle, pool, own, order)
    order = [first, *(row for row in order if row != first)]
    picks = [_pick(handle, pool[row], own[row]) for row in differing(order, [m.genotype for m in pool], top)]
    return Advice(picks, _why(handle, pool, own, first, best, limits))


def _order(handle: SearchHandle, pool: Sequence[Member], known: Sequence[Known | None]) -> list[int]:
    """The rows of a pool, best first: by the best grade there is of each, then by accuracy, then by score."""
    genotypes = [m.genotype for m in pool]
    ranked = by_score(np.array([m.score for m in pool]), handle.landscape.lasting(genotypes))
    place = {row: i for i, row in enumerate(ranked)}
    worth = [(GRADES.index(k.grade), -k.value) if k else (GRADES.index("score"), 0.0) for k in known]
    return sorted(place, key=lambda row: (worth[row], place[row]))


def _cheapest(handle: SearchHandle, pool: Sequence[Member], known: Sequence[Known | None], order: Sequence[int]) -> int:
    """The one with the least costs, scaled and added, among those that are within error of the first of an order."""
    best = known[order[0]]
    if best is None:
        most = max(m.score for m in pool)
        near = [row for row in order if pool[row].score >= most - SCORE_MARGIN]
    else:
        least = best.value - (best.error or LUCK)
        near = [row for row in order if (k := known[row]) and k.grade == best.grade and k.value >= least]
    return min(near, key=lambda row: handle.points([pool[row]])[0, :-1].sum())


def _pick(handle: SearchHandle, member: Member, known: Known | None) -> r.Pick:
    return r.Pick(
        architecture=member.architecture,
        short=handle.space.short(member.genotype),
        **(
            known.told
            if known
            else {"grade": "score", "accuracy": None, "accuracy_source": None, "accuracy_error": None}
        ),
        score=member.score,
        **costs_told(handle, member.costs),
        params_m=member.params / 1e6,
    )


def _why(
    handle: SearchHandle,
    pool: Sequence[Member],
    known: Sequence[Known | None],
    first: int,
    best: int,
    limits: dict[Objective, float],
) -> str:
    """The recommendation in a sentence or two; `best` is the best of the pool where that is not `first`."""
    taken = known[first]
    grade = taken.grade if taken else "score"
    alike = sum((k.grade if k else "score") == grade for k in known)
    of = f"{len(pool)} evaluated" if alike == len(pool) else f"the {alike} {grade} of {len(pool)} evaluated"
    told = (
        f"{'Within ' + _most(limits) if limits else 'With no limit'}: take {handle.space.short(pool[first].genotype)}"
    )
    told += f" at {_costing(handle, pool[first])}, "
    if taken is None:
        what = "first" if limits else "the cheapest within error of the best"
        return (
            f"{told}{what} by score alone ({pool[first].score:.3f}) of {of}. That is a rank without training, not an"
            " accuracy: train a few that differ before you choose."
        )
    off = "" if taken.error is None else f", off by {taken.error:.2g} points on average"
    accuracy = f"{taken.grade} accuracy {taken.value:.2f} % ({taken.source}{off})"
    if limits:
        return f"{told}with the highest {accuracy} of {of}."
    other = known[best]
    beside = f"; the best has {other.value:.2f} % at {_costing(handle, pool[best])}" if other and best != first else ""
    return f"{told}the cheapest within error of the best: {accuracy}{beside}, of {of}."


def _costing(handle: SearchHandle, member: Member) -> str:
    both = zip(member.costs, handle.objectives, strict=True)
    return " and ".join(f"{cost:.3g} {_of(name)}" for cost, name in both)


def _costs(handle: SearchHandle, members: Sequence[Member], name: Objective) -> NDArray[np.float64]:
    """A cost of each member (n,): as the search tells it, where it is one of the search's."""
    if name in handle.objectives:
        return np.array([m.costs[handle.objectives.index(name)] for m in members], dtype=float)
    return handle.landscape.cost([m.genotype for m in members], name).values


def _ranks(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of values, 1 for the least; equal ones share the mean of theirs."""
    _, group, counts = np.unique(column, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[group]
    return ranks


def _of(name: Objective) -> str:
    """The unit of a cost, with what it is of where the unit does not say it."""
    return UNITS[name] if UNITS[name] != "M" else f"M {NAMES[name]}"


def _most(limits: dict[Objective, float]) -> str:
    return " and ".join(f"{limit:g} {_of(name)}" for name, limit in limits.items())
