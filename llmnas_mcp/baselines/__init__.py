"""What a search is held against: other methods on the same problem, at the same number of evaluations."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from llmnas_mcp.baselines.local_search import local_search
from llmnas_mcp.baselines.nsga2 import nsga2
from llmnas_mcp.baselines.problem import BudgetUsed, Method, Problem, curve, run
from llmnas_mcp.baselines.random_sampling import random_sampling
from llmnas_mcp.baselines.regularised_evolution import regularised_evolution
from llmnas_mcp.errors import LabError, UnknownNameError
from llmnas_mcp.pareto import front_of
from llmnas_mcp.plugins import Catalogue
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.instruments import Progress

__all__ = [
    "METHODS",
    "Baseline",
    "BudgetUsed",
    "Method",
    "Problem",
    "curve",
    "exhaustive",
    "method_of",
    "of_search",
    "run",
]


def exhaustive(problem: Problem, seed: int) -> None:  # noqa: ARG001 - it has nothing to draw
    """Every architecture there is, whatever the budget: what the score can give, the ceiling of all methods.

    Raises LabError where nobody lists them all.
    """
    known = problem.landscape.candidates(problem.limits)
    if not known.complete:
        raise LabError(
            f"Space {problem.space.name} has {problem.space.size:,} architectures, too many for the method exhaustive:"
            " choose another."
        )
    problem.budget = len(known.genotypes)
    problem.evaluate(known.genotypes)


def _function(_: str, found: object) -> Method:
    if not callable(found):
        raise ValueError("it is no function of a Problem and a seed.")
    method: Method = found
    return method


METHODS: Catalogue[Method] = Catalogue(
    "llmnas.methods",
    {
        "random": random_sampling,
        "nsga2": nsga2,
        "regularised-evolution": regularised_evolution,
        "local-search": local_search,
        "exhaustive": exhaustive,
    },
    _function,
)


def method_of(name: str) -> Method:
    """A method by its name, ours or a package's, or any by `module:function`, found in the current folder too.

    Raises LabError where it cannot be had.
    """
    if name in METHODS:
        return METHODS[name]
    module, colon, function = name.partition(":")
    if not colon:
        raise UnknownNameError("method", name, METHODS)
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), function)
    except (Exception, SystemExit) as error:  # a module may raise anything when it is imported
        raise LabError(
            f"Method {name!r} cannot be had ({type(error).__name__}: {error}). Give MODULE:FUNCTION, a function of a"
            " Problem and a seed in a module of this folder or installed."
        ) from error
    finally:
        sys.path.pop(0)
    try:
        return _function(name, found)
    except ValueError as error:
        raise LabError(f"Method {name!r} cannot be used: {error} Give MODULE:FUNCTION.") from None


@dataclass(frozen=True)
class Baseline:
    """What a method reaches on the problem of a search, at its number of evaluations; hypervolumes are up.

    curve: evaluations and mean hypervolume over the seeds. low, high: the range over the seeds at the end.
    front: score and costs of the first seed's front, by rising first cost.
    """

    name: str
    seeds: int
    curve: list[tuple[int, float]]
    low: float
    high: float
    front: list[tuple[float, ...]]


def of_search(
    handle: SearchHandle, evaluations: int, seeds: int = 5, progress: Progress | None = None
) -> list[Baseline]:
    """Random sampling and NSGA-II by the search's own scores, costs and limit; none where scores must be measured.

    progress: is told after each run how many of how many are done.
    """
    if not handle.landscape.whole or not evaluations:
        return []
    names, found = ("random", "nsga2"), []
    for number, name in enumerate(names):
        problems = []
        for seed in range(seeds):
            problems.append(
                run(METHODS[name], Problem(handle.landscape, evaluations, handle.limits, handle.scale), seed)
            )
            if progress:
                progress(number * seeds + seed + 1, len(names) * seeds)
        found.append(_baseline(name, problems))
    return [one for one in found if one is not None]


def _baseline(name: str, problems: Sequence[Problem]) -> Baseline | None:
    if not all(problem.paid for problem in problems):
        return None  # what is within the limit is so little that chance does not find it
    curves = [curve(problem.points) for problem in problems]
    shortest = min(curves, key=len)
    means = [(n, float(np.mean([own[i][1] for own in curves]))) for i, (n, _) in enumerate(shortest)]
    ends = [own[-1][1] for own in curves]
    first = problems[0]
    kept = [first.architectures[i] for i in front_of(first.points)]
    costs = first.costs(kept)
    return Baseline(
        name=name,
        seeds=len(problems),
        curve=means,
        low=min(ends),
        high=max(ends),
        front=[(1 - first.paid[g][-1], *own) for g, own in zip(kept, costs.tolist(), strict=True)],
    )
