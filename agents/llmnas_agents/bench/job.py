"""One run of a bench, in a process of its own choosing: a method uses up its budget, then it is judged."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import numpy as np

from llmnas_agents.bench.choosing import chosen_within, short_training
from llmnas_agents.bench.plan import Job, Ours, Plan, Row, ours_of, parted, place_of
from llmnas_agents.laboratory import open_laboratory
from llmnas_agents.operators import LANGUAGE
from llmnas_agents.runner import run as run_search
from llmnas_mcp import __version__, baselines
from llmnas_mcp import results as r
from llmnas_mcp.benchmarks import Judge
from llmnas_mcp.errors import LabError
from llmnas_mcp.pareto import unit_hypervolume
from llmnas_mcp.reports.coverage import RANGES, spread
from llmnas_mcp.search.landscape import NO_LIMITS, Landscape
from llmnas_mcp.search.niches import partition
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import Genotype, dataset_shape, get_space

PLACES = 20  # of a run where its hypervolume is told
QUANTILES = (0.1, 0.25, 0.5, 0.75)  # of the first cost over the space: the limits where none are given


class Ground:
    """What all runs on one dataset and device have in common: the landscape, its best front, the judge."""

    def __init__(self, plan: Plan, dataset: str, device: str) -> None:
        space, data = get_space(plan.space), Settings().data
        self.space = space
        self.landscapes = {
            by: Landscape(space, dataset_shape(dataset, data), place_of(device), plan.objectives, data, by)
            for by in ("zero-cost", "params")
        }
        self.landscape = self.landscapes["zero-cost"]
        self.judge = Judge.of(space, dataset, place_of(device), plan.objectives, data)
        known = self.landscape.candidates(NO_LIMITS)
        self.scale = known.scale
        best = self.landscape.best_front(NO_LIMITS, self.scale)
        self.best = float("nan") if best is None else unit_hypervolume(best)
        self.limits = plan.limits or [float(f"{limit:.3g}") for limit in np.quantile(known.costs[:, 0], QUANTILES)]
        niches, _ = partition(known.params)
        self.niche_edges = [n.low for n in niches] + [niches[-1].high]
        self.range_edges = np.linspace(self.scale.low, self.scale.high, RANGES + 1).T  # of each cost

    def regrets(self, genotypes: Sequence[Genotype], scored_by: r.ScoredBy, trained: bool) -> Row:
        """By how many points of accuracy the network chosen within each limit is below the best there is, and on mean.

        None where nothing was found within a limit. epochs: what was paid for trainings within a limit, on mean.
        """
        where = self.landscapes[scored_by]
        short = short_training(self.space, where.dataset.name, where.data) if trained else None
        found = [chosen_within(where, genotypes, limit, short) for limit in self.limits]
        regrets: list[float | None] = []
        for (taken, _), most in zip(found, self.judge.best_under(self.limits), strict=True):
            accuracy = float("nan") if taken is None else float(self.judge.values([taken])[0, 0])
            regrets.append(None if most is None or np.isnan(accuracy) else most - accuracy)
        told = [regret for regret in regrets if regret is not None]
        return {
            **{f"regret_{i}": regret for i, regret in enumerate(regrets, 1)},
            "regret": float(np.mean(told)) if len(told) == len(regrets) else None,
            "epochs": float(np.mean([epochs for _, epochs in found])),
        }

    def judged(self, genotypes: Sequence[Genotype], scored_by: r.ScoredBy, trained: bool = False) -> Row:
        """What is said of the architectures a run paid for, in their order; `trained`: with a stage of trainings."""
        kept = self.landscapes[scored_by].kept(genotypes, self.scale)
        verdict = self.judge.verdict(kept)
        costs = self.landscape.costs(genotypes).values
        ranges = [spread(own, edges).share for own, edges in zip(costs.T, self.range_edges, strict=True)]
        niches = spread(self.landscape.params(genotypes), self.niche_edges)
        best = self.judge.best_accuracy_under(kept, self.limits)
        places = sorted({round(n) for n in np.linspace(1, len(genotypes), min(PLACES, len(genotypes)))})
        # Whatever a method went by, the curves of all are by the zero-cost score, where it costs nothing to know.
        points = self.landscape.points(genotypes, self.scale) if self.landscape.whole else None
        return {
            "evaluations": len(genotypes),
            "share": verdict.share,
            **{name: value if np.isfinite(value := getattr(verdict, name)) else None for name in ("igd", "igd_plus")},
            "best_accuracy": verdict.best_accuracy,
            "front": len(kept),
            "score_share": None if points is None else unit_hypervolume(points) / self.best,
            **{f"limit_{i}": limit for i, limit in enumerate(self.limits, 1)},
            **{f"best_under_{i}": value for i, value in enumerate(best, 1)},
            **self.regrets(genotypes, scored_by, trained),
            "ranges": float(np.mean(ranges)),
            "niches": niches.share,
            "judge": self.judge.source,
            "grade": self.judge.grade,
            "estimated": self.judge.estimated,
            "curve": [
                [
                    n,
                    None if points is None else unit_hypervolume(points[:n]) / self.best,
                    self.judge.verdict(self.landscapes[scored_by].kept(genotypes[:n], self.scale)).share,
                ]
                for n in places
            ],
        }


@lru_cache(maxsize=4)
def _ground(plan: str, dataset: str, device: str) -> Ground:
    return Ground(Plan.model_validate_json(plan), dataset, device)


def work(plan: str, job: Job, stores: Path) -> Row:
    """Run and judge. `plan` is a Plan's JSON; `stores` the folder of the searches under way, from which they go on.

    Raises LabError where it ends before its budget is used for a reason of the model's.
    """
    settings, ground = Plan.model_validate_json(plan), _ground(plan, job.dataset, job.device)
    (method, trained), ours = parted(job.method), ours_of(job.method)
    began = time.perf_counter()
    llm: Row = {"calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
    scored_by: r.ScoredBy = "zero-cost"
    if ours is None:
        problem = baselines.Problem(ground.landscape, job.budget)
        genotypes = baselines.run(baselines.method_of(method), problem, job.seed).architectures
        seconds = time.perf_counter() - began
    else:
        scored_by = ours.scored_by
        folder = stores / job.key
        front, genotypes = asyncio.run(_search(settings, job, ours, f"sqlite:///{folder}/llmnas.db"))
        if "stopped" in front:
            raise LabError(front["stopped"])
        llm = {name: front["llm"][name] for name in llm}
        seconds = front["wall_s"]
        if ours.operator not in LANGUAGE:  # what a model was asked is kept, to be looked at and replayed
            shutil.rmtree(folder)
    if not genotypes:
        raise LabError(f"{job.method} evaluated nothing.")
    return {
        **{"space": settings.space, "objective": " and ".join(settings.objectives)},
        **{name: getattr(job, name) for name in ("dataset", "device", "method", "seed", "budget")},
        **ground.judged(genotypes, scored_by, trained),
        **llm,
        "seconds": round(seconds, 3),
        "version": __version__,
    }


async def _search(plan: Plan, job: Job, ours: Ours, store: str) -> tuple[Row, list[Genotype]]:
    """Run a search of ours, or go on with the one in the store; its front.json and what it paid for, in order."""
    async with open_laboratory(store=store) as lab:
        known = (await lab.call("list_searches", r.Searches)).searches
        if known:
            search_id = known[0].search_id
        else:
            started = await lab.start_search(
                space=plan.space,
                dataset=job.dataset,
                device=place_of(job.device),
                objective=list(plan.objectives),
                niches=ours.niches,
                evaluations=job.budget,
                seed=job.seed,
                operator=ours.operator,
                scored_by=ours.scored_by,
            )
            search_id = started.search_id
        language = plan.model_dump(include={"model", "max_cost", "max_tokens"})
        front = await run_search(lab, search_id, store, None, lambda _: None, language)
    with closing(Laboratory(Settings(store=store))) as inside:
        members = inside.members(search_id)[1]
    return front, [member.genotype for member in members]
