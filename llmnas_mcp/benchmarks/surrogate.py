"""Test accuracy of NAS-Bench-201 cells where none was imported: a model fitted by scripts/fit_surrogate.py.

Small networks (two hidden layers, the mean of a few of them) read the canonical cell and its paths, and give the
logarithm of what is missing to 100 %. A cell that leads nothing to its output cannot learn: it has the accuracy of
chance, by rule.

Errors are on cells held out from the fit by whole canonical classes, so that no held-out cell has a twin in the fit.
The 61 classes of fifty and more cells, the simplest networks, are always in the fit: one of them could decide the
figures alone. Fitted to NAS-Bench-201, Dong and Yang, ICLR 2020, arXiv 2001.00326.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices.predictor import held_out, load, one_hot
from llmnas_mcp.spaces import Genotypes, Space, dataset_shape
from llmnas_mcp.spaces.nasbench201.encoding import OPERATIONS
from llmnas_mcp.spaces.nasbench201.topology import NONE

FOLDER = Path(__file__).parent / "data"
SOURCE = "fitted:nasbench201-accuracy"
PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))  # the edges of every way from input to output
CONVOLUTIONS = [i for i, name in enumerate(OPERATIONS) if "conv" in name]
MANY = 50

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """The fit for a dataset: `column` of what `evaluate` says, and how far it was off on `held_out` cells.

    error: mean absolute, in points of accuracy. spearman: rank correlation, 1 the best.
    """

    column: int
    error: float
    spearman: float
    held_out: int


@cache
def fits(space: Space) -> dict[str, Fit]:
    """What was fitted for a space, by dataset.

    >>> from llmnas_mcp.spaces import get_space
    >>> list(fits(get_space("nasbench201")))
    ['cifar10', 'cifar100']
    """
    model = load(FOLDER / f"{space.name}.npz")
    if not model:
        return {}
    figures = zip(model["datasets"], model["error"], model["spearman"], model["held_out"], strict=True)
    return {
        str(name): Fit(i, float(error), float(spearman), int(count))
        for i, (name, error, spearman, count) in enumerate(figures)
    }


def predict(space: Space, genotypes: Genotypes, dataset: str) -> Float:
    """Estimated top-1 test accuracy after 200 epochs, in %, of each architecture, shape (n,).

    The same for all cells that compute the same. Raises KeyError for a dataset that `fits` does not have.

    >>> from llmnas_mcp.spaces import get_space
    >>> good, dead = predict(get_space("nasbench201"), [(3, 3, 3, 1, 3, 3), (3, 0, 0, 0, 0, 3)], "cifar10")
    >>> bool(93 < good < 95), float(dead)
    (True, 10.0)
    """
    column = fits(space)[dataset].column
    cells = np.asarray(genotypes, dtype=int).reshape(-1, len(space.positions))
    canonical = np.array([space.canonical(tuple(cell)) for cell in cells.tolist()]).reshape(cells.shape)
    accuracy = evaluate(load(FOLDER / f"{space.name}.npz"), canonical)[:, column]
    return np.where(learns(canonical), accuracy, 100 / dataset_shape(dataset).classes)


def sources(space: Space, genotypes: Genotypes) -> list[str]:  # noqa: ARG001 - of any cell alike
    """Where each estimate comes from."""
    return [SOURCE] * len(genotypes)


def held_out_cells(space: Space, *, seed: int, fraction: float, many: int = MANY) -> NDArray[np.bool_]:
    """Which cells are kept from the fit, shape (size,): all cells of a fraction of the classes with fewer than `many`.

    >>> from llmnas_mcp.spaces import get_space
    >>> int(held_out_cells(get_space("nasbench201"), seed=0, fraction=0.12).sum())
    963
    """
    canonical = space.index_of([space.canonical(cell) for cell in space.genotypes()])
    counts = np.bincount(canonical)
    classes = np.flatnonzero((counts > 0) & (counts < many))
    return np.isin(canonical, classes[held_out(len(classes), seed=seed, fraction=fraction)])


def learns(cells: NDArray[np.int_]) -> NDArray[np.bool_]:
    """Whether anything of the input reaches the output, shape (n,)."""
    reached: NDArray[np.bool_] = np.any([(cells[:, path] != NONE).all(1) for path in PATHS], axis=0)
    return reached


def features(cells: NDArray[np.int_]) -> Float:
    """What the networks read of canonical cells (n, 6): operations, those on each path, and how deep the paths are.

    Shape (n, 78). A path counts its operations, and is as deep as it has convolutions; one with a `none` is not there.
    """
    ways = [cells[:, path] for path in PATHS]
    there = np.stack([(way != NONE).all(1) for way in ways], 1)
    kinds = np.arange(1, len(OPERATIONS))
    counts = np.stack([(way[:, :, None] == kinds).sum(1) for way in ways], 1) * there[:, :, None]
    on_paths = np.concatenate([there[:, :, None], counts], 2)
    depth = counts[:, :, [k - 1 for k in CONVOLUTIONS]].sum(2)
    deepest, flattest = np.where(there, depth, -1).max(1), np.where(there, depth, 4).min(1)
    return np.hstack(
        [
            one_hot(cells, len(OPERATIONS)),
            on_paths.reshape(len(cells), -1),
            (cells[:, :, None] == np.arange(len(OPERATIONS))).sum(1),
            deepest[:, None] == np.arange(-1, 4),
            flattest[:, None] == np.arange(4),
            on_paths.sum(1),
            there.sum(1)[:, None] == np.arange(5),
            (there[:, :, None] & (depth[:, :, None] == np.arange(4))).sum(1),
        ]
    ).astype(float)


def evaluate(model: dict[str, NDArray[Any]], cells: NDArray[np.int_]) -> Float:
    """Accuracies of canonical cells (n, 6) by a model, in %, shape (n, datasets); also of cells that cannot learn."""
    first = np.maximum(features(cells) @ model["w1"] + model["b1"][:, None], 0)
    second = np.maximum(first @ model["w2"] + model["b2"][:, None], 0)
    missing = (second @ model["w3"] + model["b3"][:, None]).mean(0)
    # Rounded, because an accuracy must not depend on which others are asked with it.
    accuracy: Float = (100 - np.exp(missing)).round(4)
    return accuracy
