"""Fits the shipped model of AutoFormer's inherited accuracies and measures it on networks held out from the fit.

    python scripts/fit_inherited.py [FOLDER] [--out FOLDER]

FOLDER (default: LLMNAS_TEST_DATA) holds autoformer_tiny_1000.json, autoformer_small_700.json and
autoformer_base_1000.json: published configurations, each with `imagenet1k_top1`, inherited from the supernet. Seconds.
What is saved is the model whose held-out error is saved with it. Weights that no row could tell are left at 0: of how
the effect of width bends, where fewer than three widths were published (in tiny, 240 was not).
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from llmnas_mcp.benchmarks.inherited import FOLDER, evaluate, features
from llmnas_mcp.devices.predictor import held_out
from llmnas_mcp.spaces import get_space

SEED, FRACTION, RIDGE = 0, 0.2, 0.3
FILES = {"autoformer-tiny": "tiny_1000", "autoformer-small": "small_700", "autoformer-base": "base_1000"}


def fit(name: str, path: Path, out: Path) -> None:
    """Fit one space, print how far the fit is off, and save it."""
    space = get_space(name)
    rows = json.loads(path.read_text(encoding="utf-8"))
    genotypes = [space.parse(json.dumps(row)) for row in rows]
    accuracy = np.array([row["imagenet1k_top1"] for row in rows])
    read = features(space, genotypes)
    if len({genotype[1] for genotype in genotypes}) < 3:  # a bend takes three
        read["bent"] *= 0
    out_of_fit = held_out(len(rows), seed=SEED, fraction=FRACTION)
    columns = np.hstack(list(read.values()))[~out_of_fit]
    mean = accuracy[~out_of_fit].mean()
    normal = columns.T @ columns + RIDGE * np.eye(columns.shape[1])
    weights = np.linalg.solve(normal, columns.T @ (accuracy[~out_of_fit] - mean))
    model = {"mean": np.array(mean), **dict(zip(read, np.split(weights, [read["straight"].shape[1]]), strict=True))}
    off = evaluate(model, read)[out_of_fit] - accuracy[out_of_fit]
    found = float(spearmanr(evaluate(model, read)[out_of_fit], accuracy[out_of_fit])[0])
    figures = {"error": np.abs(off).mean(), "spearman": found, "held_out": int(out_of_fit.sum())}
    print(f"{name}: held out {figures['held_out']}, mean error {figures['error']:.4f} points, Spearman {found:.4f}")
    seen = np.unique(np.array(genotypes)[:, :2], axis=0)
    np.savez_compressed(out / f"{name}.npz", allow_pickle=False, seen=seen, **model, **figures)


def main() -> None:
    """Fit all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("LLMNAS_TEST_DATA"))
    parser.add_argument("--out", type=Path, default=FOLDER)
    args = parser.parse_args()
    if args.folder is None:
        parser.error("name the folder of the published rows, or set LLMNAS_TEST_DATA")
    for name, file in FILES.items():
        fit(name, Path(args.folder) / f"autoformer_{file}.json", args.out)


if __name__ == "__main__":
    main()
