"""Computes the shipped atlases: the proxies of every distinct architecture of a space for each known resolution.

    python scripts/build_atlas.py [--space nasbench201] [--resolution 32 16] [--work FOLDER]

Each architecture is appended to a file in the work folder as soon as it is scored: killed and started again, the script
goes on where it was. The order is shuffled, so that the time left is foreseen well. One thread; NAS-Bench-201 takes
half an hour for 32x32 inputs and ten minutes for 16x16.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from llmnas_mcp.scoring import atlas, engine
from llmnas_mcp.spaces import DATASETS, SPACES, Genotype, SearchSpace


def measured(lines: Path) -> dict[Genotype, tuple[float, ...]]:
    """What is in a work file already; a last line cut short by a kill is dropped."""
    whole = lines.read_text().rpartition("\n")[0].splitlines() if lines.exists() else []
    lines.write_text("".join(f"{line}\n" for line in whole))
    return {tuple(genotype): tuple(values) for genotype, values in map(json.loads, whole)}


def build(space: SearchSpace, resolution: int, work: Path) -> Path:
    """Score what is not yet scored, then write the atlas; returns its path."""
    lines = work / f"{space.name}-{resolution}px-v{engine.VERSION}.jsonl"
    known = measured(lines)
    todo = [g for g in map(tuple, space.distinct().tolist()) if g not in known]
    np.random.default_rng(0).shuffle(todo)
    start = time.perf_counter()
    with lines.open("a") as out:
        for done, genotype in enumerate(todo, start=1):
            known[genotype] = engine.measure(space, genotype, resolution)
            out.write(json.dumps([genotype, known[genotype]]) + "\n")
            out.flush()
            if done % 100 == 0:
                spent = time.perf_counter() - start
                left = spent / done * (len(todo) - done)
                print(f"{resolution}px: {done} of {len(todo)}, {spent:.0f} s spent, {left:.0f} s left", flush=True)

    members = Counter(space.canonical(genotype) for genotype in space.genotypes())
    path = atlas.SHIPPED / atlas.file_name(space, resolution)
    atlas.make(members, known).save(path)
    return path


def main() -> None:
    """Build the atlases asked for."""
    resolutions = sorted({dataset.resolution for dataset in DATASETS.values()}, reverse=True)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="nasbench201", choices=SPACES)
    parser.add_argument("--resolution", nargs="+", type=int, default=resolutions)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "llmnas-atlas")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for resolution in args.resolution:
        path = build(SPACES[args.space], resolution, args.work)
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
