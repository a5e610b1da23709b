"""How good are fronts in truth? Held against published tables of trained accuracy and measured latency.

    python perf/true_fronts.py FOLDER [--seeds 3]

FOLDER holds nb201_accuracy.csv.gz and hwnasbench_nb201_{cifar10,cifar100}.csv.gz. For every device: a default search
per seed, which knows neither table, and the front of all cells under the same score and latencies (exhaustive), which
no search can be expected to beat at the same margins by more than luck. Each figure is a hypervolume in (test accuracy
after 200 epochs, measured latency), both scaled over the table, as a share of the exact front's. Printed for fronts
with several margins: how far behind in score, and how many times the latency model's median error behind in latency, a
cell may be to be kept. Then what limits the exhaustive front: the same with true latencies, and with true accuracies.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from search_quality import Ground, evolution

from llmnas_mcp.devices import DEVICES
from llmnas_mcp.pareto import front_of, near_front_of, unit_hypervolume
from llmnas_mcp.search.landscape import NO_LIMITS
from llmnas_mcp.search.members import SCORE_MARGIN

MARGINS = ((0, 0), (0.0, 1), (0.002, 1), (0.005, 0), (0.005, 1), (0.01, 1), (0.02, 1), (0.05, 1), (0.1, 1))
DATASETS = ("cifar10", "cifar100")


class Truth:
    """Measured latency and trained accuracy of every cell, both minimised and in [0, 1], and the exact front's area."""

    def __init__(self, folder: Path, dataset: str, device: str, ground: Ground) -> None:
        accuracy = pd.read_csv(folder / "nb201_accuracy.csv.gz").set_index("arch_str")[f"{dataset}_test_200"]
        latency = pd.read_csv(folder / f"hwnasbench_nb201_{dataset}.csv.gz").set_index("arch_str")[f"{device}_latency"]
        latency = latency[latency > 0]
        table = pd.DataFrame({"cost": latency, "error": -accuracy[latency.index]})
        table = (table - table.min()) / (table.max() - table.min())
        self.best = unit_hypervolume(table.to_numpy())
        self.ground = ground
        self.cells = list(map(tuple, ground.landscape.candidates(NO_LIMITS).genotypes.tolist()))
        self.row = {cell: row for row, cell in enumerate(self.cells)}
        self.costs = ground.landscape.costs(self.cells)
        self.believed = ground.points(self.cells)
        names = [ground.space.format(cell) for cell in self.cells]
        self.points: NDArray[np.float64] = table.reindex(names).to_numpy()

    def share(self, rows: NDArray[np.int_]) -> float:
        """What the cells of these rows reach; those that cannot run in truth reach nothing."""
        points = self.points[rows]
        return unit_hypervolume(points[~np.isnan(points[:, 0])]) / self.best

    def kept(self, rows: NDArray[np.int_], margin: tuple[float, float]) -> NDArray[np.int_]:
        """Of these rows, those on the front or within the margins of it."""
        score, times = margin
        slack = self.ground.scale.margins(self.costs.values[rows], times * self.costs.errors[rows], score)
        return rows[near_front_of(self.believed[rows], slack)]


def main() -> None:
    """Run all searches and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    nowhere = Path(tempfile.mkdtemp())
    os.environ["LLMNAS_DATA"] = str(nowhere)
    for dataset in DATASETS:
        shares: dict[object, list[float]] = {}
        sizes: dict[tuple[float, float], list[int]] = {margin: [] for margin in MARGINS}
        for device in DEVICES:
            ground = Ground("nasbench201", dataset, device, nowhere)
            truth = Truth(args.folder, dataset, device, ground)
            runs = np.arange(len(truth.cells))
            found = []
            for seed in range(args.seeds):
                cells = map(ground.space.canonical, evolution(ground, seed, 400))
                found.append(np.array([truth.row[cell] for cell in cells]))
            for margin in MARGINS:
                fronts = [truth.kept(rows, margin) for rows in found]
                shares.setdefault(margin, []).append(float(np.mean([truth.share(rows) for rows in fronts])))
                sizes[margin] += [len(rows) for rows in fronts]
            shares.setdefault("all members", []).append(float(np.mean([truth.share(rows) for rows in found])))
            shares.setdefault("exhaustive, no margin", []).append(truth.share(truth.kept(runs, (0, 0))))
            default = truth.kept(runs, (SCORE_MARGIN, 1))
            shares.setdefault("exhaustive, default margins", []).append(truth.share(default))
            real = runs[~np.isnan(truth.points[runs, 0])]
            mixed = np.column_stack([truth.points[real, 0], truth.believed[real, 1]])
            shares.setdefault("exhaustive, true latency", []).append(truth.share(real[front_of(mixed)]))
            mixed = np.column_stack([truth.believed[real, 0], truth.points[real, 1]])
            shares.setdefault("exhaustive, true accuracy", []).append(truth.share(real[front_of(mixed)]))
            print(".", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        print(f"\n{dataset}, mean of {args.seeds} seeds\n\n| | size | {' | '.join(DEVICES)} | mean | worst |")
        print("|---" * (len(DEVICES) + 4) + "|")
        for key, values in shares.items():
            size = f"{np.mean(sizes[key]):.0f}" if isinstance(key, tuple) else ""
            name = f"margin {key[0]:g} in score, {key[1]:g} x error in latency" if isinstance(key, tuple) else str(key)
            cells = [f"{value:.4f}" for value in (*values, np.mean(values), min(values))]
            print(f"| {' | '.join([name, size, *cells])} |")


if __name__ == "__main__":
    main()
