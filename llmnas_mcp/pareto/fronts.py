"""Which points to keep: Pareto fronts and their quality, on moocore.

Every function takes points of shape (n, objectives) and **minimises every objective**: give `1 - score`, not `score`.
Inputs are never modified. Points must be finite: NaN compares with nothing, so what it gives is not defined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def front_of(points: ArrayLike) -> NDArray[np.int64]:
    """Indices of the non-dominated points, by rising first objective. O(n log n) for two objectives.

    A point is dominated when another is no worse in every objective and better in one. Of equal points the first stays.

    >>> front_of([[2, 2], [1, 3], [3, 3], [1, 3], [1, 4]])
    array([1, 0])
    """
    array = _points(points)
    if not len(array):
        return np.zeros(0, dtype=np.int64)
    import moocore

    kept = np.flatnonzero(moocore.is_nondominated(array))
    return kept[np.argsort(array[kept, 0], kind="stable")]


def near_front_of(points: ArrayLike, slack: ArrayLike) -> NDArray[np.int64]:
    """Indices of the front and of what errors may have kept off it, by rising first objective.

    slack: (n, objectives), at least 0, how much too high each coordinate of a point may be. A point stays unless
    another beats it even so: is no worse than the point less its slack in every objective. Without slack, that is the
    front. O(n m) for a front of m points.

    >>> near_front_of([[1, 3], [1.1, 3.1], [2, 3.3], [3, 1]], [[0.2, 0.2]] * 4)
    array([0, 1, 3])
    """
    array = _points(points)
    at_best = array - np.asarray(slack, dtype=np.float64)
    front = front_of(array)
    beaten = np.zeros(len(array), dtype=bool)
    for best in array[front]:
        beaten |= (best <= at_best).all(1)
    beaten[front] = False
    kept = np.flatnonzero(~beaten)
    return kept[np.argsort(array[kept, 0], kind="stable")]


def ranks_of(points: ArrayLike) -> NDArray[np.int64]:
    """Non-dominated sorting: 0 for the front, 1 for the front of the rest, and so on (Deb et al., NSGA-II, 2002).

    Equal points share a rank.

    >>> ranks_of([[2, 2], [1, 3], [3, 3], [1, 3]])
    array([0, 0, 1, 0])
    """
    array = _points(points)
    if not len(array):
        return np.zeros(0, dtype=np.int64)
    import moocore

    return np.asarray(moocore.pareto_rank(array), dtype=np.int64)


def spread_order(points: ArrayLike, reference: Sequence[float]) -> NDArray[np.int64]:
    """Indices from most to least worth keeping: by rank, within a rank by exclusive hypervolume (SMS-EMOA, 2007).

    >>> spread_order([[0, 3], [3, 0], [1, 1], [0.9, 1.2], [3, 3]], (4, 4))
    array([1, 0, 2, 3, 4])
    """
    array = _points(points)
    if not len(array):
        return np.zeros(0, dtype=np.int64)
    import moocore

    rank, gain = ranks_of(array), np.zeros(len(array))
    for level in np.unique(rank):
        rows = np.flatnonzero(rank == level)
        gain[rows] = moocore.hv_contributions(array[rows], ref=list(reference))
    return np.lexsort((-gain, rank))


def hypervolume(points: ArrayLike, reference: Sequence[float]) -> float:
    """The volume that the points dominate below the reference point; larger is better (Zitzler and Thiele 1998).

    Points that are not better than the reference in every objective add nothing; no points, no volume.

    >>> hypervolume([[0, 0.5], [0.5, 0]], (1, 1))
    0.75
    """
    array = _points(points)
    if not len(array):
        return 0.0
    import moocore

    return float(moocore.hypervolume(array, ref=list(reference)))


def unit_hypervolume(points: ArrayLike) -> float:
    """The share of the unit cube that points scaled to [0, 1] dominate, shape (n, objectives); larger is better.

    >>> unit_hypervolume([[0, 0.5], [0.5, 0]])
    0.75
    """
    array = _points(points)
    if array.shape[1] > 2:  # where points tie, the last digit would depend on their order
        array = np.unique(array[front_of(array)], axis=0)
    return hypervolume(array, (1.0,) * array.shape[1])


def igd(points: ArrayLike, reference_front: ArrayLike) -> float:
    """Inverted generational distance: mean distance from a reference front to the points; smaller is better, 0 is best.

    Euclidean, averaged over the reference front (Coello and Reyes-Sierra 2004); infinite without points.

    >>> round(igd([[0, 1], [1, 0]], [[0, 1], [1, 0], [0.5, 0.5]]), 4)
    0.2357
    """
    array = _points(points)
    if not len(array):
        return math.inf
    import moocore

    return float(moocore.igd(array, ref=_points(reference_front)))


def igd_plus(points: ArrayLike, reference_front: ArrayLike) -> float:
    """IGD that counts only how much worse the points are, so it never rewards a dominated set; smaller is better.

    Ishibuchi et al. 2015; infinite without points.

    >>> igd_plus([[0, 0]], [[0, 1], [1, 0]])
    0.0
    """
    array = _points(points)
    if not len(array):
        return math.inf
    import moocore

    return float(moocore.igd_plus(array, ref=_points(reference_front)))


def _points(points: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(points, dtype=np.float64)
    return array.reshape(len(array), -1) if array.size else array.reshape(0, array.shape[-1] or 2)
