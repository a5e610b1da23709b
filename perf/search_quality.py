"""How good are searches? Hypervolume in score and costs of what each method finds, under the same score.

    python perf/search_quality.py [--seeds 10] [--budgets 100 200 400] [--dataset cifar10] [--jobs 2]
    python perf/search_quality.py --space fbnet --dataset cifar100 --costs macs macs+params --seeds 5 --budgets 400
    python perf/search_quality.py --costs edgegpu+energy fpga+energy
    python perf/search_quality.py --operator local [--seeds 3] [--budgets 120] [--costs raspi4]

Our evolution operator, through the graph and the tools, against pymoo's NSGA-II and random sampling at the same number
of evaluations. An evaluation is one distinct architecture that can run on the device; none of the three pays for
architectures it tries twice or that cannot run. Hypervolumes are shares of the exhaustive front's where every score is
at hand, else of that of all fronts found here together. What must be scored live is kept in --data.

With --operator, one that asks a language model takes NSGA-II's place. Told besides: valid proposals (evaluated: not
refused, not tried before) among all of the answers that are whole, and rules written.

A cost is a device, for its latency, or energy, memory, macs or params; two costs are joined by a +.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import itertools
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from llmnas_agents.cli.space import known_name
from llmnas_agents.graph import MOST_STEPS, build_graph
from llmnas_agents.laboratory import LaboratoryClient, open_laboratory
from llmnas_agents.llm.exchanges import Exchanges
from llmnas_agents.operators import LANGUAGE, WITHOUT_NICHES, get_operator
from llmnas_agents.runner import run, run_id
from llmnas_agents.state import Deps
from numpy.typing import NDArray

from llmnas_mcp import baselines
from llmnas_mcp import results as r
from llmnas_mcp.devices import DEVICES
from llmnas_mcp.pareto import unit_hypervolume
from llmnas_mcp.search.landscape import NO_LIMITS, Landscape
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import Genotype, dataset_shape, get_space

Found = list[Genotype]
Method = Callable[["Ground", int, int], Found]


class Ground:
    """A space on a dataset with a cost or two."""

    def __init__(self, space: str, dataset: str, cost: str, data: Path) -> None:
        parts = cost.split("+")
        device = next((part for part in parts if part in DEVICES), None)
        objectives: Any = tuple("latency" if part == device else part for part in parts)
        self.asked = {"space": space, "dataset": dataset, "device": device, "objective": list(objectives)}
        self.space = get_space(space)
        self.landscape = Landscape(self.space, dataset_shape(dataset), device, objectives, data)
        self.scale = self.landscape.candidates(NO_LIMITS).scale

    def points(self, found: Found) -> NDArray[np.float64]:
        """Scaled costs and 1 - score of architectures, shape (n, costs + 1)."""
        return self.landscape.points([self.space.canonical(genotype) for genotype in found], self.scale)


def evolution(ground: Ground, seed: int, budget: int) -> Found:
    """The architectures our operator pays for."""

    async def work() -> Found:
        with tempfile.TemporaryDirectory() as folder:
            async with open_laboratory(store=f"sqlite:///{folder}/llmnas.db") as lab:
                started = await lab.start_search(**ground.asked, seed=seed, evaluations=budget)
                await build_graph().ainvoke(
                    {"search_id": started.search_id},
                    {"recursion_limit": MOST_STEPS},
                    context=Deps(lab, get_operator("evolution")),
                )
                return [row for niche in started.niches for row in await members(lab, started.search_id, niche.niche)]

    async def members(lab: LaboratoryClient, search_id: str, niche: int) -> Found:
        rows: Found = []
        while True:
            page = await lab.call(
                "list_niche_members", r.Members, search_id=search_id, niche=niche, offset=len(rows), limit=200
            )
            rows += [ground.space.parse(member.architecture) for member in page.members]
            if not page.truncated:
                return rows

    return asyncio.run(work())


def language(operator: str, found: Counter[str], ground: Ground, seed: int, budget: int) -> Found:
    """The architectures an operator that asks the local model pays for; `found` counts what it proposed."""

    async def work(store: str) -> Found:
        async with open_laboratory(store=store) as lab:
            started = await lab.start_search(
                **ground.asked,
                seed=seed,
                evaluations=budget,
                operator=operator,
                niches=1 if operator in WITHOUT_NICHES else None,
            )
            front = await run(lab, started.search_id, store, None, lambda _: None, {"model": "local"})
            with closing(Laboratory(Settings(store=store))) as inside:
                made, origins = inside.members(started.search_id)[1], inside.origins(started.search_id)
            exchanges = Exchanges(store, run_id(await lab.get_search(started.search_id)))
            rows = exchanges.all(("role", "end", "reply", "seconds"))
            exchanges.close()
            answers = [json.loads(row["reply"]) for row in rows if row["end"] == "done"]
            found["calls"] += len(rows)
            found["seconds"] += round(sum(row["seconds"] for row in rows))
            found["whole"] += len(answers)
            found["proposals"] += sum(len(answer.get("offspring", [])) for answer in answers)
            found["valid"] += sum(origin.reason != r.BRED for origin in origins.values())
            found["rules"] += front["rules"]
            return [ground.space.parse(member.architecture) for member in made]

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(work(f"sqlite:///{folder}/llmnas.db"))


def baseline(name: str) -> Method:
    """One of `llmnas_mcp.baselines`."""

    def method(ground: Ground, seed: int, budget: int) -> Found:
        return baselines.run(baselines.METHODS[name], baselines.Problem(ground.landscape, budget), seed).architectures

    return method


METHODS: dict[str, Method] = {"evolution": evolution, "nsga2": baseline("nsga2"), "random": baseline("random")}
Job = tuple[str, str, str, Path, int, list[int], str | None]
Points = dict[tuple[str, int], NDArray[np.float64]]


def find(job: Job) -> tuple[Points, NDArray[np.float64] | None, Counter[str]]:
    """What each method finds for one cost with one seed; the best front there is; and what a model proposed."""
    space, dataset, cost, data, seed, budgets, operator = job
    os.environ["LLMNAS_DATA"] = str(data)
    ground, found = Ground(space, dataset, cost, data), Counter[str]()
    methods = METHODS
    if operator:
        asked = functools.partial(language, operator, found)
        methods = {operator: asked, "evolution": evolution, "random": baseline("random")}
    points = {
        (name, budget): ground.points(method(ground, seed, budget))
        for name, method in methods.items()
        for budget in budgets
    }
    return points, ground.landscape.best_front(NO_LIMITS, ground.scale), found


def main() -> None:
    """Print a table: costs and budgets down, methods across, mean (deviation) over seeds; then the mean over costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operator", choices=sorted(set(LANGUAGE) - {"claude"}), help="with the local model")
    parser.add_argument("--space", default="nasbench201", help="a name, or FILE.py:CLASS")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--budgets", type=int, nargs="+")
    parser.add_argument("--costs", nargs="+", help="such as raspi4, macs, edgegpu+energy, macs+params")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "llmnas-search-quality")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    os.environ["LLMNAS_DATA"] = str(args.data)
    space = known_name(args.space)
    seeds = args.seeds or (3 if args.operator else 10)
    budgets = args.budgets or ([120] if args.operator else [100, 200, 400])
    costs = args.costs or (["raspi4"] if args.operator else list(DEVICES))
    jobs = list(
        itertools.product([space], [args.dataset], costs, [args.data], range(seeds), [budgets], [args.operator])
    )
    points: dict[tuple[str, str, int], list[NDArray[np.float64]]] = {}
    best: dict[str, NDArray[np.float64] | None] = {}
    found = Counter[str]()
    with ProcessPoolExecutor(args.jobs) as pool:
        for done, (job, (its, front, proposed)) in enumerate(zip(jobs, pool.map(find, jobs), strict=True), start=1):
            print(f"\r{done}/{len(jobs)} runs", end="", flush=True, file=sys.stderr)
            found += proposed
            best[job[2]] = front
            for (method, budget), own in its.items():
                points.setdefault((job[2], method, budget), []).append(own)
    exhaustive = all(front is not None for front in best.values())
    results: dict[tuple[str, str, int], list[float]] = {}
    for cost in costs:
        union = np.vstack([own for (of, _, _), runs in points.items() for own in runs if of == cost])
        known = best[cost]
        most = unit_hypervolume(union if known is None else known)
        for (of, method, budget), runs in points.items():
            if of == cost:
                results[cost, method, budget] = [unit_hypervolume(own) / most for own in runs]
    methods = list(dict.fromkeys(method for _, method, _ in results))
    what = "of the exhaustive front" if exhaustive else "of all fronts found together"
    print(f"\nhypervolume as a share {what}, {space}, {args.dataset}, mean (deviation) of {seeds} seeds")
    print(f"{'':>14}{'budget':>8}" + "".join(f"{name:>18}" for name in methods))
    for cost in costs:
        for budget in budgets:
            rows = [results[cost, name, budget] for name in methods]
            print(f"{cost:>14}{budget:>8}" + "".join(f"{np.mean(row):>10.4f} ({np.std(row):.4f})" for row in rows))
    for budget in budgets:
        row = [np.mean([results[cost, name, budget] for cost in costs]) for name in methods]
        print(f"{'all':>14}{budget:>8}" + "".join(f"{value:>10.4f}{'':>9}" for value in row))
    if found["calls"]:
        print(
            f"\n{args.operator}: {found['calls']} calls, {found['seconds'] / found['calls']:.1f} s each;"
            f" {found['whole'] / found['calls']:.0%} of the answers whole; {found['proposals']} proposals,"
            f" {found['valid'] / max(1, found['proposals']):.0%} valid; {found['rules']} rules in force at the ends"
        )


if __name__ == "__main__":
    main()
