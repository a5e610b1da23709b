"""The shipped models against the measured tables, on the cells that were held out from the fit."""

from __future__ import annotations

import csv
import gzip
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from llmnas_mcp.devices.lowering import lower
from llmnas_mcp.devices.predictor import FOLDER, Fit, fits, held_out, predict
from llmnas_mcp.spaces import Space, get_space

BARS = {"edgegpu": (0.988, 0.025), "edgetpu": (0.990, 0.02), "raspi4": (0.980, 0.06), "pixel3": (0.975, 0.07)}
BARS_16 = {
    "edgegpu": (0.99, 0.02),
    "edgetpu": (0.985, 0.02),
    "raspi4": (0.94, 0.06),
    "pixel3": (0.98, 0.08),
    "fpga": (0.999, 0.003),
}
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
FILES = sorted(FOLDER.glob("nasbench201-*px.npz"))


@cache
def table(folder: Path, dataset: str) -> dict[str, NDArray[np.float64]]:
    space = get_space("nasbench201")
    with gzip.open(folder / f"hwnasbench_nb201_{dataset}.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    order = np.argsort(space.index_of([space.parse(row["arch_str"]) for row in rows]))
    names = [name for name in rows[0] if name.endswith(("_latency", "_energy"))]
    return {name: np.array([float(row[name]) for row in rows])[order] for name in names}


@pytest.fixture(scope="module")
def out() -> NDArray[np.bool_]:
    """The held-out cells, recomputed from the seed that was shipped with the models."""
    with np.load(FILES[0], allow_pickle=False) as file:
        return held_out(15625, seed=int(file["seed"]), fraction=float(file["fraction"]))


def figures(
    space: Space, truth: NDArray[np.float64], name: tuple[str, str], out: NDArray[np.bool_]
) -> tuple[Fit, float, NDArray[np.float64], int]:
    rows = out & (truth > 0)
    values = predict(space, np.array(list(space.genotypes()))[rows], *name)
    off = np.abs(values / truth[rows] - 1)
    return fits(space)[name], spearmanr(values, truth[rows])[0], off, int(rows.sum())


@pytest.mark.parametrize(("dataset", "device"), [*product(DATASETS[:2], BARS), *product(DATASETS[2:], BARS_16)])
def test_measured_boards_are_predicted_on_cells_never_seen(
    space: Space, measured: Path, out: NDArray[np.bool_], device: str, dataset: str
) -> None:
    truth = table(measured, dataset)[f"{device}_latency"]
    _, rho, off, count = figures(space, truth, (dataset, f"{device}_latency"), out)
    assert count >= 1000
    least, most = (BARS if dataset in DATASETS[:2] else BARS_16)[device]
    assert rho >= least
    assert np.median(off) <= most


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("name", ["eyeriss_latency", "eyeriss_energy", "fpga_latency", "fpga_energy"])
def test_eyeriss_and_fpga_are_exact(space: Space, measured: Path, dataset: str, name: str) -> None:
    if name.startswith("fpga") and dataset not in DATASETS[:2]:
        assert 0 < fits(space)[dataset, name].error < 0.003  # no sum of its operations there
        return
    truth = table(measured, dataset)[name]
    values = predict(space, list(space.genotypes()), dataset, name)
    assert np.abs(values / truth - 1).max() < 1e-4


def test_the_shipped_figures_are_those_of_the_shipped_models(
    space: Space, measured: Path, out: NDArray[np.bool_]
) -> None:
    assert out.mean() >= 0.1
    for name in fits(space):
        fit, rho, off, count = figures(space, table(measured, name[0])[name[1]], name, out)
        assert fit.held_out == count
        assert fit.spearman == pytest.approx(rho, abs=1e-3)
        assert fit.error == pytest.approx(np.median(off), rel=0.01, abs=1e-6)


def test_the_models_do_not_know_the_cells_they_were_fitted_to_by_heart(
    space: Space, measured: Path, out: NDArray[np.bool_]
) -> None:
    for device in BARS:
        name = ("cifar10", f"{device}_latency")
        truth = table(measured, "cifar10")[name[1]]
        _, _, unseen, _ = figures(space, truth, name, out)
        _, _, seen, _ = figures(space, truth, name, ~out)
        assert np.median(seen) > 0.5 * np.median(unseen)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_rule_for_the_edge_tpu_holds(space: Space, measured: Path, dataset: str) -> None:
    refused = table(measured, dataset)["edgetpu_latency"] == -1
    predicted = np.array([lower(cell).refused is not None for cell in space.genotypes()])
    assert refused.sum() == 4699
    assert (predicted == refused).mean() >= 0.99
    assert not (predicted & ~refused).any()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_shipped_file_is_small_and_holds_no_table(space: Space, path: Path) -> None:
    assert path.stat().st_size < 1e6
    with np.load(path, allow_pickle=False) as file:
        assert not any(space.size in array.shape for array in file.values())
        assert sum(array.size for array in file.values()) < 80_000


def test_the_cells_held_out_are_the_same_every_time() -> None:
    mask = held_out(15625, seed=0, fraction=0.12)
    assert mask.sum() == 1875
    assert (mask == held_out(15625, seed=0, fraction=0.12)).all()
    assert (mask != held_out(15625, seed=1, fraction=0.12)).any()
