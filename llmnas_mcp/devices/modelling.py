"""What architectures cost where some were measured: a model for any space, fitted when it is asked for.

A Gaussian process over what is known of an architecture before it is run: its choices as given and in canonical form
(some runtimes leave dead operations out), how often each value was chosen, its parameters and multiply-accumulates. Its
covariance adds a linear part, in which costs are sums of terms, as they nearly are on most devices (HW-NAS-Bench, Li et
al., ICLR 2021, arXiv 2103.10584), to a smooth part for what terms leave: fusion, caches, concurrency. It needs a few
dozen measurements where trees and networks need hundreds, and says where it is least sure. Nothing of a fit is stored:
the same measurements give the same model, within a second.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.spaces import Dataset, Genotypes, Space

LEAST = 30  # measured architectures that a model needs
FOLDS = 10
COUNTS = 4.0  # how much more a count weighs than a single choice: it is the sum of many

Float = NDArray[np.float64]


@dataclass(frozen=True)
class CostFit:
    """A fitted cost and how far it is off on architectures held out from the fit.

    error: median relative error, spearman: rank correlation, both over all architectures, each predicted from nine
    tenths that it is not in. held_out: how many these were. (The five numbers of the covariance are those of the fit to
    all.)
    """

    error: float
    spearman: float
    held_out: int
    space: Space
    dataset: Dataset
    process: Any
    unit: float
    least: float

    def predict(self, genotypes: Genotypes) -> Float:
        """Costs (n,), in the unit of the values that the model was fitted to; lower is better, never 0 or less."""
        return self._ask(genotypes)[0]

    def uncertainty(self, genotypes: Genotypes) -> Float:
        """Standard deviations of the prediction as a share of it, (n,); the larger, the more a measurement tells."""
        costs, deviations = self._ask(genotypes)
        return deviations / costs

    def _ask(self, genotypes: Genotypes) -> tuple[Float, Float]:
        x = features(self.space, genotypes, self.dataset)
        if not len(x):
            return np.empty(0), np.empty(0)
        mean, deviation = self.process.predict(x, return_std=True)
        # Rounded, because what costs the same must come out equal whoever it is asked with.
        return np.maximum(self.unit * (1 + mean), self.least / 2).round(9), self.unit * deviation


def fit_costs(space: Space, dataset: Dataset, genotypes: Genotypes, values: Float) -> CostFit:
    """A model of a cost measured of n >= LEAST architectures: genotypes (n, positions), values (n,), above 0.

    Raises ValueError for fewer.
    """
    from scipy.stats import spearmanr

    if len(values) < LEAST:
        raise ValueError(f"{len(values)} measured architectures are too few: a model needs {LEAST}.")
    x, unit = features(space, genotypes, dataset), float(np.median(values))
    y = values / unit - 1
    folds = np.random.default_rng(0).permutation(len(y)) % FOLDS
    process = gaussian_process(x, y)
    guessed = np.empty(len(y))
    for fold in range(FOLDS):
        others = gaussian_process(x[folds != fold], y[folds != fold], process.kernel_)
        guessed[folds == fold] = others.predict(x[folds == fold])
    guessed = np.maximum(unit * (1 + guessed), values.min() / 2)
    return CostFit(
        error=float(np.median(np.abs(guessed / values - 1))),
        spearman=float(np.nan_to_num(spearmanr(guessed, values)[0])),
        held_out=len(y),
        space=space,
        dataset=dataset,
        process=process,
        unit=unit,
        least=float(values.min()),
    )


def gaussian_process(x: Float, y: Float, covariance: Any = None) -> Any:
    """A process of x (n, features) and y (n,), of about size 1; with the likeliest covariance unless one is given."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

    if covariance is not None:
        return GaussianProcessRegressor(covariance, optimizer=None).fit(x, y)
    terms = ConstantKernel(0.1, (1e-5, 1e3)) * DotProduct(1.0, (1e-3, 1e3))
    rest = ConstantKernel(0.01, (1e-6, 10)) * RBF(3.0, (0.5, 100))
    noise = WhiteKernel(1e-4, (1e-8, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a part that is not needed ends at its bound
        return GaussianProcessRegressor(terms + rest + noise, random_state=0).fit(x, y)


def features(space: Space, genotypes: Genotypes, dataset: Dataset) -> Float:
    """What the model reads of each architecture, (n, features), all of about the same size.

    >>> from llmnas_mcp.spaces import DATASETS, get_space
    >>> features(get_space("nasbench201"), [(3, 3, 3, 3, 3, 3)], DATASETS["cifar10"]).shape
    (1, 74)
    """
    given = np.asarray(genotypes, dtype=int).reshape(-1, len(space.positions))
    canonical = np.array([space.canonical(tuple(row)) for row in given.tolist()], dtype=int).reshape(given.shape)
    parts = []
    for form in (given, canonical):
        hot = _one_hot(space, form)
        parts += [hot, COUNTS * hot @ _sums(space)]
        for count in (space.params, space.macs):
            parts.append(COUNTS * (count(form, dataset) / _most(space, dataset, count.__name__))[:, None])
    return np.hstack(parts)


def _one_hot(space: Space, genotypes: NDArray[np.int_]) -> Float:
    """Shape (n, all values of all positions)."""
    columns = [genotypes[:, [i]] == np.arange(len(values)) for i, values in enumerate(space.values)]
    hot: Float = np.hstack(columns).astype(np.float64)
    return hot


@lru_cache(maxsize=64)
def _sums(space: Space) -> Float:
    """From one-hot choices to the share of positions with each value: positions with the same values are one kind."""
    kinds = list(dict.fromkeys(space.words))
    columns = [(kind, value) for kind in kinds for value in range(len(kind))]
    rows = [(words, value) for words in space.words for value in range(len(words))]
    of = {kind: sum(words == kind for words in space.words) for kind in kinds}
    return np.array([[(row == column) / of[row[0]] for column in columns] for row in rows], dtype=np.float64)


@lru_cache(maxsize=256)
def _most(space: Space, dataset: Dataset, count: str) -> float:
    """The most parameters or multiply-accumulates among what stands for the space."""
    from llmnas_mcp.spaces.reference import reference_of

    return float(getattr(space, count)(reference_of(space, dataset).genotypes, dataset).max())
