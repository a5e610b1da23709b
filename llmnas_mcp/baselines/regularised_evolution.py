"""Regularised evolution, which ages architectures (Real et al., AAAI 2019, arXiv 1802.01548), for more than one aim."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.baselines.problem import Problem

POPULATION, SAMPLE = 50, 10


def regularised_evolution(problem: Problem, seed: int) -> None:
    """The best of a sample has a mutated child, the oldest dies.

    Best: by the largest of the objectives, each weighted anew for every sample (Chebyshev, weights that add up to 1,
    uniform), so that the children come from all along the front.
    """
    rng, space = np.random.default_rng(seed), problem.space
    living: deque[tuple[tuple[int, ...], NDArray[np.float64]]] = deque()

    def add(genotype: tuple[int, ...]) -> None:
        point = problem.evaluate([genotype])[0]
        if np.isfinite(point).all():
            living.append((genotype, point))

    while len(living) < POPULATION:
        add(tuple(space.sample(1, rng)[0].tolist()))
    while True:
        weights = np.diff([0.0, *np.sort(rng.random(problem.objectives - 1)), 1.0])
        entrants = [living[i] for i in rng.choice(len(living), SAMPLE, replace=False)]
        best, _ = min(entrants, key=lambda one: float((weights * one[1]).max()))
        before = len(living)
        add(tuple(space.mutate([best], rng)[0].tolist()))
        if len(living) > before:
            living.popleft()
