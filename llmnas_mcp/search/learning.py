"""Accuracies of networks that were not trained, learned from those that were: by a Gaussian process, with its error.

It reads of a network what a cost model does (its choices, how often each was chosen, parameters, MACs) and its
zero-cost score. After equally long trainings on the same data accuracies can be compared, so it learns from one such
group, the longest of at least LEAST_TRAINED networks. What it says is called learned, and is never mixed with a score.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices.modelling import features, gaussian_process
from llmnas_mcp.spaces import Dataset, Genotypes, Space
from llmnas_mcp.training import Trained

LEAST_TRAINED = 20

Float = NDArray[np.float64]


def longest_of(records: Sequence[Trained]) -> list[Trained]:
    """Of trainings on the same data those that are equally long: the longest that LEAST_TRAINED networks have had."""
    groups = defaultdict[tuple[int, int], dict[str, Trained]](dict)
    for record in records:
        groups[record.of_epochs, record.epochs][record.architecture] = record
    enough = [length for length, group in groups.items() if len(group) >= LEAST_TRAINED]
    return list(groups[max(enough)].values()) if enough else []


def learn(
    space: Space,
    dataset: Dataset,
    trained: Genotypes,
    accuracies: Float,
    scores: Float,
    asked: Genotypes,
    of_asked: Float,
) -> tuple[Float, float]:
    """Predicted accuracies of the networks asked for, (m,), and the leave-one-out error, both in points of accuracies.

    trained (n, positions) with their accuracies (n,) and scores (n,), up; asked (m, positions) with their scores (m,).
    Leave-one-out by the closed form of a Gaussian process (Rasmussen and Williams 2006, 5.4.2), its covariance being
    that of the fit to all.
    """
    from scipy.linalg import cho_solve

    mean, scale = accuracies.mean(), max(float(accuracies.std()), 1e-6)
    y = (accuracies - mean) / scale
    x = np.column_stack([features(space, trained, dataset), scores])
    process = gaussian_process(x, y)
    inverse = cho_solve((process.L_, True), np.eye(len(y)))
    off = (inverse @ y) / inverse.diagonal()
    found = process.predict(np.column_stack([features(space, asked, dataset), of_asked]))
    return mean + scale * found, float(scale * np.abs(off).mean())
