"""Costs where nothing was measured: models fitted to HW-NAS-Bench by scripts/fit_devices.py.

Eyeriss and FPGA, which were simulated and computed, are exactly a sum of one term per edge and operation. The four
measured boards share small networks (two hidden layers, the mean of a few of them) that read the six operations as
given and as they run after conversion (lowering.py), and predict the logarithm of the cost.

All figures of error are on cells held out from the fit: 1,875 of 15,625, drawn one by one; many have an isomorphic twin
in the fit. With whole topology classes held out instead, median errors rise by at most 0.6 points and Spearman's rho
falls by at most .013. Source: HW-NAS-Bench, Li et al., ICLR 2021, arXiv 2103.10584.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices.catalogue import DEVICES, column
from llmnas_mcp.devices.lowering import CODES, lower
from llmnas_mcp.spaces import Genotype, SearchSpace

FOLDER = Path(__file__).parent / "data"
SOURCE = "fitted:hwnasbench"
REFUSING = "edgetpu"

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """One cost of every architecture of a space, and how far it was off on `held_out` cells kept from the fit."""

    values: Float
    error: float
    spearman: float
    held_out: int


def held_out(size: int, *, seed: int, fraction: float) -> NDArray[np.bool_]:
    """Which architectures, by index, are kept from the fit: shape (size,), the same for the same arguments.

    >>> int(held_out(1000, seed=0, fraction=0.1).sum())
    100
    """
    mask = np.zeros(size, dtype=bool)
    mask[np.random.default_rng(seed).permutation(size)[: round(size * fraction)]] = True
    return mask


@cache
def predictions(space: SearchSpace) -> dict[tuple[str, str], Prediction]:
    """What the shipped models say of every architecture, in the order of `space.genotypes()`.

    Keys are (dataset, column), as ("cifar10", "raspi4_latency"); empty where no model was fitted for the space.
    Values are in ms and mJ. Computed once; takes half a second for 15,625 cells.

    >>> from llmnas_mcp.spaces import get_space
    >>> cost = predictions(get_space("nasbench201"))["cifar10", "fpga_latency"]
    >>> cost.values.shape, cost.error < 1e-4
    ((15625,), True)
    """
    path = FOLDER / f"{space.name}.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        model = dict(file)
    costs = evaluate(model, space)
    names = [tuple(str(name).split("/")) for name in model["columns"]]
    refused = np.array([lower(cell).refused is not None for cell in space.genotypes()])
    refusing = np.array([title == column(REFUSING, "latency") for _, title in names])
    costs[refused[:, None] & refusing] = np.nan
    costs.flags.writeable = False
    figures = zip(model["error"], model["spearman"], model["held_out"], strict=True)
    return {
        (dataset, title): Prediction(costs[:, i], float(error), float(spearman), int(count))
        for i, ((dataset, title), (error, spearman, count)) in enumerate(zip(names, figures, strict=True))
    }


def refusal(device: str, genotype: Genotype) -> str:
    """Why a device cannot run a cell whose predicted cost is NaN."""
    return f"{DEVICES[device].title} cannot run this cell: {lower(genotype).refused}."


def features(space: SearchSpace) -> NDArray[np.float32]:
    """What the networks read: one-hot operations as given and as they run, shape (architectures, features)."""
    cells = list(space.genotypes())
    runs = np.array([lower(cell).runs for cell in cells])
    return np.hstack([one_hot(np.array(cells), len(space.choices[0])), one_hot(runs, CODES)]).astype(np.float32)


def one_hot(codes: NDArray[np.int_], size: int) -> Float:
    """Shape (n, positions) with values below `size` -> (n, positions * size).

    >>> one_hot(np.array([[1, 0]]), 2)
    array([[0., 1., 1., 0.]])
    """
    hot: Float = (codes[:, :, None] == np.arange(size)).reshape(len(codes), -1).astype(np.float64)
    return hot


def evaluate(model: dict[str, NDArray[Any]], space: SearchSpace) -> Float:
    """Costs of every architecture by a saved model, shape (architectures, columns); also of cells that cannot run."""
    exact = one_hot(np.array(list(space.genotypes())), len(space.choices[0])) @ model["edge_weights"]
    first = np.maximum(features(space) @ model["w1"] + model["b1"][:, None], 0)
    second = np.maximum(first @ model["w2"] + model["b2"][:, None], 0)
    logs = (second @ model["w3"] + model["b3"][:, None]).mean(0)
    # Rounded, because cells of equal cost must come out equal and not apart by the order of a sum.
    costs: Float = np.hstack([exact.round(9), np.exp(logs.astype(np.float64))])
    return costs
