"""Which rule chooses best where only scores are known? Regret of what it takes within limits, by published tables.

    python perf/picks.py FOLDER [--methods evolution nsga2 local-search random] [--seeds 3]

FOLDER holds nb201_accuracy.csv.gz and hwnasbench_nb201_{cifar10,cifar100}.csv.gz. For every dataset, device, method and
seed a run of 400 evaluations, which knows measured latencies and no accuracy. Within each of four limits (the 10, 25,
50 and 75 % quantile of latency) a rule takes a cell: the first by its mean rank, among what is within, by the columns
it names. Regret (down): the test accuracy of the best cell there is within the limit less that of the one taken, in
points, mean over devices, seeds and limits. *All* is of every evaluated cell, *near* of the front with its margins;
*ten* is the best of the ten first that differ, *any* the best of all: what knowing their accuracies would take.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from search_quality import Ground, evolution

from llmnas_mcp import baselines
from llmnas_mcp.benchmarks import Judge
from llmnas_mcp.benchmarks.tables import import_measured
from llmnas_mcp.devices import DEVICES
from llmnas_mcp.scoring import proxies_at_hand
from llmnas_mcp.search.landscape import NO_LIMITS
from llmnas_mcp.search.picking import by_score, differing
from llmnas_mcp.spaces import Genotype, get_space

QUANTILES = (0.1, 0.25, 0.5, 0.75)
PROXIES = ("growth", "swap", "jacov", "params")
RULES: tuple[tuple[str, ...], ...] = (
    *(("score",), ("params",), ("cost",), ("growth",), ("swap",), ("jacov",)),
    *(("score", "params"), ("score", "cost"), ("score", "growth"), ("growth", "params"), PROXIES),
    ("score", "growth", "params"),
)
Columns = dict[str, NDArray[np.float64]]


def found_by(method: str, ground: Ground, seed: int) -> list[Genotype]:
    """What a method pays for, as canonical cells."""
    if method == "evolution":
        return [ground.space.canonical(cell) for cell in evolution(ground, seed, 400)]
    return baselines.run(baselines.method_of(method), baselines.Problem(ground.landscape, 400), seed).architectures


def columns_of(ground: Ground, cells: list[Genotype]) -> Columns:
    """What rules may go by."""
    where = ground.landscape
    known = proxies_at_hand(ground.space, cells, PROXIES, dataset=where.dataset, data=where.data) or {}
    return {**known, "score": where.scores(cells).score, "cost": where.costs(cells).values[:, 0]}


def taken(columns: Columns, rule: tuple[str, ...], rows: NDArray[np.int64]) -> list[int]:
    """The rows, first those that the rule prefers."""
    first, *others = (columns[name][rows] for name in rule)
    return [int(rows[i]) for i in by_score(first, others)]


def main() -> None:
    """Run all methods and print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--methods", nargs="+", default=["evolution", "nsga2", "local-search", "random"])
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    space, datasets = get_space("nasbench201"), ("cifar10", "cifar100")
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary)
        os.environ["LLMNAS_DATA"] = temporary
        for name in ("nb201_accuracy", *(f"hwnasbench_nb201_{dataset}" for dataset in datasets)):
            import_measured(args.folder / f"{name}.csv.gz", space, data)
        regrets: dict[tuple[str, str, str, str], list[float]] = {}
        for dataset in datasets:
            for device in DEVICES:
                ground = Ground("nasbench201", dataset, device, data)
                judge = Judge.of(space, dataset, device, ["latency"], data)
                costs = ground.landscape.candidates(NO_LIMITS).costs[:, 0]
                limits = [float(f"{limit:.3g}") for limit in np.quantile(costs, QUANTILES)]  # as `llmnas bench run`
                for method in args.methods:
                    for seed in range(args.seeds):
                        cells = found_by(method, ground, seed)
                        columns, true = columns_of(ground, cells), judge.values(cells)[:, 0]
                        near = np.isin(np.arange(len(cells)), _rows(cells, ground.landscape.kept(cells, ground.scale)))
                        for limit, most in zip(limits, judge.best_under(limits), strict=True):
                            within = columns["cost"] <= limit
                            for pool, rows in (("all", within), ("near", within & near)):
                                for rule in RULES:
                                    order = taken(columns, rule, np.flatnonzero(rows))
                                    ten = differing(range(len(order)), [cells[i] for i in order], 10)
                                    at = (method, dataset, " + ".join(rule))
                                    for how, those in ((pool, order[:1]), (f"{pool}, ten", [order[i] for i in ten])):
                                        regrets.setdefault((*at, how), []).append((most or 0) - true[those].max())
                                at = (method, dataset, "any")
                                regrets.setdefault((*at, pool), []).append((most or 0) - true[rows].max())
                print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    hows = ("all", "near", "all, ten", "near, ten")
    for method in args.methods:
        print(f"\n{method}\n\n| rule | {' | '.join(f'{d}, {how}' for d in datasets for how in hows)} |")
        print("|---" * (1 + len(hows) * len(datasets)) + "|")
        for rule in (*map(" + ".join, RULES), "any"):
            told = [regrets.get((method, dataset, rule, how)) for dataset in datasets for how in hows]
            print(f"| {rule} | {' | '.join('' if own is None else f'{np.mean(own):.2f}' for own in told)} |")


def _rows(cells: list[Genotype], kept: list[Genotype]) -> list[int]:
    row = {cell: i for i, cell in enumerate(cells)}
    return [row[cell] for cell in kept]


if __name__ == "__main__":
    main()
