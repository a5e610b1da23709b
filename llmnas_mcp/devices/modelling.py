"""Models of a cost, fitted to what was measured of it in a space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.spaces import Dataset, Genotypes, Space

FOLDS, RIDGE, SEED = 5, 1e-2, 0
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CostFit:
    """A model of one cost, and how far it was off on the architectures held out in cross-validation.

    error: median relative error (0.02 is 2 %). spearman: rank correlation, 0 where all are equal.
    """

    error: float
    spearman: float
    held_out: int
    space: Space
    weights: Float

    def predict(self, genotypes: Genotypes) -> Float:
        """The cost of each architecture, in the unit that was measured, shape (n,)."""
        return _predict(_features(self.space, genotypes), self.weights)

    def uncertainty(self, genotypes: Genotypes) -> Float:
        """The relative standard deviation of each prediction, shape (n,)."""
        return np.full(len(genotypes), self.error / 0.6745)


def fit_costs(space: Space, dataset: Dataset, genotypes: Genotypes, values: Float) -> CostFit:  # noqa: ARG001
    """A model of `values` (n,), all positive, of n different architectures."""
    features, logs = _features(space, genotypes), np.log(values)
    fold = np.random.default_rng(SEED).permutation(len(values)) % FOLDS
    held_out = np.empty(len(values))
    for i in range(FOLDS):
        held_out[fold == i] = _predict(features[fold == i], _weights(features[fold != i], logs[fold != i]))
    ranks = [np.unique(v, return_inverse=True)[1] for v in (values, held_out)]
    spearman = float(np.asarray(np.corrcoef(np.vstack(ranks)))[0, 1]) if all(r.any() for r in ranks) else 0.0
    error = float(np.median(np.abs(held_out / values - 1)))
    return CostFit(error, spearman, len(values), space, _weights(features, logs))


def _features(space: Space, genotypes: Genotypes) -> NDArray[Any]:
    rows = np.asarray(genotypes, dtype=np.int64).reshape(-1, len(space.positions))
    hot = [rows[:, i, None] == np.arange(len(values)) for i, values in enumerate(space.values)]
    return np.hstack([np.ones((len(rows), 1)), *hot]).astype(np.float64)


def _weights(features: Float, logs: Float) -> Float:
    penalty = RIDGE * np.eye(features.shape[1])
    found: Float = np.linalg.solve(features.T @ features + penalty, features.T @ logs).astype(np.float64)
    return found


def _predict(features: Float, weights: Float) -> Float:
    costs: Float = np.exp(features @ weights).round(9)
    return costs
