"""Inherited accuracy of AutoFormer's networks: a model fitted by scripts/fit_inherited.py.

The authors trained one network that holds all others of a space (a supernet), and published how many of these do on
ImageNet with the weights that they inherit from it (Chen et al., ICCV 2021, arXiv 2107.00651). Trained alone, networks
may rank differently, so these accuracies are called inherited wherever they are shown.

The model is a sum: of the depth, of each layer's heads and MLP ratio, and of products of these with each other and with
the width. Its weights were found by ridge regression, its errors on networks held out from that.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.benchmarks.surrogate import Fit
from llmnas_mcp.devices.predictor import load
from llmnas_mcp.spaces import Genotypes, Space

FOLDER = Path(__file__).parent / "data"
SOURCE = "fitted:autoformer-inherited"
BEYOND = "extrapolated:autoformer-inherited"  # of a width and depth of which nothing was published
DATASET = "imagenet"

Float = NDArray[np.float64]


@cache
def fits(space: Space) -> dict[str, Fit]:
    """What was fitted for a space, by dataset.

    >>> from llmnas_mcp.spaces import get_space
    >>> fits(get_space("autoformer-small"))["imagenet"].spearman > 0.97
    True
    """
    model = load(FOLDER / f"{space.name}.npz")
    if not model:
        return {}
    return {DATASET: Fit(0, float(model["error"]), float(model["spearman"]), int(model["held_out"]))}


def predict(space: Space, genotypes: Genotypes, dataset: str) -> Float:
    """Estimated top-1 accuracy on ImageNet with inherited weights, in %, of each network, shape (n,).

    Raises KeyError for a dataset that `fits` does not have.

    >>> from llmnas_mcp.spaces import get_space
    >>> space = get_space("autoformer-small")
    >>> large, small = predict(space, [(2, 2) + (2, 2) * 14, (0, 0) + (0, 0) * 14], "imagenet")
    >>> bool(81 < large < 82), bool(78 < small < 80)
    (True, True)
    """
    if dataset not in fits(space):
        raise KeyError(dataset)
    model = load(FOLDER / f"{space.name}.npz")
    return evaluate(model, features(space, genotypes))


def sources(space: Space, genotypes: Genotypes) -> list[str]:
    """Where each estimate comes from: BEYOND where no network of its width and depth was published, else SOURCE.

    In tiny, none was published of width 240, and of width 216 only such of 12 layers.
    """
    seen = {tuple(pair) for pair in load(FOLDER / f"{space.name}.npz")["seen"].tolist()}
    return [SOURCE if (int(genotype[0]), int(genotype[1])) in seen else BEYOND for genotype in genotypes]


def features(space: Space, genotypes: Genotypes) -> dict[str, Float]:
    """What the model reads of networks, by kind: (n, 4 layers + 7) that need no more than two widths, and others.

    Width, heads and ratios are scaled to [-1, 1] over their choices; those of layers that there are not are 0.
    """
    array = np.asarray(genotypes, dtype=int).reshape(-1, len(space.positions))
    depth, width, heads, ratio = (
        _scaled(space, array, [i for i, name in enumerate(space.positions) if name.split(".")[0] == kind])
        for kind in ("depth", "embed_dim", "heads", "mlp_ratio")
    )
    there = np.arange(heads.shape[1]) < np.array(space.values[0])[array[:, :1]]
    heads, ratio = heads * there, ratio * there
    sums = np.hstack([heads.sum(1, keepdims=True), ratio.sum(1, keepdims=True)]) / np.sqrt(heads.shape[1])
    which = (array[:, :1] == np.arange(len(space.values[0]))).astype(float)
    straight = [which, width, which * width, heads, ratio, heads * width, ratio * width, heads * ratio]
    straight += [heads**2, ratio**2, sums**2, sums[:, :1] * sums[:, 1:], sums * depth, sums * width]
    return {"straight": np.hstack(straight), "bent": np.hstack([width**2, heads * width**2, ratio * width**2])}


def evaluate(model: dict[str, NDArray[Any]], read: dict[str, Float]) -> Float:
    """Accuracies in % by a model's weights, shape (n,)."""
    found = model["mean"] + sum(read[kind] @ model[kind] for kind in read)
    # Rounded, because an accuracy must not depend on which others are asked with it.
    accuracy: Float = np.asarray(found, dtype=float).round(4)
    return accuracy


def _scaled(space: Space, array: NDArray[np.int_], columns: list[int]) -> Float:
    """The values at some positions, which have the same choices, scaled to [-1, 1]."""
    values = np.array(space.values[columns[0]], dtype=float)
    low, high = values.min(), values.max()
    scaled: Float = (2 * values[array[:, columns]] - low - high) / (high - low)
    return scaled
