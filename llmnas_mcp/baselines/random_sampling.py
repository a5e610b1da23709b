"""Random sampling: architectures drawn uniformly from the space."""

from __future__ import annotations

import numpy as np

from llmnas_mcp.baselines.problem import Problem

AT_ONCE = 20  # architectures, so that all cores have some to measure


def random_sampling(problem: Problem, seed: int) -> None:
    """Draw until the budget is used."""
    rng = np.random.default_rng(seed)
    while True:
        problem.evaluate(problem.space.sample(AT_ONCE, rng))
