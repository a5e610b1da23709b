"""From proxies to one score: the log-rank sum (Lee and Ham, AZ-NAS, CVPR 2024, arXiv 2403.19232).

A rank fraction says which share of the space a value is at least as good as, so proxies of any scale can be combined.
The logarithm punishes a network that is poor by one proxy more than it rewards one that is best by another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Two members that see different things: jacov how well gradients tell inputs apart, params how much can be learned.
# synflow, naswot and macs grow with params too: as further members they count size twice, and rank worse.
MEMBERS = ("jacov", "params")


def rank_fractions(
    values: NDArray[np.float64], reference: NDArray[np.float64], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The rank of each value within a reference distribution as a fraction in (0, 1]: 1 is the highest.

    values: (n,); reference: (m,), the known values, each standing for weights[i] >= 1 architectures. Equal values share
    the mean of their ranks; a value the reference lacks is interpolated between its neighbours and never outranks the
    best known or falls below the worst. Monotone in values. Cost O((n + m) log m).

    >>> rank_fractions(np.array([5.0, 1.0, 9.0, 7.0]), np.array([1.0, 5.0, 9.0]), np.array([1, 2, 1])).tolist()
    [0.625, 0.25, 1.0, 0.8125]
    """
    known, group = np.unique(reference, return_inverse=True)
    members = np.bincount(group, weights=weights)
    mid_ranks = np.cumsum(members) - (members - 1) / 2
    fractions: NDArray[np.float64] = np.interp(values, known, mid_ranks / members.sum())
    return fractions


def scores(
    values: dict[str, NDArray[np.float64]], reference: dict[str, NDArray[np.float64]], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The aggregate score in (0, 1], shape (n,), 1 the best: the rank fraction of the log-rank sum over MEMBERS.

    values: proxy name -> (n,); reference: proxy name -> (m,) over the space, weighted as in `rank_fractions`.

    >>> space = {"jacov": np.array([-9.0, -8.0, -9.0]), "params": np.array([1.0, 2.0, 3.0])}
    >>> scores(space, space, np.ones(3, np.int64)).round(3).tolist()
    [0.333, 1.0, 0.667]
    """

    def log_rank_sums(of: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        ranks = [rank_fractions(of[name], reference[name], weights) for name in MEMBERS]
        sums: NDArray[np.float64] = np.log(ranks).sum(axis=0)
        return sums

    return rank_fractions(log_rank_sums(values), log_rank_sums(reference), weights)
