"""A member of a niche: one evaluated architecture, and which members are worth breeding from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.pareto import front_of, near_front_of, spread_order
from llmnas_mcp.spaces import Genotype


@dataclass(frozen=True)
class Scale:
    """The range of costs over the whole space, which makes hypervolumes of one search comparable."""

    low: float
    high: float

    def objectives(self, scores: Sequence[float], costs: Sequence[float]) -> NDArray[np.float64]:
        """Points (n, 2), both minimised and in [0, 1]: cost scaled over the space, and 1 - score.

        >>> Scale(2.0, 4.0).objectives([0.9], [3.0]).round(3)
        array([[0.5, 0.1]])
        """
        return np.column_stack([(np.asarray(costs, float) - self.low) / self.width, 1 - np.asarray(scores, float)])

    def margins(self, costs: Sequence[float], errors: NDArray[np.float64], score: float) -> NDArray[np.float64]:
        """How far points (n, 2) may be from the front: by the relative errors of costs (NaN: none), and by `score`."""
        return np.column_stack([np.asarray(costs) * np.nan_to_num(errors) / self.width, np.full(len(costs), score)])

    @property
    def width(self) -> float:
        """The range, never 0."""
        return max(self.high - self.low, 1e-12)


# The reference point of every hypervolume: the highest cost of the space and score 0.
REFERENCE = (1.0, 1.0)


@dataclass(frozen=True)
class Member:
    """An evaluated architecture: score in [0, 1] (up), cost in the search's unit (down)."""

    architecture: str
    genotype: Genotype
    niche: int
    round: int
    score: float
    cost: float
    params: int
    score_source: str
    cost_source: str


def front_members(members: Sequence[Member], scale: Scale) -> list[Member]:
    """The members no other beats in score and cost, by rising cost."""
    points = scale.objectives([m.score for m in members], [m.cost for m in members])
    return [members[i] for i in front_of(points)]


# How far behind in score a member may be and still be shown beside the front: length against what fronts are worth in
# truth. Up to here they gain most of what all members together would add, see docs/results.md.
SCORE_MARGIN = 0.005


def near_front_members(members: Sequence[Member], scale: Scale, errors: NDArray[np.float64]) -> list[Member]:
    """The front and the members that errors may have kept off it, by rising cost.

    errors: (n,), relative errors of the members' costs, NaN where measured. A member is off only when another beats it
    even with SCORE_MARGIN more score and a cost lower by its error.
    """
    costs = [m.cost for m in members]
    points = scale.objectives([m.score for m in members], costs)
    return [members[i] for i in near_front_of(points, scale.margins(costs, errors, SCORE_MARGIN))]


def parents(members: Sequence[Member], scale: Scale, count: int) -> list[Member]:
    """The members worth breeding: the niche's front first, then the next ranks; crowded ones last."""
    points = scale.objectives([m.score for m in members], [m.cost for m in members])
    # A reference slightly beyond the worst corner keeps the ends of the front.
    return [members[i] for i in spread_order(points, (1.1, 1.1))[:count]]
