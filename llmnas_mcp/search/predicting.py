"""What architectures will score before they are evaluated, by two predictions that are weighed by how sure each is.

One is the sum of the niche's rules. Rules are few and additive, and know nothing beyond their niche. So the other takes
scores for a Gaussian process in the number of positions that differ (Rasmussen and Williams, 2006), known at all that
was evaluated: architectures that differ at few positions score alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.search.members import Member
from llmnas_mcp.search.mining import MOST_RESULTS, Pattern
from llmnas_mcp.spaces import Genotypes, Space

LEAST_ERROR = 0.005
_REACH = (0.5, 1.0, 2.0, 4.0, 8.0)  # positions over which likeness falls to 1/e
_NOISE = (0.01, 0.1, 0.5, 2.0)  # variance that likeness does not explain, against the one that it does


@dataclass(frozen=True)
class Guide:
    """The part of a rule that breeding can use: showing the pattern adds `effect` to the score."""

    pattern: Pattern
    effect: float


def predict(
    space: Space, genotypes: Genotypes, members: Sequence[Member], niche: int, guides: Sequence[Guide]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The scores to expect in a niche (n,), and their standard deviations (n,).

    `members` are those of all niches, some of them this one's; `guides` are the rules of this one.
    """
    asked = np.asarray(genotypes).reshape(-1, len(space.positions))
    by_rules = _by_rules(space, asked, [m for m in members if m.niche == niche], guides)
    by_likeness = _by_likeness(asked, members[-MOST_RESULTS:])
    weights = [1 / np.maximum(error, LEAST_ERROR) ** 2 for _, error in (by_rules, by_likeness)]
    total = weights[0] + weights[1]
    return (weights[0] * by_rules[0] + weights[1] * by_likeness[0]) / total, 1 / np.sqrt(total)


def _by_rules(
    space: Space, asked: NDArray[np.int_], members: Sequence[Member], guides: Sequence[Guide]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The members' mean score and what the rules add to it; the error is the one that this has on the members."""
    left = np.array([m.score for m in members]) - effects(space, [m.genotype for m in members], guides)
    return left.mean() + effects(space, asked, guides), np.full(len(asked), left.std())


def _by_likeness(asked: NDArray[np.int_], members: Sequence[Member]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The members' mean score and what those that are like an architecture add to it."""
    known, scores = np.array([m.genotype for m in members]), np.array([m.score for m in members])
    added, error = _kriged(_differing(known, known), _differing(asked, known), scores - scores.mean())
    return scores.mean() + added, error


def effects(space: Space, genotypes: Genotypes, guides: Sequence[Guide]) -> NDArray[np.float64]:
    """The sum of the effects of the rules that each genotype shows, shape (n,)."""
    array = np.asarray(genotypes).reshape(-1, len(space.positions))
    total = np.zeros(len(array))
    for guide in guides:
        shows = np.ones(len(array), dtype=bool)
        for position, word in guide.pattern.items():
            i = space.positions.index(position)
            shows &= array[:, i] == space.words[i].index(word)
        total += guide.effect * shows
    return total


def _differing(one: NDArray[np.int_], other: NDArray[np.int_]) -> NDArray[np.float64]:
    """At how many positions each of one (n, positions) differs from each of the other (m, positions): (n, m)."""
    differing: NDArray[np.float64] = np.sum(one[:, None] != other[None], axis=-1, dtype=float)
    return differing


def _kriged(
    among: NDArray[np.float64], between: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (n,) of a process known as y (m,), by distances (m, m) and (n, m).

    Its reach, noise and variance are those that make y most likely.
    """
    from scipy.linalg import cholesky, solve_triangular  # a tenth of a second to import

    options = []
    for reach in _REACH:
        for noise in _NOISE:
            root = cholesky(np.exp(-among / reach) + noise * np.eye(len(y)), lower=True, check_finite=False)
            half = solve_triangular(root, y, lower=True, check_finite=False)
            variance = max(float(half @ half) / len(y), 1e-12)
            likelihood = -0.5 * len(y) * np.log(variance) - np.log(np.diag(root)).sum()
            options.append((likelihood, reach, variance, root, half))
    _, reach, variance, root, half = max(options, key=lambda option: option[0])
    weights = solve_triangular(root, np.exp(-between / reach).T, lower=True, check_finite=False)
    explained = np.einsum("ij,ij->j", weights, weights)
    return weights.T @ half, np.sqrt(variance * np.maximum(1 - explained, 0))
