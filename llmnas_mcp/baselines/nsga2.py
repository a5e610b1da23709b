"""NSGA-II (Deb et al., 2002), as pymoo has it."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmnas_mcp.baselines.problem import Problem

POPULATION = 20  # better here than 40
CROSSOVER = 0.9
FAR = 9.0  # beyond every point, for what cannot run


def nsga2(problem: Problem, seed: int) -> None:
    """One integer per position, uniform crossover, each position redrawn with probability 1 / positions."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.mutation import Mutation
    from pymoo.core.problem import Problem as Asked
    from pymoo.operators.crossover.ux import UniformCrossover
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.optimize import minimize

    most = np.array([len(values) - 1 for values in problem.space.values])

    class Redraw(Mutation):  # type: ignore[misc]
        def _do(self, _: Any, X: Any, *__: Any, random_state: Any = None, **___: Any) -> Any:  # noqa: N803
            hit = random_state.random(X.shape) < 1 / X.shape[1]
            return np.where(hit, random_state.integers(0, most + 1, size=X.shape), X)

    class Architectures(Asked):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(
                n_var=len(most), n_obj=problem.objectives, n_ieq_constr=1, xl=np.zeros(len(most)), xu=most, vtype=int
            )

        def _evaluate(self, X: Any, out: dict[str, Any], *_: Any, **__: Any) -> None:  # noqa: N803
            points = problem.evaluate(X)
            runs = np.isfinite(points)
            out["F"] = np.where(runs, points, FAR)
            out["G"] = np.where(runs[:, :1], -1.0, 1.0)

    algorithm = NSGA2(
        pop_size=POPULATION,
        sampling=IntegerRandomSampling(),
        crossover=UniformCrossover(prob=CROSSOVER),
        mutation=Redraw(),
        eliminate_duplicates=True,
    )
    minimize(Architectures(), algorithm, ("n_gen", 10**9), seed=seed)
