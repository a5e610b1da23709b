"""The shipped scores against trained accuracy and measured latency, where those tables are at hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from llmnas_mcp.scoring import calibration_of, has_atlas, score_of
from llmnas_mcp.scoring.score import Scores
from llmnas_mcp.spaces import DATASETS, get_space

SPACE = get_space("nasbench201")
SCRIPT = Path(__file__).parents[2] / "scripts" / "calibrate.py"


def scored(architectures: pd.Series, dataset: str) -> Scores:
    assert has_atlas(SPACE, DATASETS[dataset]), "run scripts/build_atlas.py: without an atlas this takes an hour"
    cells = [SPACE.parse(architecture) for architecture in architectures]
    return score_of(SPACE, cells, dataset=DATASETS[dataset], data=Path("unused"))


def calibrate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("calibrate", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def front(cost: np.ndarray, gain: np.ndarray) -> np.ndarray:
    order = np.lexsort((-gain, cost))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], gain[order][:-1]]))
    return order[gain[order] > best]


def hypervolume(cost: np.ndarray, gain: np.ndarray) -> float:
    keep = front(cost, gain)
    return float((np.diff(cost[keep], append=1.0) * gain[keep]).sum())


@pytest.mark.parametrize(("dataset", "bar"), [("cifar10", 0.94), ("cifar100", 0.93)])
def test_the_score_ranks_all_cells_like_test_accuracy(measured: Path, dataset: str, bar: float) -> None:
    table = pd.read_csv(measured / "nb201_accuracy.csv.gz")
    assert len(table) == SPACE.size
    assert spearmanr(scored(table.arch_str, dataset).score, table[f"{dataset}_test_200"])[0] >= bar


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_the_shipped_calibration_is_what_its_script_computes(measured: Path, dataset: str) -> None:
    table = pd.read_csv(measured / "nb201_accuracy.csv.gz")
    accuracy = table[f"{dataset}_test_200"].to_numpy()
    found = scored(table.arch_str, dataset)
    shipped = calibration_of(SPACE, DATASETS[dataset])
    assert shipped is not None
    columns = {"score": found.score, **found.proxies}
    assert [row.name for row in shipped.rows] == list(columns)
    row = calibrate().row
    for known in shipped.rows:
        # One draw, of everything: the intervals need a thousand, and half an hour.
        again = row(known.name, columns[known.name], accuracy, [np.arange(len(accuracy))])
        assert (again["spearman"], again["kendall"]) == (known.spearman, known.kendall)


@pytest.mark.parametrize("device", ["edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga"])
def test_the_front_by_score_has_99_percent_of_the_hypervolume_of_the_exact_front(measured: Path, device: str) -> None:
    table = pd.read_csv(measured / "nb201_accuracy.csv.gz").merge(
        pd.read_csv(measured / "hwnasbench_nb201_cifar10.csv.gz"), on="arch_str"
    )
    table = table[table[f"{device}_latency"] > 0]
    cost, gain = (table[c].to_numpy() for c in (f"{device}_latency", "cifar10_test_200"))
    cost, gain = ((v - v.min()) / (v.max() - v.min()) for v in (cost, gain))
    found = front(cost, scored(table.arch_str, "cifar10").score)
    assert hypervolume(cost[found], gain[found]) >= 0.99 * hypervolume(cost, gain)
