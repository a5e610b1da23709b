"""A method of your own beside ours: hill climbing, from the cheapest neighbour that is no worse.

    cd examples && llmnas bench run plan.yaml --out bench

A method is a function of a Problem and a seed. It asks for costs, which are free, and evaluates, which is paid for,
until the problem ends it: `evaluate` raises BudgetUsed when the evaluations are used up.
"""

from __future__ import annotations

import numpy as np

from llmnas_mcp.baselines import Problem


def hill_climbing(problem: Problem, seed: int) -> None:
    """Climb along a weight of cost against score that is drawn anew for each start."""
    rng, space = np.random.default_rng(seed), problem.space
    while True:
        weight = rng.random()
        here = tuple(space.sample(1, rng)[0].tolist())
        worth = problem.evaluate([here])[0] @ (weight, 1 - weight)
        better = True
        while better:
            better = False
            around = [n for n in space.neighbours(here) if not np.isnan(problem.costs([n])[0, 0])]
            for neighbour in sorted(around, key=lambda n: float(problem.costs([n])[0, 0])):
                found = problem.evaluate([neighbour])[0] @ (weight, 1 - weight)
                if found < worth:
                    here, worth, better = neighbour, found, True
                    break
