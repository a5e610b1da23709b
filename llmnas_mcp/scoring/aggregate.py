"""From proxies to one score: the log-rank sum (Lee and Ham, AZ-NAS, CVPR 2024, arXiv 2403.19232).

A rank fraction says which share of the space a value is at least as good as, so proxies of any scale can be combined.
The logarithm punishes a network that is poor by one proxy more than it rewards one that is best by another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FAR = 30.0  # spreads beyond a sample's end; farther is no worse, for a rank of 0 would have no logarithm


class Ranking:
    """A reference distribution that values are ranked against: (m,) known values, each standing for weights[i] >= 1.

    Equal values share the mean of their ranks; a value the reference lacks is interpolated between its neighbours. Of a
    `sample`, others lie beyond its ends: there ranks go on, ever more slowly, towards 0 and 1.

    >>> ranking = Ranking(np.array([1.0, 5.0, 9.0]), np.array([1, 2, 1]))
    >>> ranking.fractions(np.array([5.0, 1.0, 9.0, 7.0])).tolist()
    [0.625, 0.25, 1.0, 0.8125]
    >>> ranking = Ranking(np.array([1.0, 5.0, 9.0]), np.array([1, 2, 1]), sample=True)
    >>> ranking.fractions(np.array([5.0, 1.0, 9.0, 10.0, 100.0])).round(3).tolist()
    [0.5, 0.125, 0.875, 0.908, 1.0]
    """

    def __init__(self, reference: NDArray[np.float64], weights: NDArray[np.int64], *, sample: bool = False) -> None:
        self._known, group = np.unique(_flushed(reference), return_inverse=True)
        members = np.bincount(group, weights=weights)
        # The middle of the ranks that equal values share: the last one's are 1 where they are all there are.
        self._fractions = (np.cumsum(members) - (members if sample else members - 1) / 2) / members.sum()
        self._spread = float(self._known.std()) or 1.0
        self._sample = sample

    def fractions(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The rank of each value (n,) as a fraction in (0, 1]: 1 is the highest. Monotone in values."""
        ranks: NDArray[np.float64] = np.interp(_flushed(values), self._known, self._fractions)
        if self._sample:
            above = np.maximum(values - self._known[-1], 0) / self._spread
            below = np.maximum(self._known[0] - values, 0) / self._spread
            above, below = np.minimum(above, _FAR), np.minimum(below, _FAR)
            ranks = (1 - (1 - ranks) * np.exp(-above)) * np.exp(-below)
        return ranks


def _flushed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values with 0 for what is so near it that to interpolate between two such would divide by next to nothing."""
    return np.where(np.abs(values) < 1e-290, 0.0, values)


class Aggregate:
    """The aggregate score of some proxies, its members, against a space: name -> (m,), weighted as in `Ranking`.

    >>> space = {"growth": [1, 2, 2], "swap": [1, 1, 1], "jacov": [-9, -8, -9], "params": [1, 2, 3]}
    >>> space = {name: np.array(values, float) for name, values in space.items()}
    >>> Aggregate(list(space), space, np.ones(3, np.int64)).scores(space).round(3).tolist()
    [0.333, 1.0, 0.667]
    """

    def __init__(
        self,
        members: Sequence[str],
        reference: dict[str, NDArray[np.float64]],
        weights: NDArray[np.int64],
        *,
        sample: bool = False,
    ) -> None:
        self._members = {name: Ranking(reference[name], weights, sample=sample) for name in members}
        self._sum = Ranking(self._log_rank_sums(reference), weights, sample=sample)

    def scores(self, values: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """The score in (0, 1], shape (n,), 1 the best: the rank fraction of the log-rank sum over the members."""
        return self._sum.fractions(self._log_rank_sums(values))

    def _log_rank_sums(self, of: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        ranks = [ranking.fractions(of[name]) for name, ranking in self._members.items()]
        sums: NDArray[np.float64] = np.log(ranks).sum(axis=0)
        return sums
