"""Computes what the score is worth in AutoFormer's spaces: rank correlations with published inherited accuracies.

    python scripts/calibrate_autoformer.py [FOLDER] [--measure N] [--work FILE]

FOLDER (default: LLMNAS_TEST_DATA) holds autoformer_tiny_1000.json, autoformer_small_700.json and
autoformer_base_1000.json. Adds the three spaces to llmnas_mcp/scoring/data/calibration.json: the score and the counts,
which need no measuring, over all rows. Printed besides, for each space and for their union: every proxy over N rows of
each, drawn with a seed, measured on one thread and kept in the work file, so that a run goes on where it was stopped.
Intervals: 95 %, bootstrap over rows. The score over the union is the log-rank sum of its members over that union, for a
score itself is a rank within one space.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from calibrate import RESAMPLES, SEED, row
from numpy.typing import NDArray

from llmnas_mcp.scoring import PROXIES, attempt, build, score_of
from llmnas_mcp.scoring.aggregate import Aggregate
from llmnas_mcp.scoring.calibration import FILE
from llmnas_mcp.scoring.forms import FEATURE_MAPS, TOKENS
from llmnas_mcp.spaces import DATASETS, Space, get_space

FILES = {"autoformer-tiny": "tiny_1000", "autoformer-small": "small_700", "autoformer-base": "base_1000"}
SOURCE = "inherited accuracies on ImageNet, Chen et al., AutoFormer, ICCV 2021 (arXiv 2107.00651)"
DATASET = DATASETS["imagenet"]
OF_IMAGES = "score for feature maps"  # what the other form of the score would be worth here

Columns = dict[str, NDArray[np.float64]]


def draws(count: int) -> list[NDArray[np.int_]]:
    """Rows drawn with replacement, for intervals."""
    rng = np.random.default_rng(SEED)
    return [rng.integers(count, size=count) for _ in range(RESAMPLES)]


def measured(space: Space, rows: list[dict[str, Any]], count: int, work: Path) -> tuple[list[int], Columns]:
    """Which rows were drawn, and every proxy of them: NaN where one cannot be told."""
    drawn = np.random.default_rng(SEED).permutation(len(rows))[:count].tolist()
    known = {}
    if work.exists():
        for line in work.read_text(encoding="utf-8").splitlines():
            name, index, values = json.loads(line)
            known[name, index] = values
    names = [name for name in PROXIES if name not in ("params", "macs", "complexity", "zen")]
    for done, index in enumerate(drawn, start=1):
        if (space.name, index) not in known:
            genotype = space.parse(json.dumps(rows[index]))
            values, _ = attempt(build(lambda g=genotype: space.network(g, DATASET)), DATASET, names)  # type: ignore[misc]
            known[space.name, index] = values
            with work.open("a", encoding="utf-8") as file:
                file.write(json.dumps([space.name, index, values]) + "\n")
            print(f"{space.name}: measured {done} of {count}", flush=True)
    return drawn, {n: np.array([known[space.name, i].get(n, np.nan) for i in drawn], dtype=float) for n in names}


def log_rank_sum(members: tuple[str, ...], columns: Columns) -> NDArray[np.float64]:
    """The score of rows among each other."""
    own = {name: columns[name] for name in members}
    return Aggregate(members, own, np.ones(len(own[members[0]]), np.int64)).scores(own)


def main() -> None:
    """Calibrate the counts, print what proxies are worth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("LLMNAS_TEST_DATA"))
    parser.add_argument("--measure", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "llmnas-autoformer.jsonl")
    args = parser.parse_args()
    if args.folder is None:
        parser.error("name the folder of the published rows, or set LLMNAS_TEST_DATA")
    calibration = json.loads(FILE.read_text(encoding="utf-8"))
    whole: list[tuple[NDArray[np.float64], Columns]] = []
    sampled: list[tuple[NDArray[np.float64], Columns]] = []
    for name, file in FILES.items():
        space = get_space(name)
        rows = json.loads((Path(args.folder) / f"autoformer_{file}.json").read_text(encoding="utf-8"))
        accuracy = np.array([one["imagenet1k_top1"] for one in rows])
        found = score_of(
            space,
            [space.parse(json.dumps(one)) for one in rows],
            dataset=DATASET,
            data=Path("none"),
            proxies=TOKENS.members,
        )
        columns = {"score": found.score, **found.proxies}
        whole.append((accuracy, columns))
        print(f"\n{name}, {len(rows)} rows")
        calibration[name] = {
            DATASET.name: {
                "source": SOURCE,
                "grade": "inherited",
                "architectures": len(rows),
                "rows": [row(one, values, accuracy, draws(len(rows))) for one, values in columns.items()],
            }
        }
        if args.measure:
            drawn, proxies = measured(space, rows, args.measure, args.work)
            proxies |= {one: columns[one][drawn] for one in ("params", "macs")}
            sampled.append((accuracy[drawn], proxies))
    FILE.write_text(json.dumps(calibration, indent=1) + "\n", encoding="utf-8")
    print("\nunion, all rows")
    accuracy = np.concatenate([one for one, _ in whole])
    counts = {name: np.concatenate([columns[name] for _, columns in whole]) for name in TOKENS.members}
    for one, values in {"score": log_rank_sum(TOKENS.members, counts), **counts}.items():
        row(one, values, accuracy, draws(len(accuracy)))
    if args.measure:
        names = sampled[0][1].keys()
        both = {name: np.concatenate([columns[name] for _, columns in sampled]) for name in names}
        sampled.append((np.concatenate([one for one, _ in sampled]), both))
        for title, (truth, proxies) in zip([*FILES, "union"], sampled, strict=True):
            print(f"\n{title}, the {len(truth)} measured rows")
            scores = {"score": TOKENS.members, OF_IMAGES: FEATURE_MAPS.members}
            for one, values in {**{n: log_rank_sum(m, proxies) for n, m in scores.items()}, **proxies}.items():
                if not np.isnan(values).any():
                    row(one, values, truth, draws(len(truth)))


if __name__ == "__main__":
    main()
