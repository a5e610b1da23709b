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
    """The range of costs over all that the limits allow, which makes hypervolumes of one search comparable."""

    low: float
    high: float

    def objectives(self, scores: Sequence[float], costs: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 2), both minimised and in [0, 1]: cost scaled over that range, and 1 - score.

        >>> Scale(2.0, 4.0).objectives([0.9], [3.0]).round(3)
        array([[0.5, 0.1]])
        """
        return np.column_stack([(np.asarray(costs, float) - self.low) / self.width, 1 - np.asarray(scores, float)])

    def margins(self, costs: NDArray[np.float64], errors: NDArray[np.float64], score: float) -> NDArray[np.float64]:
        """How far points (n, 2) may be from the front: by the relative errors of costs (NaN: none), and by `score`."""
        return np.column_stack([np.asarray(costs) * np.nan_to_num(errors) / self.width, np.full(len(costs), score)])

    @property
    def width(self) -> float:
        """The range, never 0."""
        return max(self.high - self.low, 1e-12)


# The reference point of every hypervolume: the highest cost within the limits and score 0.
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
CHEAPER = 0.75  # whoever costs this part of another, and scores no less, has clearly beaten it


def near_front_members(members: Sequence[Member], scale: Scale, errors: NDArray[np.float64]) -> list[Member]:
    """The front and the members that errors may have kept off it, by rising cost.

    errors: (n,), relative errors of the members' costs, NaN where measured. See `near_rows`.
    """
    costs = np.array([m.cost for m in members], dtype=float)
    return [members[i] for i in near_rows(scale.objectives([m.score for m in members], costs), costs, errors, scale)]


def near_rows(
    points: NDArray[np.float64], costs: NDArray[np.float64], errors: NDArray[np.float64], scale: Scale
) -> list[int]:
    """The rows of the front and of what is not clearly beaten, by rising cost.

    points: (n, 2) as of `Scale.objectives`; costs and their relative errors: (n,). A row is clearly beaten when another
    beats it even with SCORE_MARGIN more score and a cost lower by its error, or has no lower score at CHEAPER of its
    cost or less.

    >>> costs = np.array([5.11, 6.98, 7.1])
    >>> points = Scale(1.0, 9.0).objectives([0.768, 0.764, 0.8], costs)
    >>> near_rows(points, costs, np.full(3, 0.048), Scale(1.0, 9.0))
    [0, 2]
    """
    near = near_front_of(points, scale.margins(costs, errors, SCORE_MARGIN))
    front = front_of(points)
    # Along a front by rising cost the second objective falls: the first that is no worse than a row is the cheapest.
    first = np.searchsorted(-points[front, 1], -points[near, 1])
    inside = first < len(front)
    beaten = np.zeros(len(near), dtype=bool)
    beaten[inside] = costs[front[first[inside]]] <= CHEAPER * costs[near[inside]]
    return [int(row) for row in near[~beaten | np.isin(near, front)]]


def parents(members: Sequence[Member], scale: Scale, count: int) -> list[Member]:
    """The members worth breeding: the niche's front first, then the next ranks; crowded ones last."""
    points = scale.objectives([m.score for m in members], [m.cost for m in members])
    # A reference slightly beyond the worst corner keeps the ends of the front.
    return [members[i] for i in spread_order(points, (1.1, 1.1))[:count]]
