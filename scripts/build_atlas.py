"""Computes the shipped atlases: the proxies of every architecture of a space's reference for each of its datasets.

    python scripts/build_atlas.py [--space nasbench201] [--dataset cifar10 ...] [--workers N] [--work FOLDER]

Each architecture is appended to a file in the work folder as soon as it is measured: killed and started again, the
script goes on where it was. The order is shuffled, so that the time left is foreseen well. NAS-Bench-201 takes about
twenty core minutes a dataset of 32x32 inputs, eight for 16x16.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch

from llmnas_mcp.scoring import atlas, engine
from llmnas_mcp.spaces import DATASETS, SPACES, Dataset, Genotype
from llmnas_mcp.spaces.reference import reference_of


def measured(lines: Path) -> dict[Genotype, tuple[float, ...]]:
    """What is in a work file already; a last line cut short by a kill is dropped."""
    text = lines.read_text() if lines.exists() else ""
    whole = text.rpartition("\n")[0].splitlines()
    if text and not text.endswith("\n"):
        part = lines.with_suffix(".part")
        part.write_text("".join(f"{line}\n" for line in whole))
        part.replace(lines)
    return {tuple(genotype): tuple(values) for genotype, values in map(json.loads, whole)}


def measure(space: str, dataset: Dataset, genotype: Genotype) -> tuple[Genotype, tuple[float, ...]]:
    """What one worker does for one architecture, on one thread."""
    torch.set_num_threads(1)
    return genotype, engine.measure_genotype(SPACES[space], genotype, dataset)


def build(space_name: str, dataset: Dataset, work: Path, workers: int) -> Path:
    """Measure what is not yet measured, then write the atlas; returns its path."""
    space = SPACES[space_name]
    name = atlas.file_name(space, dataset)
    lines = work / f"{name}.jsonl"
    known = measured(lines)
    reference = reference_of(space, dataset)
    todo = [g for g in reference.rows if g not in known]
    np.random.default_rng(0).shuffle(todo)
    start = time.perf_counter()
    with lines.open("a") as out, ProcessPoolExecutor(workers) as pool:
        for done, (genotype, values) in enumerate(
            pool.map(partial(measure, space_name, dataset), todo, chunksize=4), start=1
        ):
            known[genotype] = values
            out.write(json.dumps([genotype, values]) + "\n")
            out.flush()
            if done % 100 == 0:
                spent = time.perf_counter() - start
                left = spent / done * (len(todo) - done)
                print(f"{name}: {done} of {len(todo)}, {spent:.0f} s spent, {left:.0f} s left", flush=True)

    members = dict(zip(reference.rows, reference.weights.tolist(), strict=True))
    atlas.make(members, known).save(atlas.SHIPPED / name)
    return atlas.SHIPPED / name


def main() -> None:
    """Build the atlases asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="nasbench201", choices=SPACES)
    parser.add_argument("--dataset", nargs="+", choices=DATASETS, help="default: all of the space")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "llmnas-atlas")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for dataset in args.dataset or SPACES[args.space].datasets or ():
        path = build(args.space, DATASETS[dataset], args.work, args.workers)
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
