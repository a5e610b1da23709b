"""Computes what the score and each measured proxy are worth: rank correlations with published test accuracies.

    python scripts/calibrate.py TABLE.csv.gz --source "whose accuracies, where published"

TABLE has a column `arch_str` and `{dataset}_test_200` per dataset, as in nb201_accuracy.csv.gz. Writes
llmnas_mcp/scoring/data/calibration.json, which holds correlations and nothing else of the table. Intervals: 95 %,
bootstrap over the distinct architectures, each with all its isomorphic cells, so that copies do not count as evidence.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from llmnas_mcp.scoring import score_of
from llmnas_mcp.scoring.calibration import FILE
from llmnas_mcp.spaces import DATASETS, Dataset, Space, get_space

RESAMPLES, SEED = 1000, 0


def calibrate(space: Space, dataset: Dataset, table: pd.DataFrame) -> list[dict[str, object]]:
    """One row for the score, then one per proxy."""
    genotypes = [space.parse(architecture) for architecture in table.arch_str]
    found = score_of(space, genotypes, dataset=dataset, data=Path("none"))
    accuracy = table[f"{dataset.name}_test_200"].to_numpy()
    _, group = np.unique([space.canonical(g) for g in genotypes], axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")
    cells_of = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    rng = np.random.default_rng(SEED)
    draws = [
        np.concatenate([cells_of[i] for i in rng.integers(len(cells_of), size=len(cells_of))]) for _ in range(RESAMPLES)
    ]
    columns = {"score": found.score, **found.proxies}
    return [row(name, values, accuracy, draws) for name, values in columns.items()]


def row(
    name: str, values: NDArray[np.float64], accuracy: NDArray[np.float64], draws: list[NDArray[np.int_]]
) -> dict[str, object]:
    """Spearman's and Kendall's correlation of one column, with intervals."""
    result: dict[str, object] = {"name": name}
    for kind, correlate in (("spearman", spearmanr), ("kendall", kendalltau)):
        result[kind] = round(float(correlate(values, accuracy)[0]), 4)
        low, high = np.quantile([correlate(values[d], accuracy[d])[0] for d in draws], [0.025, 0.975])
        result[f"{kind}_low"], result[f"{kind}_high"] = round(float(low), 4), round(float(high), 4)
    print(result, flush=True)
    return result


def main() -> None:
    """Calibrate every dataset the table has accuracies for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--space", default="nasbench201")
    args = parser.parse_args()
    table, space = pd.read_csv(args.table), get_space(args.space)
    found = {
        name: {
            "source": args.source,
            "architectures": len(table),
            "rows": calibrate(space, dataset, table),
        }
        for name, dataset in DATASETS.items()
        if f"{name}_test_200" in table
    }
    FILE.write_text(json.dumps({space.name: found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
