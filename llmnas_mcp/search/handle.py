"""An open search: its settings, its landscape, its niches, and the state that follows from its members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices import Objective, Unit
from llmnas_mcp.devices.own import HOST
from llmnas_mcp.errors import NotFoundError
from llmnas_mcp.pareto import unit_hypervolume
from llmnas_mcp.results import Target
from llmnas_mcp.search.instruments import MOST_ARCHITECTURES
from llmnas_mcp.search.landscape import Candidates, Landscape, Limits
from llmnas_mcp.search.members import Member, Scale, front_members, near_front_members, points_of
from llmnas_mcp.search.niches import Niche
from llmnas_mcp.search.shares import share_out
from llmnas_mcp.spaces import Space

LATELY = 3  # rounds over which a niche's gains count


@dataclass(frozen=True)
class Round:
    """A round: its number, and how many evaluations each niche has left of its share."""

    number: int
    left: list[int]


@dataclass
class SearchHandle:
    """A search with what belongs to it; `row` is its line in the store, `known` the members read so far."""

    row: dict[str, Any]
    landscape: Landscape
    known: list[Member] = field(default_factory=list, repr=False)
    last_id: int = 0
    lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def search_id(self) -> str:
        """The search's id."""
        return str(self.row["search_id"])

    @property
    def space(self) -> Space:
        """The space searched."""
        return self.landscape.space

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is low in a good architecture, beside a high score: one or two costs."""
        return self.landscape.objectives

    @property
    def targets(self) -> tuple[Target, ...]:
        """What rules may be about: the score, and the cost, or where there are two each by its name."""
        return ("score", "cost") if len(self.objectives) == 1 else ("score", *self.objectives)

    def values(self, members: Sequence[Member], target: Target) -> list[float]:
        """What a target is for each member."""
        if target == "score":
            return [m.score for m in members]
        column = self.targets.index(target) - 1
        return [m.costs[column] for m in members]

    @property
    def units(self) -> tuple[Unit, ...]:
        """The unit of each cost: ms, mJ, MB, or M for millions."""
        return self.landscape.units

    @property
    def limits(self) -> Limits:
        """The most an architecture may cost."""
        return Limits(**self.row["limits"])

    @property
    def candidates(self) -> Candidates:
        """What stands for all that the limits allow."""
        return self.landscape.candidates(self.limits)

    @cached_property
    def scale(self) -> Scale:
        """The ranges of costs within the limits, fixed when the search began."""
        return Scale(tuple(self.row["cost_low"]), tuple(self.row["cost_high"]))

    @cached_property
    def niches(self) -> list[Niche]:
        """The niches, by rising complexity."""
        return [Niche(i, low, high) for i, (low, high) in enumerate(self.row["niches"])]

    def home(self, params: int) -> int:
        """The niche of an architecture with so many parameters; what lies beyond the ends belongs to the one there."""
        return int(np.clip(np.searchsorted([n.low for n in self.niches], params, side="right") - 1, 0, None))

    def niche(self, index: int) -> Niche:
        """One niche; raises NotFoundError with the ones there are."""
        if not 0 <= index < len(self.niches):
            raise NotFoundError(f"Search {self.search_id} has no niche {index}. Niches: 0 to {len(self.niches) - 1}.")
        return self.niches[index]

    @cached_property
    def sizes(self) -> list[int | None]:
        """How many architectures of each niche are within the limits; None where nobody can count them."""
        known = self.candidates
        if not known.complete:
            return [None] * len(self.niches)
        return [int(((known.params >= n.low) & (known.params < n.high)).sum()) for n in self.niches]

    def untried(self, niche: int, tried: int) -> int | None:
        """How many architectures of a niche are left when so many are tried; None where nobody can count them."""
        size = self.sizes[niche]
        return None if size is None else size - tried

    def points(self, members: Sequence[Member]) -> NDArray[np.float64]:
        """The members as scaled points (n, costs + 1), all minimised."""
        return points_of(members, self.scale)

    def near_front(self, members: Sequence[Member]) -> list[Member]:
        """The members on the front or too close to it to tell, by rising first cost."""
        return near_front_members(members, self.scale, self.errors(members))

    def errors(self, members: Sequence[Member]) -> NDArray[np.float64]:
        """Relative errors of the members' costs (n, k): of a model, or how far a measurement repeats; NaN: exact."""
        errors = self.landscape.costs([m.genotype for m in members]).errors.copy()
        for row, member in enumerate(members):
            for column, source in enumerate(member.cost_sources):
                if source.startswith(HOST):
                    latency = self.objectives[column] == "latency" and member.repeats is not None
                    errors[row, column] = member.repeats if latency else np.nan
        return errors

    def hypervolume(self, members: Sequence[Member]) -> float:
        """The share of the unit square, or with two costs of the unit cube, that the members dominate."""
        return unit_hypervolume(self.points(members))

    def gained(self, members: Sequence[Member]) -> NDArray[np.float64]:
        """What an evaluation in each niche added to the hypervolume lately, shape (niches,), never below 0.

        A niche's part of a round added what would be missing without it at the end of that round; divided by its number
        of evaluations. The last LATELY rounds count, each half as much as the one after it.
        """
        gained = np.zeros(len(self.niches))
        points = self.points(members)
        rounds, niches = (
            np.array(each, dtype=int) for each in ([m.round for m in members], [m.niche for m in members])
        )
        newest = rounds.max(initial=0)
        for number in range(max(1, newest - LATELY + 1), newest + 1):
            gained /= 2
            until = rounds <= number
            reached = unit_hypervolume(points[until])
            for niche in set(niches[rounds == number].tolist()):
                own = (rounds == number) & (niches == niche)
                gained[niche] += (reached - unit_hypervolume(points[until & ~own])) / own.sum()
        return gained

    def shares(self, members: Sequence[Member]) -> list[int]:
        """How many evaluations each niche may use in the next round; what one cannot use goes to the others.

        In proportion to what they gained lately, as many parts in all as there are members on the merged front; plus a
        prior by the square root of a niche's size, where that is known (1 on average, at least 0.25, so that even a
        niche of one architecture has it tried).
        """
        tried = Counter(m.niche for m in members)
        # No more than one call breeds or submits.
        capacity = [
            MOST_ARCHITECTURES if size is None else min(size - tried[k], MOST_ARCHITECTURES)
            for k, size in enumerate(self.sizes)
        ]
        total = len(self.niches) * self.row["offspring"]
        total = min(total, self.row["evaluations"] - len(members))
        prior = np.sqrt([max(size or 0, 1) for size in self.sizes])
        gained = self.gained(members)
        parts = len(front_members(members, self.scale)) * gained / max(gained.sum(), 1e-12)
        return share_out(total, capacity, list(np.maximum(prior / prior.mean(), 0.25) + parts))

    def round_under_way(self, members: Sequence[Member]) -> Round:
        """The round that is begun and not done; when every niche has used its share, the next one.

        What was planned follows from the members of the rounds before, so nobody need remember it.
        """
        newest = max((m.round for m in members), default=1)
        budget = self.row["evaluations"] - len(members)
        used = Counter(m.niche for m in members if m.round == newest)
        left = []
        for niche, share in enumerate(self.shares([m for m in members if m.round < newest])):
            left.append(min(max(0, share - used[niche]), budget))
            budget -= left[-1]
        return Round(newest, left) if any(left) else Round(newest + 1, self.shares(members))
