"""Slow plain twins of what llmnas_mcp.pareto does fast. All objectives are minimised."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from math import dist, prod
from types import SimpleNamespace

import pytest

Points = Sequence[Sequence[float]]


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and list(one) != list(other)


def front_of(points: Points) -> list[int]:
    """No point dominates it, no equal point stands before it; by rising first objective."""
    kept = [
        i
        for i, point in enumerate(points)
        if not any(dominates(other, point) for other in points) and list(point) not in map(list, points[:i])
    ]
    return sorted(kept, key=lambda i: points[i][0])


def ranks_of(points: Points) -> list[int]:
    """Peel one front after the other."""
    ranks, left, rank = [0] * len(points), set(range(len(points))), 0
    while left:
        best = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        for i in best:
            ranks[i] = rank
        left, rank = left - best, rank + 1
    return ranks


def hypervolume(points: Points, reference: Sequence[float]) -> float:
    """Cut the space at every coordinate into boxes and sum those that some point dominates."""
    cuts = [sorted({p[k] for p in points if p[k] < limit} | {limit}) for k, limit in enumerate(reference)]
    boxes = product(*(list(pairwise(c)) for c in cuts))
    return sum(
        prod(high - low for low, high in box)
        for box in boxes
        if any(all(p[k] <= box[k][0] for k in range(len(reference))) for p in points)
    )


def exclusive(points: Points, reference: Sequence[float], i: int) -> float:
    """What would be lost without point i."""
    return hypervolume(points, reference) - hypervolume([*points[:i], *points[i + 1 :]], reference)


def igd(points: Points, front: Points) -> float:
    return sum(min(dist(z, p) for p in points) for z in front) / len(front)


def igd_plus(points: Points, front: Points) -> float:
    def worse(p: Sequence[float], z: Sequence[float]) -> float:
        return sum(max(a - b, 0) ** 2 for a, b in zip(p, z, strict=True)) ** 0.5

    return sum(min(worse(p, z) for p in points) for z in front) / len(front)


@pytest.fixture(scope="session")
def slow() -> SimpleNamespace:
    """The twins, under the names of what they are twins of."""
    return SimpleNamespace(
        front_of=front_of,
        ranks_of=ranks_of,
        hypervolume=hypervolume,
        exclusive=exclusive,
        igd=igd,
        igd_plus=igd_plus,
    )
