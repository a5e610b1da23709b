"""Fits the shipped costs of FBNet's blocks to a lookup table and measures them on networks held out from the fit.

    python scripts/fit_layers.py [TABLE] [--out FOLDER]

TABLE (default: fbnet_cifar100_latency_delta_lut.csv in LLMNAS_TEST_DATA) is HW-NAS-Bench's pickle, or the CSV with its
base beside it. A few seconds. Random networks are priced by the table, and the fit sees their totals only: weights that
are not negative, one for each of FEATURES, by least squares of relative errors. Sixteen numbers a device cannot hold a
table of over a hundred; a term for each block of each layer would. To fit well at the edges too, where searches go,
networks of the fit have blocks that are not equally frequent; those held out, whose errors are saved, are drawn
uniformly. To show what seeing every block in every layer is worth, the fit is repeated for each of them without the
networks that have it there, and judged on networks that do: printed only.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import spearmanr

from llmnas_mcp.devices.layers import FEATURES, FITTED, SPACE, LayerCosts, evaluate, features, read_layers
from llmnas_mcp.devices.predictor import FOLDER
from llmnas_mcp.spaces.fbnet.plan import BLOCKS, LAYERS, plan

SEED, SEEN, HELD_OUT = 0, 4000, 2000
TABLE = "fbnet_cifar100_latency_delta_lut.csv"

Float = NDArray[np.float64]
Networks = NDArray[np.int64]


def uniform(count: int, rng: np.random.Generator) -> Networks:
    """Networks with every block equally likely, shape (count, layers)."""
    return rng.integers(len(BLOCKS), size=(count, LAYERS))


def varied(count: int, rng: np.random.Generator) -> Networks:
    """Networks that each have some blocks more often than others, shape (count, layers)."""
    chances = rng.dirichlet(np.full(len(BLOCKS), 0.5), size=count)
    return np.array([rng.choice(len(BLOCKS), size=LAYERS, p=its) for its in chances])


def fit(work: Float, costs: Float) -> Float:
    """Weights (features,), at least 0, of the least squares of relative errors."""
    scale = np.maximum(work.max(0), 1)
    weights, _ = nnls(work / scale / costs[:, None], np.ones(len(costs)))
    found: Float = weights / scale
    return found


def off(weights: Float, networks: Networks, truth: LayerCosts, resolution: int) -> Float:
    """Relative errors, shape (n,)."""
    errors: Float = np.abs(evaluate(weights, networks, resolution) / truth.of(networks) - 1)
    return errors


def unseen(seen: Networks, work: Float, truth: LayerCosts, out: Networks, resolution: int) -> Float:
    """Relative errors on networks of `out` with a block in a layer that the fit never saw, for each block and layer."""
    layers = np.array(plan(resolution).layers, dtype=object)
    errors = []
    for layer in dict.fromkeys(layers.tolist()):
        at = layers == layer
        for op in range(len(BLOCKS)):
            kept = (seen[:, at] != op).all(1)
            weights = fit(work[kept], truth.of(seen[kept]))
            errors.append(off(weights, out[(out[:, at] == op).any(1)], truth, resolution))
    return np.concatenate(errors)


def main() -> None:
    """Fit, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    folder = os.environ.get("LLMNAS_TEST_DATA")
    parser.add_argument("table", type=Path, nargs="?", default=Path(folder, TABLE) if folder else None)
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()
    if options.table is None:
        parser.error("say where the table is: a TABLE or LLMNAS_TEST_DATA")
    options.out.mkdir(parents=True, exist_ok=True)
    for dataset, resolution in FITTED.items():
        table = read_layers(options.table, dataset)[dataset]
        rng = np.random.default_rng(SEED)
        seen, out = varied(SEEN, rng), uniform(HELD_OUT, rng)
        others = varied(HELD_OUT, rng)
        work = features(seen, resolution)
        weights, error, rho, worst = [], [], [], []
        for title, truth in table.items():
            weights.append(fit(work, truth.of(seen)))
            errors = off(weights[-1], out, truth, resolution)
            error.append(np.median(errors))
            worst.append(errors.max())
            rho.append(spearmanr(evaluate(weights[-1], out, resolution), truth.of(out))[0])
            edges = off(weights[-1], others, truth, resolution)
            blind = unseen(seen, work, truth, out, resolution)
            print(
                f"{dataset}/{title:16} Spearman {rho[-1]:.4f}  median {error[-1]:7.3%}  largest {worst[-1]:7.3%}; "
                f"uneven networks {np.median(edges):7.3%}, {edges.max():7.3%}; "
                f"with a block not in the fit {np.median(blind):7.3%}, {blind.max():7.3%}; "
                f"{int((weights[-1] > 0).sum())} weights above 0"
            )
        path = options.out / f"{SPACE}-{resolution}px.npz"
        np.savez_compressed(
            path,
            seed=np.array(SEED),
            features=np.array(FEATURES),
            columns=np.array([f"{dataset}/{title}" for title in table]),
            error=np.array(error),
            spearman=np.array(rho),
            largest_error=np.array(worst),
            held_out=np.full(len(table), HELD_OUT),
            weights=np.array(weights).T,
        )
        print(f"saved {path} ({path.stat().st_size} bytes)")


if __name__ == "__main__":
    main()
