"""How far is a judge by estimates off? Fronts of default searches, judged by published tables and by what we ship.

    python perf/judges.py FOLDER [--seeds 3]

FOLDER holds nb201_accuracy.csv.gz and hwnasbench_nb201_{cifar10,cifar100}.csv.gz. For every device, dataset and seed:
the front of a default search (400 evaluations, what is near it included), which knew none of these. Its share of the
exact front's hypervolume is told by three judges: all from the tables; accuracy estimated and costs from the tables;
both estimated, as without any table. Printed are means over seeds, and how far the estimates are off on average.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import numpy as np
from llmnas_agents.graph import MOST_STEPS, build_graph
from llmnas_agents.laboratory import open_laboratory
from llmnas_agents.operators import get_operator
from llmnas_agents.state import Deps

from llmnas_mcp.benchmarks import Judge
from llmnas_mcp.benchmarks.tables import import_measured
from llmnas_mcp.devices import DEVICES
from llmnas_mcp.spaces import Genotype, get_space

SPACE = get_space("nasbench201")
DATASETS = ("cifar10", "cifar100")
JUDGES = ("tables", "accuracy estimated", "both estimated")


async def front(folder: Path, device: str, dataset: str, seed: int) -> list[Genotype]:
    """The front of a default search that has no tables."""
    async with open_laboratory(store=f"sqlite:///{folder}/llmnas.db") as lab:
        started = await lab.start_search(device=device, dataset=dataset, seed=seed, evaluations=400)
        await build_graph().ainvoke(
            {"search_id": started.search_id},
            {"recursion_limit": MOST_STEPS},
            context=Deps(lab, get_operator("evolution")),
        )
        found = await lab.compute_pareto_front(started.search_id)
    return [SPACE.parse(point.architecture) for point in found.front]


def main() -> None:
    """Run all searches and print a table per dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        whole, costs, nothing = (Path(temporary) / name for name in ("whole", "costs", "nothing"))
        for data in (whole, costs):
            for dataset in DATASETS:
                import_measured(args.folder / f"hwnasbench_nb201_{dataset}.csv.gz", SPACE, data)
        import_measured(args.folder / "nb201_accuracy.csv.gz", SPACE, whole)
        for dataset in DATASETS:
            shares = np.zeros((len(JUDGES), len(DEVICES), args.seeds))
            for j, device in enumerate(DEVICES):
                judges = [Judge.of(SPACE, dataset, device, ["latency"], data) for data in (whole, costs, nothing)]
                for seed in range(args.seeds):
                    with tempfile.TemporaryDirectory() as store:
                        cells = asyncio.run(front(Path(store), device, dataset, seed))
                    shares[:, j, seed] = [judge.verdict(cells).share for judge in judges]
                    print(".", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
            off = np.abs(shares - shares[0])
            print(f"\n{dataset}, mean of {args.seeds} seeds\n\n| share told by | {' | '.join(DEVICES)} | mean |")
            print("|---" * (len(DEVICES) + 2) + "|")
            rows = dict(zip(JUDGES, shares, strict=True)) | {
                f"off, {n}": o for n, o in zip(JUDGES[1:], off[1:], strict=True)
            }
            for name, values in rows.items():
                print(f"| {name} | {' | '.join(f'{v:.4f}' for v in (*values.mean(1), values.mean()))} |")
            print(f"\nlargest difference of a front: {off[1].max():.4f}, {off[2].max():.4f}")


if __name__ == "__main__":
    main()
