"""Regularised evolution (Real et al., AAAI 2019, arXiv 1802.01548), which ages architectures, for two objectives."""

from __future__ import annotations

from collections import deque

import numpy as np

from llmnas_mcp.baselines.problem import Problem

POPULATION, SAMPLE = 50, 10


def regularised_evolution(problem: Problem, seed: int) -> None:
    """The best of a sample has a mutated child, the oldest dies.

    Best: by the larger of the two objectives, each weighted anew for every sample (Chebyshev, uniform weights), so that
    the children come from all along the front.
    """
    rng, space = np.random.default_rng(seed), problem.space
    living: deque[tuple[tuple[int, ...], tuple[float, float]]] = deque()

    def add(genotype: tuple[int, ...]) -> None:
        cost, error = problem.evaluate([genotype])[0]
        if np.isfinite(cost):
            living.append((genotype, (float(cost), float(error))))

    while len(living) < POPULATION:
        add(tuple(space.sample(1, rng)[0].tolist()))
    while True:
        weight = rng.random()
        entrants = [living[i] for i in rng.choice(len(living), SAMPLE, replace=False)]
        best, _ = min(entrants, key=lambda one: max(weight * one[1][0], (1 - weight) * one[1][1]))
        before = len(living)
        add(tuple(space.mutate([best], rng)[0].tolist()))
        if len(living) > before:
            living.popleft()
