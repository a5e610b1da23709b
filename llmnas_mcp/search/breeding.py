"""Rule-guided breeding: offspring by mutation and crossover of a niche's members, chosen by the rules in force.

What an offspring costs is known before it is evaluated (the device's cost model is free); what it scores is predicted
from the rules and from what its like scored, with an error (`predicting.py`). Those are taken that are expected to
enlarge the front most (expected hypervolume improvement, Emmerich 2006), so one whose prediction may be wrong is tried
where it would pay. But scores are wrong by more than networks near the front differ by: the best in truth may be any of
these. So where no offspring is expected to enlarge the front by anything that counts, those are taken that most surely
lie on it, or so near it that a search keeps them beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.pareto import front_of, hypervolume_gains
from llmnas_mcp.search.landscape import Candidates, Landscape, Limits
from llmnas_mcp.search.members import SCORE_MARGIN, Member, Scale, front_members, parents
from llmnas_mcp.search.mining import FEWEST_RESULTS
from llmnas_mcp.search.niches import Niche
from llmnas_mcp.search.predicting import LEAST_ERROR, Guide, predict
from llmnas_mcp.spaces import Genotype
from llmnas_mcp.spaces.reference import TRIES, repair

Operator = Literal["mutation", "crossover", "fresh"]

PARENTS = 12
POOL = 600
# Where the parameters of each must be counted on a built network: fewer offspring, and less done to save each.
POOL_OF_BUILT = 100
TRIES_OF_BUILT = 4
FRESH = 4  # random draws for each fresh architecture
# The score may lie this many errors of its prediction off: five equally likely steps of a normal distribution, a little
# widened, for the rules were fitted to the very members that the prediction is made from.
STEPS = 1.4 * np.array([-1.28, -0.52, 0.0, 0.52, 1.28])


@dataclass(frozen=True)
class Proposal:
    """A proposed genotype, how it came about and from which architectures."""

    genotype: Genotype
    operator: Operator
    parents: tuple[str, ...]


@dataclass(frozen=True)
class Ground:
    """Where offspring may lie: a niche of a landscape within limits; `scale` is the search's."""

    landscape: Landscape
    limits: Limits
    niche: Niche
    scale: Scale

    @property
    def candidates(self) -> Candidates:
        """What stands for all within the limits, of any niche."""
        return self.landscape.candidates(self.limits)

    def holds(self, params: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of so many parameters belong to the niche, shape (n,)."""
        return (params >= self.niche.low) & (params < self.niche.high)

    def repaired(self, genotypes: Sequence[Genotype], rng: np.random.Generator) -> list[Genotype | None]:
        """Each brought into the niche by random changes; None where that fails."""
        space, tries = self.landscape.space, TRIES_OF_BUILT if self.landscape.space.counted else TRIES
        return repair(space, genotypes, self.niche.low, self.niche.high, self.landscape.dataset, rng, tries)

    def admitted(self, genotypes: Sequence[Genotype]) -> list[Genotype]:
        """Those in the niche and within the limits, in their order."""
        if not genotypes:
            return []
        inside = self.holds(self.landscape.params(genotypes))
        inside[inside] = (
            self.landscape.excess([g for g, i in zip(genotypes, inside, strict=True) if i], self.limits) == 0
        )
        return [genotype for genotype, keep in zip(genotypes, inside, strict=True) if keep]


def breed(
    ground: Ground,
    members: Sequence[Member],
    front: NDArray[np.float64],
    guides: Sequence[Guide],
    count: int,
    rng: np.random.Generator,
) -> list[Proposal]:
    """At most `count` distinct proposals, all canonical, in the niche, within the limits and not tried yet.

    `members` are those of all niches; `front` has the scaled points (m, costs + 1) that a proposal should improve on.
    Parents are the best of the niche, and what the niches next to it have on the front: what is good there may be good
    here. A niche that has few members yet chooses among fresh architectures too.
    """
    niche = ground.niche.index
    own = [m for m in members if m.niche == niche]
    tried = {m.genotype for m in members}
    if len(members) < FEWEST_RESULTS:
        return _fresh(ground, tried, count, rng)
    guests = [m for m in front_members(members, ground.scale) if abs(m.niche - niche) == 1]
    pool = _pool(ground, [*parents(own, ground.scale, PARENTS), *guests], tried, rng)
    fresh = count if len(own) < FEWEST_RESULTS else count - len(pool)
    if fresh > 0:
        pool += _fresh(ground, tried | {p.genotype for p in pool}, fresh, rng)
    if not pool:
        return []
    genotypes = [p.genotype for p in pool]
    costs = ground.landscape.costs(genotypes).values
    sizes = np.column_stack([ground.landscape.params(genotypes), costs])
    scores, error = predict(ground.landscape.space, genotypes, sizes, members, niche, guides)
    possible = [ground.scale.objectives(np.clip(scores + step * error, 0, 1), costs) for step in STEPS]
    front = front[front_of(front)]
    chosen = _most_promising(possible, front, count)
    expected = possible[len(possible) // 2]
    behind = _behind(expected, np.vstack([front, expected[chosen]])) / np.maximum(error, LEAST_ERROR)
    nearest = np.argsort(behind, kind="stable")
    others = [int(i) for i in nearest if i not in chosen]
    return [pool[i] for i in chosen + others[: count - len(chosen)]]


def _fresh(ground: Ground, tried: set[Genotype], count: int, rng: np.random.Generator) -> list[Proposal]:
    """Fresh architectures, drawn from the niche.

    It is taken from the reference, each of it as likely as the space draws it; where that is not all there is, also
    from random draws brought into it.
    """
    known = ground.candidates
    inside = ground.holds(known.params)
    weights = dict(zip(map(tuple, known.genotypes[inside].tolist()), known.weights[inside].tolist(), strict=True))
    if not known.complete:
        weights = dict.fromkeys(_drawn(ground, tried, FRESH * count, rng), 1) | weights
    free = sorted(weights.keys() - tried)
    if not free:
        return []
    likely = np.array([weights[genotype] for genotype in free], dtype=float)
    picks = rng.choice(len(free), min(count, len(free)), replace=False, p=likely / likely.sum())
    return [Proposal(free[i], "fresh", ()) for i in picks]


def _drawn(ground: Ground, tried: set[Genotype], count: int, rng: np.random.Generator) -> list[Genotype]:
    """Random architectures brought into the niche; those that get there, are within the limits and not tried."""
    space = ground.landscape.space
    found = ground.repaired([space.canonical(tuple(row)) for row in space.sample(count, rng).tolist()], rng)
    return ground.admitted([genotype for genotype in found if genotype is not None and genotype not in tried])


def _pool(ground: Ground, chosen: Sequence[Member], tried: set[Genotype], rng: np.random.Generator) -> list[Proposal]:
    """Offspring of the chosen members, brought into the niche, of which those within the limits are left.

    A third comes by crossover, the rest by one to three mutations.
    """
    if not chosen:
        return []
    space = ground.landscape.space
    genotypes = np.array([m.genotype for m in chosen])
    size = POOL_OF_BUILT if space.counted else POOL
    one, other = rng.integers(len(chosen), size=(2, size))
    crossed = rng.random(size) < 1 / 3
    mutations = rng.integers(1, 4, size=size)
    children = genotypes[one]
    for step in range(3):
        children = np.where((mutations > step)[:, None], space.mutate(children, rng), children)
    children = np.where(crossed[:, None], space.crossover(genotypes[one], genotypes[other], rng), children)
    pool: dict[Genotype, Proposal] = {}
    for i, child in enumerate(ground.repaired([space.canonical(tuple(row)) for row in children.tolist()], rng)):
        if child is not None and child not in tried and child not in pool:
            origin = (one[i], other[i]) if crossed[i] else (one[i],)
            operator: Operator = "crossover" if crossed[i] else "mutation"
            pool[child] = Proposal(child, operator, tuple(chosen[k].architecture for k in origin))
    return [pool[genotype] for genotype in ground.admitted(list(pool))]


def _most_promising(possible: Sequence[NDArray[np.float64]], front: NDArray[np.float64], count: int) -> list[int]:
    """Greedily the candidates expected to add most hypervolume to the front and to those chosen before.

    None that adds less than a box as wide as SCORE_MARGIN: so much a score does not tell.

    `possible` holds, for each equally likely case, the points (n, costs + 1) of all candidates; the middle one is
    the median.
    """
    chosen: list[int] = []
    reference = (1.0,) * front.shape[1]
    for _ in range(min(count, len(possible[0]))):
        gains = np.mean([hypervolume_gains(points, front, reference) for points in possible], axis=0)
        gains[chosen] = 0
        best = int(np.argmax(gains))
        if gains[best] < SCORE_MARGIN ** len(reference):
            break
        chosen.append(best)
        front = np.vstack([front, possible[len(possible) // 2][best]])
    return chosen


def _behind(points: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far points (n, costs + 1) score behind the best known (m, costs + 1) of no higher costs, beyond the margin of
    what a search keeps beside its front; negative within it.
    """
    cheaper = (known[:, :-1] <= points[:, None, :-1]).all(-1)
    best = np.where(cheaper, known[:, -1], 1.0).min(1, initial=1.0)
    return np.asarray(points[:, -1] - best - SCORE_MARGIN)
