"""Pareto local search (Paquete et al., 2004), from new random starts where it is stuck (White et al., UAI 2021)."""

from __future__ import annotations

import numpy as np

from llmnas_mcp.baselines.problem import Problem
from llmnas_mcp.pareto import front_of


def local_search(problem: Problem, seed: int) -> None:
    """Look at all neighbours of an architecture on the front, in random order, then of the next one."""
    rng, space = np.random.default_rng(seed), problem.space
    explored: set[tuple[int, ...]] = set()
    while True:
        start = problem.architectures
        front = [start[i] for i in front_of(problem.points)]
        open_ = [genotype for genotype in front if genotype not in explored]
        if not open_:
            problem.evaluate(space.sample(1, rng))
            continue
        chosen = open_[rng.integers(len(open_))]
        explored.add(chosen)
        for i in rng.permutation(len(neighbours := space.neighbours(chosen))):
            problem.evaluate([neighbours[i]])
