"""How good are searches? Hypervolume in (score, latency) as a share of the exhaustive front's under the same score.

    python perf/search_quality.py [--seeds 10] [--budgets 100 200 400] [--dataset cifar10] [--jobs 2]
    python perf/search_quality.py --operator local [--seeds 3] [--budgets 120] [--devices raspi4]

Our evolution operator, through the graph and the tools, against pymoo's NSGA-II and random sampling at the same number
of evaluations. An evaluation is one distinct architecture that can run on the device; none of the three pays for
architectures it tries twice or that cannot run.

With --operator, one that asks a language model takes NSGA-II's place. Told besides: valid proposals (evaluated: not
refused, not tried before) among all of the answers that are whole, and rules written.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
from llmnas_agents.graph import MOST_STEPS, build_graph
from llmnas_agents.laboratory import LaboratoryClient, open_laboratory
from llmnas_agents.llm.exchanges import Exchanges
from llmnas_agents.operators import LANGUAGE, WITHOUT_NICHES, get_operator
from llmnas_agents.runner import run, run_id
from llmnas_agents.state import Deps

from llmnas_mcp import baselines
from llmnas_mcp import results as r
from llmnas_mcp.devices import DEVICES
from llmnas_mcp.pareto import hypervolume
from llmnas_mcp.scoring import score_of
from llmnas_mcp.search.landscape import Landscape
from llmnas_mcp.search.members import REFERENCE
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import dataset_shape, get_space

SPACE = get_space("nasbench201")
NO_TABLES = Path("no tables")
Method = Callable[["Judge", str, str, int, int], list[int]]


class Judge:
    """Scores and costs of the whole space for one device, and the best hypervolume there is."""

    def __init__(self, device: str, dataset: str) -> None:
        shape = dataset_shape(dataset)
        self.landscape = Landscape.of(SPACE, shape, device, "latency", NO_TABLES)
        self.runs = self.landscape.admissible(None)
        scores = score_of(SPACE, self.landscape.genotypes, dataset=shape, data=NO_TABLES).score
        costs = np.where(self.runs, self.landscape.costs.values, np.inf)
        self.points = self.landscape.scale.objectives(list(scores), list(costs))
        self.best = hypervolume(self.points[self.runs], REFERENCE)

    def row(self, genotype: tuple[int, ...]) -> int:
        """The distinct architecture a genotype is."""
        return self.landscape.rows[SPACE.canonical(genotype)]

    def share(self, rows: list[int]) -> float:
        """What the architectures reach of the best hypervolume."""
        return hypervolume(self.points[rows], REFERENCE) / self.best


def evolution(judge: Judge, device: str, dataset: str, seed: int, budget: int) -> list[int]:
    """The architectures our operator pays for."""

    async def work() -> list[int]:
        with tempfile.TemporaryDirectory() as folder:
            async with open_laboratory(store=f"sqlite:///{folder}/llmnas.db") as lab:
                started = await lab.start_search(device=device, dataset=dataset, seed=seed, evaluations=budget)
                await build_graph().ainvoke(
                    {"search_id": started.search_id},
                    {"recursion_limit": MOST_STEPS},
                    context=Deps(lab, get_operator("evolution")),
                )
                return [row for niche in started.niches for row in await members(lab, started.search_id, niche.niche)]

    async def members(lab: LaboratoryClient, search_id: str, niche: int) -> list[int]:
        rows: list[int] = []
        while True:
            page = await lab.call(
                "list_niche_members", r.Members, search_id=search_id, niche=niche, offset=len(rows), limit=200
            )
            rows += [judge.row(SPACE.parse(member.architecture)) for member in page.members]
            if not page.truncated:
                return rows

    return asyncio.run(work())


def language(
    operator: str, found: Counter[str], judge: Judge, device: str, dataset: str, seed: int, budget: int
) -> list[int]:
    """The architectures an operator that asks the local model pays for; `found` counts what it proposed."""

    async def work(store: str) -> list[int]:
        async with open_laboratory(store=store) as lab:
            started = await lab.start_search(
                device=device,
                dataset=dataset,
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
            return [judge.row(SPACE.parse(member.architecture)) for member in made]

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(work(f"sqlite:///{folder}/llmnas.db"))


def baseline(name: str) -> Method:
    """One of `llmnas_mcp.baselines`."""

    def method(judge: Judge, device: str, dataset: str, seed: int, budget: int) -> list[int]:  # noqa: ARG001
        return list(baselines.run(baselines.METHODS[name], baselines.Problem(judge.landscape, budget), seed).paid)

    return method


METHODS: dict[str, Method] = {"evolution": evolution, "nsga2": baseline("nsga2"), "random": baseline("random")}


def shares(job: tuple[str, str, int, list[int], str | None]) -> tuple[dict[tuple[str, int], float], Counter[str]]:
    """The share each method reaches on one device with one seed, by method and budget; and what a model proposed."""
    device, dataset, seed, budgets, operator = job
    judge, found = Judge(device, dataset), Counter[str]()
    methods = METHODS
    if operator:
        asked = functools.partial(language, operator, found)
        methods = {operator: asked, "evolution": evolution, "random": baseline("random")}
    return {
        (name, budget): judge.share(method(judge, device, dataset, seed, budget))
        for name, method in methods.items()
        for budget in budgets
    }, found


def main() -> None:
    """Print a table: devices and budgets down, methods across, mean over seeds; then the mean over devices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operator", choices=sorted(set(LANGUAGE) - {"claude"}), help="with the local model")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--budgets", type=int, nargs="+")
    parser.add_argument("--devices", nargs="+", choices=list(DEVICES))
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    seeds = args.seeds or (3 if args.operator else 10)
    budgets = args.budgets or ([120] if args.operator else [100, 200, 400])
    devices = args.devices or (["raspi4"] if args.operator else list(DEVICES))
    jobs = list(itertools.product(devices, [args.dataset], range(seeds), [budgets], [args.operator]))
    results: dict[tuple[str, str, int], list[float]] = {}
    found = Counter[str]()
    with ProcessPoolExecutor(args.jobs) as pool:
        for done, (job, (reached, proposed)) in enumerate(zip(jobs, pool.map(shares, jobs), strict=True), start=1):
            print(f"\r{done}/{len(jobs)} runs", end="", flush=True)
            found += proposed
            for (method, budget), share in reached.items():
                results.setdefault((job[0], method, budget), []).append(share)
    methods = list(dict.fromkeys(method for _, method, _ in results))
    print(f"\n\nhypervolume share, {args.dataset}, mean of {seeds} seeds")
    print(f"{'':>10}{'budget':>8}" + "".join(f"{name:>15}" for name in methods))
    for device in devices:
        for budget in budgets:
            row = [np.mean(results[device, name, budget]) for name in methods]
            print(f"{device:>10}{budget:>8}" + "".join(f"{value:>15.4f}" for value in row))
    for budget in budgets:
        row = [np.mean([results[d, name, budget] for d in devices]) for name in methods]
        print(f"{'all':>10}{budget:>8}" + "".join(f"{value:>15.4f}" for value in row))
    if found["calls"]:
        print(
            f"\n{args.operator}: {found['calls']} calls, {found['seconds'] / found['calls']:.1f} s each;"
            f" {found['whole'] / found['calls']:.0%} of the answers whole; {found['proposals']} proposals,"
            f" {found['valid'] / max(1, found['proposals']):.0%} valid; {found['rules']} rules in force at the ends"
        )


if __name__ == "__main__":
    main()
