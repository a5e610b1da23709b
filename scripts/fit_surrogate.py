"""Fits the shipped accuracy surrogate to a table of trained accuracies and measures it on cells held out from the fit.

    python scripts/fit_surrogate.py [FOLDER] [--out FILE]

FOLDER (default: LLMNAS_TEST_DATA) holds nb201_accuracy.csv.gz. One thread, a minute. What is saved is the
model whose held-out error is saved with it: it never saw the held-out cells, nor any that computes the same. Printed
besides: the same figures with every held-out class counted once, by its canonical cell; and those of the same recipe
when the classes of many cells may be held out too.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import nn

from llmnas_mcp.benchmarks.surrogate import FOLDER, evaluate, features, held_out_cells, learns
from llmnas_mcp.spaces import get_space

SEED, FRACTION = 0, 0.12
DATASETS = ("cifar10", "cifar100")
NETWORKS, HIDDEN, EPOCHS, BATCH = 5, (64, 32), 100, 256

Array = NDArray[np.float64]
Model = dict[str, NDArray[Any]]


def fit_network(x: NDArray[np.float32], accuracy: Array, seed: int) -> Model:
    """One network for the logarithms of what is missing to 100 %; a loss that unlucky trainings hardly move."""
    torch.manual_seed(seed)
    logs = np.log(100 - accuracy)
    mean, spread = logs.mean(0), logs.std(0)
    given, wanted = torch.tensor(x), torch.tensor((logs - mean) / spread, dtype=torch.float32)
    layers = [nn.Linear(x.shape[1], HIDDEN[0]), nn.Linear(*HIDDEN), nn.Linear(HIDDEN[1], logs.shape[1])]
    network = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    batches = len(x) // BATCH
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=EPOCHS * batches)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x))[: batches * BATCH].view(batches, BATCH):
            loss = nn.functional.smooth_l1_loss(network(given[rows]), wanted[rows], beta=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model = {}
    for i, layer in enumerate(layers, 1):
        model[f"w{i}"] = layer.weight.detach().numpy().T
        model[f"b{i}"] = layer.bias.detach().numpy()
    model["w3"] = (model["w3"] * spread).astype(np.float32)
    model["b3"] = (model["b3"] * spread + mean).astype(np.float32)
    return model


def fit(cells: NDArray[np.int_], canonical: NDArray[np.int_], truth: Array, out: NDArray[np.bool_]) -> Model:
    """The model fitted to the cells not in `out` that can learn, with its figures on those in it."""
    learn = learns(canonical)
    kept, out = ~out & learn, out & learn  # what cannot learn is known by rule, and would flatter the figures
    x = features(canonical).astype(np.float32)
    networks = [fit_network(x[kept], truth[kept], seed) for seed in range(NETWORKS)]
    model = {key: np.stack([n[key] for n in networks]) for key in networks[0]}
    found = evaluate({key: array.astype(float) for key, array in model.items()}, canonical)
    once = out & (canonical == cells).all(1)
    figures = {}
    for name, rows in (("held-out cells", out), ("each class once", once), ("cells of the fit", kept)):
        rho = np.array([spearmanr(found[rows, i], truth[rows, i])[0] for i in range(len(DATASETS))])
        error = np.abs(found - truth)[rows].mean(0)
        figures[name] = rho, error
        for dataset, r, e in zip(DATASETS, rho, error, strict=True):
            print(f"{dataset:10}{name:18} Spearman {r:.4f}  mean error {e:.3f} points  of {rows.sum()}")
    spearman, error = figures["held-out cells"]
    held_out = np.full(len(DATASETS), out.sum())
    return {"datasets": np.array(DATASETS), "spearman": spearman, "error": error, "held_out": held_out, **model}


def main() -> None:
    """Fit, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("LLMNAS_TEST_DATA"))
    parser.add_argument("--out", type=Path, default=FOLDER / "nasbench201.npz")
    options = parser.parse_args()
    if options.folder is None:
        parser.error("say where the table is: a FOLDER or LLMNAS_TEST_DATA")
    torch.set_num_threads(1)
    space = get_space("nasbench201")
    table = pd.read_csv(options.folder / "nb201_accuracy.csv.gz")
    order = np.argsort(space.index_of([space.parse(a) for a in table["arch_str"]]))
    truth = table[[f"{d}_test_200" for d in DATASETS]].to_numpy()[order]
    cells = np.array(list(space.genotypes()))
    canonical = np.array([space.canonical(cell) for cell in space.genotypes()])
    model = fit(cells, canonical, truth, held_out_cells(space, seed=SEED, fraction=FRACTION))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(options.out, seed=np.array(SEED), fraction=np.array(FRACTION), **model)
    print(f"saved {options.out} ({options.out.stat().st_size / 1e6:.2f} MB)\n\ndrawn from all classes:")
    fit(cells, canonical, truth, held_out_cells(space, seed=SEED, fraction=FRACTION, many=space.size))


if __name__ == "__main__":
    main()
