"""Complexity-driven partitioning: the space cut into niches by number of parameters (arXiv 2510.01472, sec. 3.1).

What is clustered are the distinct complexities, each counted once: weighed by their cells, a niche of large networks,
which are few, would be merged into its neighbour. The cut is the exact optimum of one-dimensional k-means, found by
dynamic programming (Wang and Song, Ckmeans.1d.dp, The R Journal 2011), so it needs no seed. How many niches: as many as
make the clusters clearest, by the mean silhouette (Rousseeuw 1987). Where even these lie closer to each other than the
complexities in them, as in a space with many small choices, there are no clusters: then niches are equally wide in the
logarithm of complexity.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import LabError
from llmnas_mcp.results import Cut

MOST_NICHES = 12
USUAL = 6  # niches where there are no clusters


@dataclass(frozen=True)
class Niche:
    """A range of complexity: `low <= params < high`. The ranges of a search are contiguous and cover the space."""

    index: int
    low: int
    high: int

    def holds(self, params: int) -> bool:
        """Whether a network with that many parameters belongs here."""
        return self.low <= params < self.high


def partition(params: NDArray[np.int64], count: int | None = None) -> tuple[list[Niche], Cut]:
    """Cut the distribution of parameter counts, shape (n,), into `count` niches, and say how it was cut.

    By default into its clear clusters, or into USUAL equal steps of its logarithm. Raises LabError when there are fewer
    distinct complexities than niches asked for.

    >>> partition(np.array([1, 2, 3, 101, 102, 103]))
    ([Niche(index=0, low=1, high=101), Niche(index=1, low=101, high=104)], 'clusters')
    >>> partition(np.arange(10, 1001), 2)
    ([Niche(index=0, low=10, high=100), Niche(index=1, low=100, high=1001)], 'equal steps')
    """
    values = np.unique(params)
    if count is not None and not 1 <= count <= min(len(values), MOST_NICHES):
        raise LabError(
            f"niches={count} is not possible: choose 1 to {min(len(values), MOST_NICHES)}, or leave it out to take the"
            " clear clusters of the complexity distribution."
        )
    options = range(2, min(len(values) - 1, MOST_NICHES) + 1)
    clearest = max((kmeans_1d(values, k) for k in options), key=lambda starts: silhouette(values, starts), default=[0])
    how: Cut = "clusters" if are_apart(values, clearest) else "equal steps"
    if how == "equal steps":
        edges = [int(values[0]), *_steps(values, count or min(USUAL, len(values))), int(values[-1]) + 1]
    else:
        cuts = clearest if count is None else kmeans_1d(values, count)
        edges = [int(values[c]) for c in cuts] + [int(values[-1]) + 1]
    return [Niche(i, low, high) for i, (low, high) in enumerate(pairwise(edges))], how


def _steps(values: NDArray[np.int64], count: int) -> list[int]:
    """Where to cut sorted distinct values into `count` equal steps of their logarithm, moved so that none is empty."""
    cuts = np.geomspace(max(values[0], 1), max(values[-1], 1) + 1, count + 1)[1:-1].round().astype(np.int64)
    edges, start = [], 0
    for i, (cut, at) in enumerate(zip(cuts.tolist(), np.searchsorted(values, cuts).tolist(), strict=True)):
        start = min(max(at, start + 1), len(values) - len(cuts) + i)
        edges.append(cut if start == at else int(values[start]))
    return edges


def kmeans_1d(values: NDArray[np.int64], k: int) -> list[int]:
    """Optimal k-means of sorted distinct values, shape (n,): the start index of each of the k clusters. O(k n^2).

    >>> kmeans_1d(np.array([1, 2, 10, 11, 30]), 3)
    [0, 2, 4]
    """
    n = len(values)
    x = values - values.mean()
    s, q = np.append(0.0, np.cumsum(x)), np.append(0.0, np.cumsum(x * x))

    def spread(i: NDArray[np.int64], j: int) -> NDArray[np.float64]:
        return np.asarray(q[j] - q[i] - (s[j] - s[i]) ** 2 / (j - i))

    best = np.append(0.0, [spread(np.array([0]), j)[0] for j in range(1, n + 1)])
    starts: list[NDArray[np.int64]] = [np.zeros(n + 1, dtype=np.int64)]
    for clusters in range(2, k + 1):
        cost, start = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=np.int64)
        for j in range(clusters, n + 1):
            i = np.arange(clusters - 1, j)
            total = best[i] + spread(i, j)
            at = int(np.argmin(total))
            cost[j], start[j] = total[at], i[at]
        best = cost
        starts.append(start)
    cuts, end = [], n
    for start in reversed(starts):
        cuts.append(int(start[end]))
        end = int(start[end])
    return cuts[::-1]


def are_apart(values: NDArray[np.int64], starts: list[int]) -> bool:
    """Whether sorted values, shape (n,), clustered at those starts, leave wider gaps between clusters than within any.

    >>> are_apart(np.array([1, 2, 9, 10]), [0, 2]), are_apart(np.array([1, 4, 6, 9]), [0, 2])
    (True, False)
    """
    gaps = np.diff(values).astype(float)
    between = np.isin(np.arange(1, len(values)), starts)
    return bool(gaps[between].min(initial=np.inf) > gaps[~between].max(initial=0))


def silhouette(values: NDArray[np.int64], starts: list[int]) -> float:
    """Mean silhouette of sorted values, shape (n,), clustered at those starts, in [-1, 1]; higher is clearer.

    >>> round(silhouette(np.array([1, 2, 101, 102]), [0, 2]), 2)
    0.99
    """
    rows = np.arange(len(values))
    label = np.searchsorted(starts, rows, side="right") - 1
    distance = np.abs(values[:, None] - values[None, :]).astype(float)
    total = np.stack([distance[:, label == c].sum(1) for c in range(len(starts))], axis=1)
    size = np.bincount(label)
    others = size[label] - 1
    inside = total[rows, label] / np.maximum(others, 1)
    mean = total / size
    mean[rows, label] = np.inf
    outside = mean.min(1)
    return float(np.where(others > 0, (outside - inside) / np.maximum(outside, inside), 0.0).mean())
