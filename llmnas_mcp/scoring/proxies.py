"""The zero-cost proxies: numbers read off an untrained network that tell how well it will do once trained.

Each takes what the engine observed of one network and returns a finite number; higher is better, always. params and
macs need no look: the space counts them. Adding a proxy is a function and a line in PROXIES.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Observation:
    """What one look at a network at initialisation gives, for `batch` inputs of Gaussian noise.

    agreement: (batch, batch), how many ReLUs are on or off alike for two inputs (the diagonal counts all ReLUs).
    jacobian: (batch, pixels), the gradient of the summed logits with respect to each input.
    flow: sum of |weight| x gradient over the weights of the linearised network, at least 0.
    """

    agreement: NDArray[np.float64]
    jacobian: NDArray[np.float64]
    flow: float


@dataclass(frozen=True)
class Proxy:
    """A proxy's name in the literature, what it measures, where it is from, and how; no `measure`: the space counts."""

    name: str
    title: str
    source: str
    measure: Callable[[Observation], float] | None = None


def synflow(flow: float) -> float:
    """Synaptic flow on a log scale: log(1 + flow); the 1 keeps a network that lets nothing through at 0.

    Tanaka et al. 2020 (arXiv 2006.05467), eq. 2, summed over the weights as a score of the architecture.

    >>> synflow(0.0)
    0.0
    """
    return float(np.log1p(flow))


def naswot(agreement: NDArray[np.float64]) -> float:
    """How differently the network's ReLUs fire for different inputs: log det(K + I).

    K, shape (batch, batch), counts the ReLUs on or off alike for two inputs. Inputs that no ReLU tells apart would make
    log det K minus infinity; adding I, one ReLU against tens of thousands, keeps it finite and changes nothing else.
    Mellor et al. 2021, "Neural Architecture Search without Training" (arXiv 2006.04647), eq. 2. Cost O(batch^3).

    >>> alike, apart = np.full((2, 2), 9.0), np.diag([9.0, 9.0])
    >>> round(naswot(alike), 3), round(naswot(apart), 3)
    (2.944, 4.605)
    """
    return float(np.linalg.slogdet(agreement + np.eye(len(agreement)))[1])


def jacov(jacobian: NDArray[np.float64]) -> float:
    """How little the network's response to one input tells of its response to another: -sum(log(v + k) + 1 / (v + k)).

    v are the eigenvalues of the correlation matrix of the rows of the Jacobian, shape (batch, pixels), and k = 1e-5.
    The best value, about -batch, is that of uncorrelated rows. A row without variance has no correlation; the network
    does not respond to its input, and all rows count as alike, the worst value there is.
    Mellor et al. 2020 (arXiv 2006.04647v1), sec. 3; named jacob_cov by Abdelfattah et al. 2021 (arXiv 2101.08134).
    Cost O(batch^2 (pixels + batch)).

    >>> round(jacov(np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])), 3)
    -2.0
    >>> round(jacov(np.zeros((2, 4))))
    -99990
    """
    k = 1e-5
    rows = jacobian - jacobian.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    correlation = np.ones((len(rows), len(rows)))
    if lengths.all():
        correlation = (rows / lengths) @ (rows / lengths).T
    v = np.maximum(np.linalg.eigvalsh(correlation), 0.0) + k
    return float(-(np.log(v) + 1.0 / v).sum())


_ABDELFATTAH = "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021 (arXiv 2101.08134)"
PROXIES: dict[str, Proxy] = {
    p.name: p
    for p in (
        Proxy("params", "trainable parameters", _ABDELFATTAH),
        Proxy("macs", "multiply-accumulates of one forward pass", _ABDELFATTAH),
        Proxy(
            "synflow",
            "log of the synaptic flow through the linearised network",
            "Tanaka et al., Pruning neural networks without any data, NeurIPS 2020 (arXiv 2006.05467)",
            lambda o: synflow(o.flow),
        ),
        Proxy(
            "naswot",
            "log-determinant of the agreement of ReLU patterns between inputs",
            "Mellor et al., Neural Architecture Search without Training, ICML 2021 (arXiv 2006.04647)",
            lambda o: naswot(o.agreement),
        ),
        Proxy(
            "jacov",
            "how uncorrelated the gradients with respect to different inputs are",
            "Mellor et al. 2020 (arXiv 2006.04647v1), " + _ABDELFATTAH,
            lambda o: jacov(o.jacobian),
        ),
    )
}
OBSERVED = tuple(p for p in PROXIES.values() if p.measure)
