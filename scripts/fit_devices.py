"""Fits the shipped device predictors to the tables of HW-NAS-Bench and measures them on cells held out from the fit.

    python scripts/fit_devices.py [FOLDER] [--out FOLDER]

FOLDER (default: LLMNAS_TEST_DATA) holds hwnasbench_nb201_{cifar10,cifar100,ImageNet16-120}.csv.gz. One thread, four
minutes. Datasets of one resolution are fitted together, and leave a file of their own. What is saved is the model whose
held-out error is saved with it: it never saw the held-out cells. They are drawn one by one, so that a held-out cell
often has an isomorphic twin in the fit; to show what that is worth, the same recipe is fitted once more with whole
topology classes held out, and its error printed only.
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

from llmnas_mcp.devices.catalogue import DEVICES, ON_DEVICE, column
from llmnas_mcp.devices.predictor import FOLDER, evaluate, features, held_out, one_hot
from llmnas_mcp.spaces import Space, get_space

SEED, FRACTION = 0, 0.12
TOGETHER = {"32px": ("cifar10", "cifar100"), "16px": ("ImageNet16-120",)}
NETWORKS, HIDDEN, EPOCHS, BATCH = 3, (128, 64), 100, 256

Array = NDArray[np.float64]
Model = dict[str, NDArray[Any]]


def read(folder: Path, space: Space, datasets: tuple[str, ...]) -> dict[str, Array]:
    """Every column we predict, as dataset/column, in the order of `space.genotypes()`; NaN where it cannot run."""
    found = {}
    for dataset in datasets:
        table = pd.read_csv(folder / f"hwnasbench_nb201_{dataset}.csv.gz")
        order = np.argsort(space.index_of([space.parse(a) for a in table["arch_str"]]))
        for name in (column(device, objective) for device in DEVICES for objective in ON_DEVICE):
            if name in table:
                values = table[name].to_numpy(np.float64)[order]
                found[f"{dataset}/{name}"] = np.where(values == -1, np.nan, values)
    return found


def fit_edges(cells: NDArray[np.int_], targets: Array, kept: NDArray[np.bool_], choices: int) -> Array:
    """Least squares on one term per edge and operation: shape (edges * choices, targets)."""
    weights: Array = np.linalg.lstsq(one_hot(cells[kept], choices), targets[kept], rcond=None)[0]
    return weights


def is_sum(cells: NDArray[np.int_], target: Array, choices: int) -> bool:
    """Whether a cost is exactly a sum of one term per edge and operation, as simulated and computed ones can be."""
    if np.isnan(target).any():
        return False
    fitted = one_hot(cells, choices) @ fit_edges(cells, target[:, None], np.ones(len(cells), bool), choices)[:, 0]
    return bool(np.abs(fitted / target - 1).max() < 1e-6)


def fit_network(x: NDArray[np.float32], targets: Array, seed: int) -> Model:
    """One network for the logarithms of all targets, NaN left out; a loss that measurement outliers hardly move."""
    torch.manual_seed(seed)
    logs = np.log(targets)
    mean, spread = np.nanmean(logs, 0), np.nanstd(logs, 0)
    known = torch.tensor(~np.isnan(logs), dtype=torch.float32)
    wanted = torch.tensor(np.nan_to_num((logs - mean) / spread), dtype=torch.float32)
    given = torch.tensor(x)
    layers = [nn.Linear(x.shape[1], HIDDEN[0]), nn.Linear(*HIDDEN), nn.Linear(HIDDEN[1], logs.shape[1])]
    network = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    batches = len(x) // BATCH
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=EPOCHS * batches)
    for epoch in range(1, EPOCHS + 1):
        for rows in torch.randperm(len(x))[: batches * BATCH].view(batches, BATCH):
            loss = nn.functional.smooth_l1_loss(network(given[rows]), wanted[rows], beta=0.05, reduction="none")
            optimizer.zero_grad()
            (loss * known[rows]).mean().backward()
            optimizer.step()
            schedule.step()
        if epoch % 25 == 0:
            print(f"  network {seed}: epoch {epoch} of {EPOCHS}", flush=True)
    model = {}
    for i, layer in enumerate(layers, 1):
        model[f"w{i}"] = layer.weight.detach().numpy().T
        model[f"b{i}"] = layer.bias.detach().numpy()
    model["w3"] = (model["w3"] * spread).astype(np.float32)
    model["b3"] = (model["b3"] * spread + mean).astype(np.float32)
    return model


def fit(space: Space, table: dict[str, Array], out: NDArray[np.bool_]) -> Model:
    """The models fitted to the cells not in `out`, with their errors on those in it."""
    cells = np.array(list(space.genotypes()))
    x = features(space, cells).astype(np.float32)
    choices = len(space.values[0])
    exact = [name for name in table if is_sum(cells[~out], table[name][~out], choices)]
    boards = [name for name in table if name not in exact]
    edges = fit_edges(cells, np.column_stack([table[n] for n in exact]), ~out, choices)
    targets = np.column_stack([table[n] for n in boards])
    networks = [fit_network(x[~out], targets[~out], seed) for seed in range(NETWORKS)]
    model = {key: np.stack([n[key] for n in networks]) for key in networks[0]} | {"edge_weights": edges}
    costs = evaluate(model, space, cells)
    rho, error, worst, count = [], [], [], []
    for i, name in enumerate(exact + boards):
        rows = out & ~np.isnan(table[name])
        off = np.abs(costs[rows, i] / table[name][rows] - 1)
        rho.append(spearmanr(costs[rows, i], table[name][rows])[0])
        error.append(np.median(off))
        worst.append(off.max())
        count.append(rows.sum())
        print(f"{name:28} Spearman {rho[-1]:.4f}  median {error[-1]:8.3%}  largest {worst[-1]:9.3%}  of {count[-1]}")
    return {
        "columns": np.array(exact + boards),
        "spearman": np.array(rho),
        "error": np.array(error),
        "largest_error": np.array(worst),
        "held_out": np.array(count),
        **model,
    }


def main() -> None:
    """Fit, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("LLMNAS_TEST_DATA"))
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()
    if options.folder is None:
        parser.error("say where the tables are: a FOLDER or LLMNAS_TEST_DATA")
    torch.set_num_threads(1)
    space = get_space("nasbench201")
    options.out.mkdir(parents=True, exist_ok=True)
    classes = space.distinct()
    chosen = space.index_of(classes[held_out(len(classes), seed=SEED, fraction=FRACTION)])
    canonical = space.index_of([space.canonical(cell) for cell in space.genotypes()])
    for resolution, datasets in TOGETHER.items():
        table = read(options.folder, space, datasets)
        model = fit(space, table, held_out(space.size, seed=SEED, fraction=FRACTION))
        path = options.out / f"{space.name}-{resolution}.npz"
        np.savez_compressed(path, seed=np.array(SEED), fraction=np.array(FRACTION), **model)
        print(f"saved {path} ({path.stat().st_size / 1e6:.2f} MB)\n\nwhole topology classes held out:")
        fit(space, table, np.isin(canonical, chosen))


if __name__ == "__main__":
    main()
