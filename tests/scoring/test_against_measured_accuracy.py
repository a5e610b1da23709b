"""The shipped scores against trained accuracy and measured latency, where those tables are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from llmnas_mcp.scoring import score_of
from llmnas_mcp.spaces import DATASETS, get_space

SPACE = get_space("nasbench201")


def table(name: str) -> pd.DataFrame:
    folder = os.environ.get("LLMNAS_TEST_DATA")
    if not folder:
        pytest.skip("needs the measured tables: set LLMNAS_TEST_DATA to their folder")
    return pd.read_csv(Path(folder) / name)


def scores(architectures: pd.Series, dataset: str) -> np.ndarray:
    cells = [SPACE.parse(architecture) for architecture in architectures]
    return score_of(SPACE, cells, dataset=DATASETS[dataset], data=Path("unused")).score


def front(cost: np.ndarray, gain: np.ndarray) -> np.ndarray:
    order = np.lexsort((-gain, cost))
    best = np.maximum.accumulate(np.concatenate([[-np.inf], gain[order][:-1]]))
    return order[gain[order] > best]


def hypervolume(cost: np.ndarray, gain: np.ndarray) -> float:
    keep = front(cost, gain)
    return float((np.diff(cost[keep], append=1.0) * gain[keep]).sum())


@pytest.mark.parametrize(("dataset", "bar"), [("cifar10", 0.90), ("cifar100", 0.90)])
def test_the_score_ranks_all_cells_like_test_accuracy(dataset: str, bar: float) -> None:
    measured = table("nb201_accuracy.csv.gz")
    assert spearmanr(scores(measured.arch_str, dataset), measured[f"{dataset}_test_200"])[0] >= bar


@pytest.mark.parametrize("device", ["edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga"])
def test_the_front_by_score_has_99_percent_of_the_hypervolume_of_the_exact_front(device: str) -> None:
    measured = table("nb201_accuracy.csv.gz").merge(table("hwnasbench_nb201_cifar10.csv.gz"), on="arch_str")
    measured = measured[measured[f"{device}_latency"] > 0]
    cost, gain = (measured[c].to_numpy() for c in (f"{device}_latency", "cifar10_test_200"))
    cost, gain = ((v - v.min()) / (v.max() - v.min()) for v in (cost, gain))
    found = front(cost, scores(measured.arch_str, "cifar10"))
    assert hypervolume(cost[found], gain[found]) >= 0.99 * hypervolume(cost, gain)
