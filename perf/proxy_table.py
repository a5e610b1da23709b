"""Every proxy alone: against trained accuracy, and against published values of the same name.

    python perf/proxy_table.py FOLDER [--cells 500] [--workers 2]

FOLDER holds nb201_accuracy.csv.gz and zcp_nb201_cifar10.csv.gz (NAS-Bench-Suite-Zero, Krishnakumar et al. 2022, arXiv
2210.03230: 9,445 cells without unreachable operations). Cells are drawn from these and built as written. Prints
Spearman's correlations; and the score's over all 9,445.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import kendalltau, spearmanr

from llmnas_mcp.scoring import PROXIES, build, measure, score_of
from llmnas_mcp.spaces import DATASETS, get_space

SPACE = get_space("nasbench201")
NAMES = [name for name in PROXIES if name != "dss"]  # which is of attention
THEIRS = {name: name for name in NAMES} | {"naswot": "nwot", "macs": "flops", "complexity": "flops"}


def all_proxies(architecture: str) -> dict[str, float]:
    """Every proxy of a cell as written, on CIFAR-10."""
    torch.set_num_threads(1)
    cell, dataset = SPACE.parse(architecture), DATASETS["cifar10"]
    return measure(build(lambda: SPACE.network(cell, dataset)), dataset, NAMES)


def main() -> None:
    """Measure, correlate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    published = pd.read_csv(args.folder / "zcp_nb201_cifar10.csv.gz").sample(args.cells, random_state=0)
    accuracy = pd.read_csv(args.folder / "nb201_accuracy.csv.gz").set_index("arch_str").loc[published.arch_str]
    whole = pd.read_csv(args.folder / "zcp_nb201_cifar10.csv.gz").arch_str
    trained = pd.read_csv(args.folder / "nb201_accuracy.csv.gz").set_index("arch_str").loc[whole]
    for name in ("cifar10", "cifar100"):
        cells = [SPACE.parse(architecture) for architecture in whole]
        score = score_of(SPACE, cells, dataset=DATASETS[name], data=Path("none")).score
        found = [f(score, trained[f"{name}_test_200"])[0] for f in (spearmanr, kendalltau)]
        print(f"{name}, the score over all {len(whole):,} cells: Spearman {found[0]:.4f}, Kendall {found[1]:.4f}")

    with ProcessPoolExecutor(args.workers) as pool:
        ours = pd.DataFrame(list(pool.map(all_proxies, published.arch_str, chunksize=5)))

    def correlation(one: pd.Series, other: pd.Series) -> str:
        return f"{spearmanr(np.asarray(one), np.asarray(other))[0]:.3f}"

    print(f"Spearman over {args.cells} of the 9,445 cells without unreachable operations")
    print("| proxy | ours, CIFAR-10 | ours, CIFAR-100 | published, CIFAR-10 | ours with published |")
    print("|---|---|---|---|---|")
    for name in NAMES:
        theirs = published.get(THEIRS[name])
        rest = (
            ["-", "-"]
            if theirs is None
            else [correlation(theirs, accuracy.cifar10_test_200), correlation(ours[name], theirs)]
        )
        alone = [correlation(ours[name], accuracy[f"{d}_test_200"]) for d in ("cifar10", "cifar100")]
        print("| " + " | ".join([name, *alone, *rest]) + " |")


if __name__ == "__main__":
    main()
