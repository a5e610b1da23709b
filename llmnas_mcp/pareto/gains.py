"""How much each candidate would add to a front, all candidates at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmnas_mcp.pareto.fronts import front_of

Floats = NDArray[np.float64]


def hypervolume_gains(points: ArrayLike, front: ArrayLike, reference: Sequence[float]) -> Floats:
    """The hypervolume that each point (n, d) alone would add to `front` (m, d), shape (n,), for d of 2 or 3.

    All objectives are minimised. The same as `hypervolume(front + [point]) - hypervolume(front)`, in O(n m) for all
    points together: what the front does not dominate is cut into O(m) boxes once (for three objectives as Yang et al.,
    Journal of Global Optimization 2019), and a point gains what it dominates of each.

    >>> hypervolume_gains([[0.2, 0.2], [0.6, 0.6]], [[0.5, 0.5]], (1, 1)).round(2)
    array([0.39, 0.  ])
    >>> hypervolume_gains([[0.2, 0.2, 0.0]], [[0.5, 0.5, 0.5]], (1, 1, 1)).round(3)
    array([0.515])
    """
    d = len(reference)
    candidates = np.asarray(points, dtype=float).reshape(-1, d)
    known = np.asarray(front, dtype=float).reshape(-1, d)
    known = known[(known < reference).all(1)]
    known = known[front_of(known)]
    low, high = (_strips if d == 2 else _boxes)(known, reference)
    gains = np.ones((len(candidates), len(low)))
    for axis in range(d):
        gains *= np.clip(high[:, axis] - np.maximum(low[:, axis], candidates[:, axis : axis + 1]), 0, None)
    return np.asarray(gains.sum(1))


def _strips(front: Floats, reference: Sequence[float]) -> tuple[Floats, Floats]:
    """Lower and upper corners, each (m + 1, 2), of what a front by rising first objective does not dominate.

    Between two neighbours that is what lies below the left one's second objective.
    """
    edges = np.concatenate([[-np.inf], front[:, 0], [reference[0]]])
    height = np.concatenate([[reference[1]], front[:, 1]])
    return np.column_stack([edges[:-1], np.full(len(height), -np.inf)]), np.column_stack([edges[1:], height])


def _boxes(front: Floats, reference: Sequence[float]) -> tuple[Floats, Floats]:
    """Lower and upper corners, each (boxes, 3), of what a front of three objectives does not dominate.

    A plane rises along the third objective. In it stand strips as of `_strips`; each point it passes closes the strips
    that the point lowers, which become boxes, and opens new ones.
    """
    boxes: list[tuple[float, float, float, float, float]] = []  # left, right, height, from, to
    lefts, strips = [-np.inf], [(float(reference[1]), -np.inf)]  # of each strip: its left end; its height, since when
    for x, y, z in front[np.lexsort((front[:, 1], front[:, 0], front[:, 2]))].tolist():
        at = bisect_left(lefts, x)  # the first strip that begins at x or later
        first = at - 1
        if strips[first][0] <= y or (at < len(lefts) and lefts[at] == x and strips[at][0] <= y):
            continue  # no lower than what stands there already
        last = first
        while last < len(lefts) and strips[last][0] > y:
            right = lefts[last + 1] if last + 1 < len(lefts) else float(reference[0])
            boxes.append((lefts[last], right, strips[last][0], strips[last][1], z))
            last += 1
        left_rest = [(lefts[first], (strips[first][0], z))] if lefts[first] < x else []
        opened = [*left_rest, (x, (y, z))]
        lefts[first:last] = [left for left, _ in opened]
        strips[first:last] = [strip for _, strip in opened]
    ends = [*lefts[1:], float(reference[0])]
    boxes += [
        (left, right, height, since, reference[2])
        for left, right, (height, since) in zip(lefts, ends, strips, strict=True)
    ]
    found = np.array(boxes)
    bottom = np.full(len(found), -np.inf)
    return np.column_stack([found[:, 0], bottom, found[:, 3]]), found[:, [1, 2, 4]]
