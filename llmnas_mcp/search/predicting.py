"""What architectures will score before they are evaluated, by two predictions that are weighed by how sure each is.

One is the sum of the niche's rules. Rules are few and additive, and know nothing beyond their niche. So the other takes
scores for a Gaussian process (Rasmussen and Williams, 2006), known at all that was evaluated: architectures that differ
at few positions, and little in parameters and cost, score alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.search.members import Member
from llmnas_mcp.search.mining import FEWEST_RESULTS, MOST_RESULTS, Pattern
from llmnas_mcp.spaces import Genotypes, Space

LEAST_ERROR = 0.005
_REACH = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # differing positions over which likeness falls to 1/e
_SIZE = (0.0, 1.0, 4.0, 16.0, 64.0)  # differing positions that e times the parameters, or the cost, are worth
_NOISE = (0.01, 0.1, 0.5, 2.0)  # variance that likeness does not explain, against the one that it does
_SWEEPS = 2  # how often each of the three is chosen, the others given

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Guide:
    """The part of a rule that breeding can use: showing the pattern adds `effect` to the score."""

    pattern: Pattern
    effect: float


def predict(
    space: Space,
    genotypes: Genotypes,
    sizes: Floats,
    members: Sequence[Member],
    niche: int,
    guides: Sequence[Guide],
) -> tuple[Floats, Floats]:
    """The scores to expect in a niche (n,), and their standard deviations (n,).

    `sizes` (n, 1 + costs) are the parameters and the costs of the genotypes; `members` are those of all niches;
    `guides` are the rules of this one, which count only where it has FEWEST_RESULTS members.
    """
    asked = np.asarray(genotypes).reshape(-1, len(space.positions))
    own = [m for m in members if m.niche == niche]
    by_likeness = _process(tuple(members[-MOST_RESULTS:])).at(asked, sizes)
    if len(own) < FEWEST_RESULTS:
        return by_likeness
    by_rules = _by_rules(space, asked, own, guides)
    weights = [1 / np.maximum(error, LEAST_ERROR) ** 2 for _, error in (by_rules, by_likeness)]
    total = weights[0] + weights[1]
    return (weights[0] * by_rules[0] + weights[1] * by_likeness[0]) / total, 1 / np.sqrt(total)


def _by_rules(
    space: Space, asked: NDArray[np.int_], members: Sequence[Member], guides: Sequence[Guide]
) -> tuple[Floats, Floats]:
    """The members' mean score and what the rules add to it; the error is the one that this has on the members."""
    left = np.array([m.score for m in members]) - effects(space, [m.genotype for m in members], guides)
    return left.mean() + effects(space, asked, guides), np.full(len(asked), left.std())


def effects(space: Space, genotypes: Genotypes, guides: Sequence[Guide]) -> Floats:
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


class _Process:
    """A Gaussian process known at the members' scores.

    Its reach, the weight of sizes, its noise and its variance are those that make the scores most likely.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        from scipy.linalg import cholesky, solve_triangular  # a tenth of a second to import

        self._genotypes = np.array([m.genotype for m in members])
        scores, sizes = np.array([m.score for m in members]), np.array([(m.params, *m.costs) for m in members], float)
        self._least = np.where(sizes > 0, sizes, np.inf).min(0)  # a size of 0 has no logarithm
        self._least[np.isinf(self._least)] = 1
        self._sizes, self._mean = self._logarithms(sizes), scores.mean()
        differing, apart = self._distances(self._genotypes, self._sizes)

        @cache
        def fit(reach: float, size: float, noise: float) -> tuple[float, float, Floats, Floats]:
            likeness = np.exp(-(differing + size * apart) / reach)
            root = cholesky(likeness + noise * np.eye(len(scores)), lower=True, check_finite=False)
            half = solve_triangular(root, scores - self._mean, lower=True, check_finite=False)
            variance = max(float(half @ half) / len(scores), 1e-12)
            return -0.5 * len(scores) * np.log(variance) - np.log(np.diag(root)).sum(), variance, root, half

        best: list[float] = [8.0, 4.0, 0.1]
        for i, values in [*enumerate((_REACH, _SIZE, _NOISE))] * _SWEEPS:
            best = max(([*best[:i], value, *best[i + 1 :]] for value in values), key=lambda option: fit(*option)[0])
        self._reach, self._size, _ = best
        _, self._variance, self._root, self._half = fit(*best)

    def at(self, asked: NDArray[np.int_], sizes: Floats) -> tuple[Floats, Floats]:
        """Means and standard deviations (n,) at genotypes of such sizes."""
        from scipy.linalg import solve_triangular

        differing, apart = self._distances(asked, self._logarithms(sizes))
        likeness = np.exp(-(differing + self._size * apart) / self._reach)
        weights = solve_triangular(self._root, likeness.T, lower=True, check_finite=False)
        explained = np.einsum("ij,ij->j", weights, weights)
        return self._mean + weights.T @ self._half, np.sqrt(self._variance * np.maximum(1 - explained, 0))

    def _logarithms(self, sizes: Floats) -> Floats:
        return np.asarray(np.log(np.maximum(sizes, self._least)))

    def _distances(self, asked: NDArray[np.int_], sizes: Floats) -> tuple[Floats, Floats]:
        """To each member (n, m): the positions that differ, and the squared distance of the logarithms of sizes."""
        differing = np.sum(asked[:, None] != self._genotypes[None], axis=-1, dtype=float)
        return differing, np.sum((sizes[:, None] - self._sizes[None]) ** 2, axis=-1)


_process = lru_cache(maxsize=4)(_Process)  # a round's niches all know the same members
