"""How a round's evaluations are shared among niches."""

from __future__ import annotations

from collections.abc import Sequence


def share_out(total: int, capacity: Sequence[int], weight: Sequence[float]) -> list[int]:
    """Share `total` evaluations in proportion to `weight` (positive), none above its capacity.

    What an exhausted niche cannot use goes to the others; the sum is min(total, sum(capacity)).

    >>> share_out(12, [100, 2, 100], [1, 1, 1])
    [5, 2, 5]
    >>> share_out(9, [100, 100], [2, 1])
    [6, 3]
    """
    shares = [0] * len(capacity)
    for _ in range(min(total, sum(capacity))):
        # The niche that is furthest below its due gets the next one; ties go to the first.
        due = [(shares[k] + 1) / weight[k] if shares[k] < capacity[k] else float("inf") for k in range(len(capacity))]
        shares[due.index(min(due))] += 1
    return shares
