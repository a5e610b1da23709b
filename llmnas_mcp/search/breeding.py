"""Rule-guided breeding: offspring by mutation and crossover of a niche's members, chosen by the rules in force.

What an offspring costs is known before it is evaluated (the device's cost model is free); what it scores is predicted
by the rules: each adds its effect to every candidate that shows its pattern. Of many offspring those are taken that
would enlarge the front most, and a few at random, so that a wrong rule can be found out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.pareto import hypervolume_gains
from llmnas_mcp.search.landscape import Landscape
from llmnas_mcp.search.members import REFERENCE, Member, parents
from llmnas_mcp.search.mining import FEWEST_RESULTS, Pattern
from llmnas_mcp.spaces import Genotype, Genotypes, SearchSpace

Operator = Literal["mutation", "crossover", "fresh"]

PARENTS = 12
POOL = 600
EXPLORE = 0.1
CHEAPER_PART = 0.5


@dataclass(frozen=True)
class Proposal:
    """A proposed genotype, how it came about and from which architectures."""

    genotype: Genotype
    operator: Operator
    parents: tuple[str, ...]


@dataclass(frozen=True)
class Guide:
    """The part of a rule that breeding can use: showing the pattern adds `effect` to the score."""

    pattern: Pattern
    effect: float


def breed(
    landscape: Landscape,
    members: Sequence[Member],
    front: NDArray[np.float64],
    guides: Sequence[Guide],
    allowed: set[Genotype],
    count: int,
    rng: np.random.Generator,
) -> list[Proposal]:
    """At most `count` distinct proposals, all canonical and in `allowed` (the niche's architectures not tried yet).

    `members` are the niche's own; `front` holds the scaled points (m, 2) that a proposal should improve on.
    """
    if len(members) < FEWEST_RESULTS:
        return _first(landscape, allowed, count, rng)
    pool = _pool(landscape.space, parents(members, landscape.scale, PARENTS), allowed, rng)
    if len(pool) < count:
        pool += _first(landscape, allowed - {p.genotype for p in pool}, count - len(pool), rng)
    costs = landscape.costs.values[[landscape.rows[p.genotype] for p in pool]]
    points = landscape.scale.objectives(list(expected_scores(landscape.space, pool, members, guides)), list(costs))
    chosen = _most_promising(points, front, count - int(rng.binomial(count, EXPLORE)))
    others = [int(i) for i in rng.permutation(len(pool)) if i not in chosen]
    return [pool[i] for i in chosen + others[: count - len(chosen)]]


def expected_scores(
    space: SearchSpace, pool: Sequence[Proposal], members: Sequence[Member], guides: Sequence[Guide]
) -> NDArray[np.float64]:
    """The scores the rules predict for a pool, shape (n,): the members' mean plus what the rules add to it."""
    known = effects(space, [m.genotype for m in members], guides)
    base = float(np.mean([m.score for m in members])) - known.mean()
    scores: NDArray[np.float64] = np.clip(base + effects(space, [p.genotype for p in pool], guides), 0, 1)
    return scores


def effects(space: SearchSpace, genotypes: Genotypes, guides: Sequence[Guide]) -> NDArray[np.float64]:
    """The sum of the effects of the rules that each genotype shows, shape (n,)."""
    array = np.asarray(genotypes).reshape(-1, len(space.positions))
    total = np.zeros(len(array))
    for guide in guides:
        shows = np.ones(len(array), dtype=bool)
        for position, operation in guide.pattern.items():
            i = space.positions.index(position)
            shows &= array[:, i] == space.choices[i].index(operation)
        total += guide.effect * shows
    return total


def _first(landscape: Landscape, allowed: set[Genotype], count: int, rng: np.random.Generator) -> list[Proposal]:
    """Fresh architectures: one from each of `count` equal steps through the cheaper part of the niche.

    The front of a niche lies among its cheaper members: what costs more also has neighbours of higher complexity to
    compete with.
    """
    free = sorted(allowed)
    costs = landscape.costs.values[[landscape.rows[g] for g in free]]
    order = np.argsort(costs, kind="stable")
    part = min(len(free), max(count, int(len(free) * CHEAPER_PART)))
    edges = np.linspace(0, part, min(count, part) + 1).astype(int)
    picks = [order[int(rng.integers(low, high))] for low, high in pairwise(edges)]
    return [Proposal(free[i], "fresh", ()) for i in picks]


def _pool(
    space: SearchSpace, chosen: Sequence[Member], allowed: set[Genotype], rng: np.random.Generator
) -> list[Proposal]:
    """Offspring of the chosen members that are allowed; a third by crossover, the rest by one to three mutations."""
    genotypes = np.array([m.genotype for m in chosen])
    one, other = rng.integers(len(chosen), size=(2, POOL))
    crossed = rng.random(POOL) < 1 / 3
    mutations = rng.integers(1, 4, size=POOL)
    children = genotypes[one]
    for step in range(3):
        children = np.where((mutations > step)[:, None], space.mutate(children, rng), children)
    children = np.where(crossed[:, None], space.crossover(genotypes[one], genotypes[other], rng), children)
    pool: dict[Genotype, Proposal] = {}
    for i, row in enumerate(children.tolist()):
        child = space.canonical(tuple(row))
        if child in allowed and child not in pool:
            origin = (one[i], other[i]) if crossed[i] else (one[i],)
            operator: Operator = "crossover" if crossed[i] else "mutation"
            pool[child] = Proposal(child, operator, tuple(chosen[k].architecture for k in origin))
    return list(pool.values())


def _most_promising(points: NDArray[np.float64], front: NDArray[np.float64], count: int) -> list[int]:
    """Greedily the points that each add most hypervolume to the front and to those chosen before."""
    chosen: list[int] = []
    for _ in range(min(count, len(points))):
        gains = hypervolume_gains(points, front, REFERENCE)
        best = int(np.argmax(gains))
        if gains[best] <= 1e-9:
            break
        chosen.append(best)
        front = np.vstack([front, points[best]])
    return chosen
