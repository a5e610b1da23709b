"""How the outputs respond to the inputs. Both read one backward pass to the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from llmnas_mcp.scoring.observation import Observation

K = 1e-5


def jacov(seen: Observation) -> float:
    """How little the network's response to one input tells of its response to another: -sum(log(v + k) + 1 / (v + k)).

    v are the eigenvalues of the correlation matrix of the rows of the Jacobian, shape (batch, pixels), and k = 1e-5.
    The best value, about -batch, is that of uncorrelated rows. Mellor et al. 2020 (arXiv 2006.04647v1), sec. 3; named
    jacob_cov by Abdelfattah et al. 2021 (arXiv 2101.08134).
    Higher is better. Cost: the backward pass to the inputs, O(batch^2 pixels).
    """
    v = np.maximum(np.linalg.eigvalsh(correlation(seen.jacobian.numpy())), 0.0) + K
    return float(-(np.log(v) + 1.0 / v).sum())


def epe_nas(seen: Observation) -> float:
    """How little responses to inputs of one class tell of each other: sum over classes of |sum of log(|corr.| + k)|.

    Of the rows of the Jacobian, class by class; k = 1e-5. Lopes et al. 2021 (arXiv 2102.08099), eq. 4, the form for at
    most 100 classes. Higher is better. Cost: as jacov.
    """
    labels, jacobian = seen.labels.cpu().numpy(), seen.jacobian.numpy()
    within = [np.log(np.abs(correlation(jacobian[labels == label])) + K).sum() for label in np.unique(labels)]
    return float(np.abs(within).sum())


def correlation(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) -> (n, n), Pearson's correlation of rows; all ones if a row is constant: its network does not respond.

    >>> correlation(np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])).round(9).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    >>> correlation(np.zeros((2, 4))).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    rows = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        return np.ones((len(rows), len(rows)))
    scaled = rows / lengths
    product: NDArray[np.float64] = scaled @ scaled.T
    return product
