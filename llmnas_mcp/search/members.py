"""A member of a niche: one evaluated architecture, and which members are worth breeding from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmnas_mcp.devices.own import HOST
from llmnas_mcp.pareto import front_of, near_front_of, spread_order
from llmnas_mcp.spaces import Genotype


@dataclass(frozen=True)
class Scale:
    """The range of each cost over all that the limits allow, which makes hypervolumes of one search comparable."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, costs: ArrayLike) -> Scale:
        """The range of costs (n, k)."""
        array = np.asarray(costs, dtype=float)
        return cls(tuple(array.min(0).tolist()), tuple(array.max(0).tolist()))

    def objectives(self, scores: ArrayLike, costs: ArrayLike) -> NDArray[np.float64]:
        """Points (n, k + 1), all minimised and in [0, 1]: the k costs (n, k) scaled over their ranges, and 1 - score.

        >>> Scale((2.0,), (4.0,)).objectives([0.9], [[3.0]]).round(3)
        array([[0.5, 0.1]])
        """
        array = np.asarray(costs, float).reshape(-1, len(self.low))
        return np.column_stack([(array - self.low) / self.widths, 1 - np.asarray(scores, float)])

    def margins(self, costs: NDArray[np.float64], errors: NDArray[np.float64], score: float) -> NDArray[np.float64]:
        """How far points (n, k + 1) may be from the front: by relative errors of costs (NaN: none), and by `score`."""
        return np.column_stack([costs * np.nan_to_num(errors) / self.widths, np.full(len(costs), score)])

    @property
    def widths(self) -> NDArray[np.float64]:
        """The length of each range (k,), never 0."""
        return np.maximum(np.subtract(self.high, self.low), 1e-12)


@dataclass(frozen=True)
class Member:
    """An evaluated architecture: score in [0, 1] (up), and a cost for each of the search's objectives (down).

    repeats: how far its latency repeats where that was measured on an own device, as a share of it.
    """

    architecture: str
    genotype: Genotype
    niche: int
    round: int
    score: float
    costs: tuple[float, ...]
    params: int
    score_source: str
    cost_sources: tuple[str, ...]
    repeats: float | None = None

    @property
    def timed(self) -> bool:
        """Whether a cost of it was measured on an own device."""
        return any(source.startswith(HOST) for source in self.cost_sources)


def points_of(members: Sequence[Member], scale: Scale) -> NDArray[np.float64]:
    """The members as scaled points (n, k + 1), all minimised."""
    return scale.objectives([m.score for m in members], [m.costs for m in members])


def front_members(members: Sequence[Member], scale: Scale) -> list[Member]:
    """The members no other beats in score and costs, by rising first cost."""
    return [members[i] for i in front_of(points_of(members, scale))]


# How far behind in score a member may be and still be shown beside the front: length against what fronts are worth in
# truth. Up to here they gain most of what all members together would add, see docs/results.md.
SCORE_MARGIN = 0.005
CHEAPER = 0.75  # whoever costs this part of another, and scores no less, has clearly beaten it


def near_front_members(members: Sequence[Member], scale: Scale, errors: NDArray[np.float64]) -> list[Member]:
    """The front and the members that errors may have kept off it, by rising first cost.

    errors: (n, k), relative errors of the members' costs, NaN where measured. See `near_rows`.
    """
    costs = np.array([m.costs for m in members], dtype=float).reshape(-1, len(scale.low))
    return [members[i] for i in near_rows(points_of(members, scale), costs, errors, scale)]


def near_rows(
    points: NDArray[np.float64], costs: NDArray[np.float64], errors: NDArray[np.float64], scale: Scale
) -> list[int]:
    """The rows of the front and of what is not clearly beaten, by rising first cost.

    points: (n, k + 1) as of `Scale.objectives`; costs and their relative errors: (n, k). A row is clearly beaten when
    another beats it even with SCORE_MARGIN more score and costs lower by their errors, or has no lower score, no higher
    cost, and one cost at CHEAPER of the row's or less.

    >>> costs, scale = np.array([[5.11], [6.98], [7.1]]), Scale((1.0,), (9.0,))
    >>> near_rows(scale.objectives([0.768, 0.764, 0.8], costs), costs, np.full((3, 1), 0.048), scale)
    [0, 2]
    """
    near = near_front_of(points, scale.margins(costs, errors, SCORE_MARGIN))
    front = front_of(points)
    beaten = np.zeros(len(near), dtype=bool)
    for row in front:
        cheaper = (costs[row] <= CHEAPER * costs[near]).any(1)
        beaten |= (points[row] <= points[near]).all(1) & cheaper
    return [int(row) for row in near[~beaten | np.isin(near, front)]]


def parents(members: Sequence[Member], scale: Scale, count: int) -> list[Member]:
    """The members worth breeding: the niche's front first, then the next ranks; crowded ones last."""
    points = points_of(members, scale)
    # A reference slightly beyond the worst corner keeps the ends of the front.
    return [members[i] for i in spread_order(points, (1.1,) * points.shape[1])[:count]]
