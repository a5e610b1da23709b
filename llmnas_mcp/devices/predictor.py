"""Costs where nothing was measured: models fitted to HW-NAS-Bench by scripts/fit_devices.py.

Eyeriss and FPGA, which were simulated and computed, are exactly a sum of one term per edge and operation (FPGA on 16x16
inputs is not). All others share small networks (two hidden layers, the mean of a few of them) that read the six
operations as given and as they run after conversion (lowering.py), and predict the logarithm of the cost. Datasets of
one resolution are fitted together, in one file: CIFAR-10 and CIFAR-100, and ImageNet16-120.

All figures of error are on cells held out from the fit: 1,875 of 15,625, drawn one by one; many have an isomorphic twin
in the fit. With whole topology classes held out instead, median errors rise by at most 0.6 points and Spearman's rho
falls by at most .013; for Raspberry Pi 4 on ImageNet16-120, whose timings scatter most, by 2.9 points and .054. Source:
HW-NAS-Bench, Li et al., ICLR 2021, arXiv 2103.10584.
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
from llmnas_mcp.spaces import Genotype, Genotypes, Space

FOLDER = Path(__file__).parent / "data"
SOURCE = "fitted:hwnasbench"
REFUSING = "edgetpu"

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """A fitted cost: its model and column there, and how far it was off on `held_out` cells kept from the fit."""

    model: int
    column: int
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
def load(path: Path) -> dict[str, NDArray[Any]]:
    """A file of models; empty where there is none."""
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        # In double precision a cost does not depend on which others are asked with it.
        return {key: array.astype(float) if array.dtype == np.float32 else array for key, array in file.items()}


@cache
def models(space: Space) -> list[dict[str, NDArray[Any]]]:
    """What was fitted for a space, a file for each resolution of its inputs."""
    return [load(path) for path in sorted(FOLDER.glob(f"{space.name}-*px.npz"))]


@cache
def fits(space: Space) -> dict[tuple[str, str], Fit]:
    """The costs that were fitted for a space, by (dataset, column), as ("cifar10", "raspi4_latency").

    >>> from llmnas_mcp.spaces import get_space
    >>> fits(get_space("nasbench201"))["cifar10", "fpga_latency"].error < 1e-4
    True
    """
    names = ("columns", "error", "spearman", "held_out")
    return {
        tuple(str(name).split("/")): Fit(number, i, float(error), float(spearman), int(count))  # type: ignore[misc]
        for number, model in enumerate(models(space))
        for i, (name, error, spearman, count) in enumerate(zip(*(model[name] for name in names), strict=True))
    }


def predict(space: Space, genotypes: Genotypes, dataset: str, title: str) -> Float:
    """One fitted cost of each architecture, shape (n,), in ms or mJ: NaN where it cannot run.

    >>> from llmnas_mcp.spaces import get_space
    >>> predict(get_space("nasbench201"), [(3, 3, 3, 3, 3, 3)], "cifar10", "fpga_latency").round(4)
    array([8.6786])
    """
    fit = fits(space)[dataset, title]
    cells = np.asarray(genotypes, dtype=int).reshape(-1, len(space.positions))
    costs: Float = evaluate(models(space)[fit.model], space, cells)[:, fit.column]
    if title == column(REFUSING, "latency"):
        costs[[lower(tuple(cell)).refused is not None for cell in cells.tolist()]] = np.nan
    return costs


def refusal(device: str, genotype: Genotype) -> str:
    """Why a device cannot run a cell whose predicted cost is NaN."""
    return f"{DEVICES[device].title} cannot run this cell: {lower(genotype).refused}."


def features(space: Space, cells: NDArray[np.int_]) -> Float:
    """What the networks read: one-hot operations as given and as they run, shape (n, features)."""
    runs = np.array([lower(tuple(cell)).runs for cell in cells.tolist()]).reshape(cells.shape)
    return np.hstack([one_hot(cells, len(space.values[0])), one_hot(runs, CODES)])


def one_hot(codes: NDArray[np.int_], size: int) -> Float:
    """Shape (n, positions) with values below `size` -> (n, positions * size).

    >>> one_hot(np.array([[1, 0]]), 2)
    array([[0., 1., 1., 0.]])
    """
    hot: Float = (codes[:, :, None] == np.arange(size)).reshape(len(codes), codes.shape[1] * size).astype(np.float64)
    return hot


def evaluate(model: dict[str, NDArray[Any]], space: Space, cells: NDArray[np.int_]) -> Float:
    """Costs of cells (n, positions) by a model, shape (n, columns); also of cells that cannot run."""
    exact = one_hot(cells, len(space.values[0])) @ model["edge_weights"]
    first = np.maximum(features(space, cells) @ model["w1"] + model["b1"][:, None], 0)
    second = np.maximum(first @ model["w2"] + model["b2"][:, None], 0)
    logs = (second @ model["w3"] + model["b3"][:, None]).mean(0)
    # Rounded, because cells of equal cost must come out equal and not apart by the order of a sum.
    costs: Float = np.hstack([exact.round(9), np.exp(logs).round(6)])
    return costs
