"""The shipped surrogate against the measured accuracies, on the cells that were held out from the fit."""

from __future__ import annotations

import csv
import gzip
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from llmnas_mcp.benchmarks.surrogate import FOLDER, fits, held_out_cells, predict
from llmnas_mcp.spaces import Space, get_space

FILE = FOLDER / "nasbench201.npz"
BARS = {"cifar10": 0.4, "cifar100": 0.7}


@cache
def trained(folder: Path, dataset: str) -> NDArray[np.float64]:
    space = get_space("nasbench201")
    with gzip.open(folder / "nb201_accuracy.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    order = np.argsort(space.index_of([space.parse(row["arch_str"]) for row in rows]))
    return np.array([float(row[f"{dataset}_test_200"]) for row in rows])[order]


@pytest.fixture(scope="module")
def out() -> NDArray[np.bool_]:
    """The held-out cells, recomputed from the seed that was shipped with the model."""
    with np.load(FILE, allow_pickle=False) as file:
        return held_out_cells(get_space("nasbench201"), seed=int(file["seed"]), fraction=float(file["fraction"]))


def test_no_held_out_cell_has_a_twin_in_the_fit(space: Space, out: NDArray[np.bool_]) -> None:
    held = {space.canonical(cell) for cell, o in zip(space.genotypes(), out, strict=True) if o}
    fitted = {space.canonical(cell) for cell, o in zip(space.genotypes(), out, strict=True) if not o}
    assert not held & fitted
    assert len(held) > 0.1 * len(space.distinct())


@pytest.mark.parametrize("dataset", BARS)
def test_accuracies_are_estimated_well_on_cells_never_seen(
    space: Space, measured: Path, out: NDArray[np.bool_], dataset: str
) -> None:
    truth = trained(measured, dataset)[out]
    found = predict(space, np.array(list(space.genotypes()))[out], dataset)
    rho, error = spearmanr(found, truth)[0], np.abs(found - truth).mean()
    assert rho >= 0.985
    assert error <= BARS[dataset]
    fit = fits(space)[dataset]
    assert fit.held_out == out.sum() >= 900
    assert fit.spearman == pytest.approx(rho, abs=1e-3)
    assert fit.error == pytest.approx(error, rel=0.01)


def test_the_rule_for_cells_that_cannot_learn_holds(space: Space, measured: Path) -> None:
    for dataset, chance in (("cifar10", 10), ("cifar100", 1)):
        by_chance = trained(measured, dataset) == chance
        assert (predict(space, list(space.genotypes()), dataset) == chance).tolist() == by_chance.tolist()


def test_the_shipped_file_is_small_and_holds_no_table(space: Space) -> None:
    assert FILE.stat().st_size < 2e6
    with np.load(FILE, allow_pickle=False) as file:
        assert not {space.size, len(space.distinct())} & {size for array in file.values() for size in array.shape}
        networks = len(file["w1"])
        assert sum(array.size for array in file.values()) / networks < 2 * len(space.distinct())


def test_the_model_does_not_know_the_cells_of_its_fit_by_heart(
    space: Space, measured: Path, out: NDArray[np.bool_]
) -> None:
    for dataset in BARS:
        off = np.abs(predict(space, list(space.genotypes()), dataset) - trained(measured, dataset))
        rare = np.isin(np.arange(space.size), space.index_of(space.distinct()))
        assert off[~out & rare].mean() > 0.5 * off[out & rare].mean()
