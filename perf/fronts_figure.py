"""Fronts of several searches in one picture, by cost and by accuracy, as Fig. 5 of arXiv 2510.01472.

    llmnas search --space autoformer-tiny --objective macs --out runs/tiny        # and small, and base
    python perf/fronts_figure.py runs/tiny runs/small runs/base --out fronts.png

Each folder holds a front.json. Accuracies are those of an imported table, else estimated, and the axis says which: a
front is what its search found by its score, and its accuracies are looked up afterwards. Grey: random networks of each
space, as many as the search evaluated.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from llmnas_mcp.benchmarks import accuracy_of
from llmnas_mcp.benchmarks.accuracy import grade_of
from llmnas_mcp.devices import ANYWHERE, UNITS, cost_of
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import Genotype, get_space

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")  # Okabe and Ito's


def main() -> None:
    """Draw the fronts of the folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("fronts.png"))
    args = parser.parse_args()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    data, labels = Settings().data, set()
    for folder, colour in zip(args.folders, COLOURS, strict=False):
        found = json.loads((folder / "front.json").read_text(encoding="utf-8"))
        space, objective = get_space(found["space"]), found["objective"]
        asked = {"dataset": found["dataset"], "data": data}

        def told(genotypes: list[Genotype]) -> tuple[np.ndarray, np.ndarray]:
            device = None if objective in ANYWHERE else found["device"]  # noqa: B023 - called in this turn
            costs = cost_of(space, genotypes, device=device, objective=objective, **asked)  # noqa: B023
            return costs.values, accuracy_of(space, genotypes, **asked).values  # noqa: B023

        drawn = map(tuple, space.sample(found["evaluations"], np.random.default_rng(0)).tolist())
        axes.scatter(*told(list(drawn)), s=6, color="#BBBBBB", linewidths=0, zorder=1)
        front = [space.parse(point["architecture"]) for point in found["front"] if not point["near"]]
        axes.plot(*told(front), ".-", color=colour, linewidth=0.8, markersize=5, label=f"{space.name} ({len(front)})")
        source = accuracy_of(space, front[:1], **asked).sources[0]
        how = "measured" if source.startswith("table:") else "estimated"
        labels.add(
            (f"{objective} ({UNITS[objective]})", f"{grade_of(space)} accuracy on {found['dataset']} (%), {how}")
        )
    axes.set_xlabel(" / ".join(sorted({x for x, _ in labels})) + ", lower is better")
    axes.set_ylabel(" / ".join(sorted({y for _, y in labels})))
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    figure.savefig(args.out)
    print(f"saved {args.out}")


if __name__ == "__main__":
    main()
