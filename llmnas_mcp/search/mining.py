"""Statistics that mine design rules from results: which choice, at which position, moves score or cost, and how surely.

Within one niche the results are explained by an additive model: one effect per choice at a position, and one per pair
of them, each drawn from a normal prior (Bayesian linear regression; equivalently a Gaussian process with an ANOVA
kernel of order two). How strong pairs and noise are is chosen by the likelihood of the results. An effect is reported
with its 95 % credible interval; with few results the prior keeps it near zero, so little evidence makes weak rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.results import Target
from llmnas_mcp.search.members import Member
from llmnas_mcp.spaces import Space

Pattern = dict[str, str]

FEWEST_RESULTS = 6
MOST_RESULTS = 500  # the newest; the time grows with the cube
MOST_PAIRED = 40  # choices whose pairs are looked at; the time grows with the square
_PAIR_STRENGTH = (0.0, 0.3, 1.0)
_NOISE = (0.003, 0.03, 0.15, 0.5)


@dataclass(frozen=True)
class Effect:
    """How much a pattern (position -> operation) moves the target, in the target's unit, against the niche's average.

    `low` and `high` bound 95 % of the belief, `confidence` is the belief that the sign is right, in [0.5, 1]. `support`
    is how many results show the pattern, `evidence` a few of them.
    """

    pattern: Pattern
    target: Target
    effect: float
    low: float
    high: float
    confidence: float
    support: int
    evidence: tuple[str, ...]


def mine(space: Space, members: Sequence[Member], values: Sequence[float], target: Target, most: int) -> list[Effect]:
    """The `most` strongest effects on the target that the members of one niche show, strongest first.

    values: (n,), what the target is for each member.

    Of a pair, only what its parts don't tell. An effect may well be uncertain: its interval and its confidence say so.
    """
    if len(members) < FEWEST_RESULTS:
        return []
    members = members[-MOST_RESULTS:]
    y = np.array(values[-MOST_RESULTS:], dtype=float)
    spread = y.std()
    if spread == 0:
        return []
    features, terms = _features(space, np.array([m.genotype for m in members]), y - y.mean())
    order = np.array([len(term) for term in terms])
    mean, deviation = _posterior(features, order, (y - y.mean()) / spread)
    found = []
    for k in np.argsort(-np.abs(mean), kind="stable")[:most]:
        shown = np.flatnonzero(features[:, k])
        found.append(
            Effect(
                pattern={space.positions[i]: space.words[i][op] for i, op in terms[k]},
                target=target,
                effect=float(mean[k] * spread),
                low=float((mean[k] - 1.96 * deviation[k]) * spread),
                high=float((mean[k] + 1.96 * deviation[k]) * spread),
                confidence=0.5 * (1 + erf(abs(mean[k]) / (deviation[k] * sqrt(2)))),
                support=len(shown),
                evidence=tuple(members[i].architecture for i in shown[:3]),
            )
        )
    return found


def _features(
    space: Space, genotypes: NDArray[np.int_], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[tuple[tuple[int, int], ...]]]:
    """Indicator columns (n, terms) of every choice and every pair of choices that some members show and some don't.

    A term is one or two of (position, choice). Of many choices those that go with y (centred) most make the pairs.
    """
    singles = [(i, op) for i, values in enumerate(space.values) for op in range(len(values))]
    one = np.stack([genotypes[:, i] == op for i, op in singles], axis=1)
    paired = list(range(len(singles)))
    if len(singles) > MOST_PAIRED:
        strength = np.abs(y @ one) / np.sqrt(np.maximum(one.sum(0), 1))
        paired = sorted(np.argsort(-strength, kind="stable")[:MOST_PAIRED].tolist())
    pairs = [(a, b) for a, b in combinations(paired, 2) if singles[a][0] != singles[b][0]]
    first, second = np.array(pairs, dtype=int).reshape(-1, 2).T
    columns = np.hstack([one, one[:, first] & one[:, second]])
    counts = columns.sum(0)
    shown = np.flatnonzero((counts > 0) & (counts < len(genotypes)))
    terms = [(single,) for single in singles] + [(singles[a], singles[b]) for a, b in pairs]
    return columns[:, shown].astype(float), [terms[k] for k in shown]


def _posterior(
    features: NDArray[np.float64], order: NDArray[np.int_], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of every effect, under the pair strength and noise that make y most likely."""
    from scipy.linalg import cholesky, solve_triangular  # a tenth of a second to import

    singles, pairs = features[:, order == 1], features[:, order == 2]
    gram_1, gram_2 = singles @ singles.T, pairs @ pairs.T
    # Prior variances such that the singles alone explain about the variance of y.
    unit = 1 / max(1.0, float(np.mean(np.diag(gram_1))))
    options = []
    for strength in _PAIR_STRENGTH:
        for noise in _NOISE:
            kernel = unit * (gram_1 + strength * gram_2) + noise * np.eye(len(y))
            root = cholesky(kernel, lower=True, check_finite=False)
            half = solve_triangular(root, y, lower=True, check_finite=False)
            options.append((-0.5 * (half @ half) - np.log(np.diag(root)).sum(), strength, root))
    _, strength, root = max(options, key=lambda option: option[0])
    prior = unit * np.where(order == 1, 1.0, strength)
    halves = solve_triangular(root, features, lower=True, check_finite=False)
    mean = prior * (halves.T @ solve_triangular(root, y, lower=True, check_finite=False))
    explained = np.einsum("ij,ij->j", halves, halves)
    deviation = np.sqrt(np.maximum(prior - prior**2 * explained, 1e-12))
    return mean, deviation
