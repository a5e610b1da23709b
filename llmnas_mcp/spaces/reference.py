"""A space's reference: the architectures that stand for it, always the same.

Niches, ranks and scales are taken from it, so that a score or a hypervolume means the same tomorrow. Of a small space
it is every architecture; of any other, a seeded sample that covers the range of complexity: half of it drawn uniformly,
which lie close together in the middle, half brought to complexities spread evenly (in their logarithm) from the
smallest network of the space to the largest, both of which are in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.spaces.base import MOST_LISTED
from llmnas_mcp.spaces.datasets import Dataset

if TYPE_CHECKING:
    from llmnas_mcp.spaces.base import Genotypes, Space
from llmnas_mcp.spaces.needed import Genotype

SEED = 2510
SAMPLE = 200  # architectures that stand for a space that is not listed
MOST_BUILT = 2000  # architectures that are listed where parameters have no formula, so that each must be built
TRIES = 40  # mutations tried to bring one architecture into a range


@dataclass(frozen=True, eq=False)
class Reference:
    """Distinct canonical architectures, ascending, none of them constant.

    weights: how many genotypes each stands for, or how often it was drawn. complete: whether these are all there are.
    """

    space: Space
    dataset: Dataset
    genotypes: NDArray[np.int_]
    weights: NDArray[np.int64]
    complete: bool
    params: NDArray[np.int64] = field(repr=False)

    @cached_property
    def rows(self) -> dict[Genotype, int]:
        """The row of each architecture."""
        return {tuple(genotype): i for i, genotype in enumerate(self.genotypes.tolist())}


@lru_cache(maxsize=32)
def reference_of(space: Space, dataset: Dataset) -> Reference:
    """The reference of a space for a dataset, made once in a process; takes what `Space.params` takes of time.

    >>> from llmnas_mcp.spaces import DATASETS, get_space
    >>> reference = reference_of(get_space("nasbench201"), DATASETS["cifar10"])
    >>> reference.complete, int(reference.weights.sum()) <= 15625
    (True, True)
    """
    complete = space.size <= (MOST_BUILT if space.counted else MOST_LISTED)
    drawn = space.genotypes() if complete else _covering(space, dataset)
    members = Counter(genotype for genotype in map(space.canonical, drawn) if not space.constant(genotype))
    genotypes = np.array(sorted(members))
    weights = np.array([members[tuple(genotype)] for genotype in genotypes.tolist()])
    return Reference(space, dataset, genotypes, weights, complete, space.params(genotypes, dataset))


def _covering(space: Space, dataset: Dataset) -> list[Genotype]:
    rng = np.random.default_rng(SEED)
    drawn: list[Genotype] = [space.canonical(tuple(row)) for row in space.sample(SAMPLE // 2, rng).tolist()]

    def params(genotypes: Genotypes) -> NDArray[np.float64]:
        return space.params(genotypes, dataset).astype(float)

    sizes = params(drawn)
    ends = [
        descend(space, drawn[int(sizes.argmin())], params),
        descend(space, drawn[int(sizes.argmax())], lambda genotypes: -params(genotypes)),
    ]
    low, high = (int(size) for size in params(ends))
    edges = np.geomspace(max(low, 1), max(high, 1) + 1, SAMPLE // 2 - 1)
    known = [*drawn, *ends]
    sizes = params(known)
    for bottom, top in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        nearest = known[int(np.abs(np.log(np.maximum(sizes, 1)) - np.log((bottom * top) ** 0.5)).argmin())]
        (found,) = repair(space, [nearest], bottom, top, dataset, rng)
        if found is not None:
            known.append(found)
            sizes = np.append(sizes, params([found]))
    return known


def descend(space: Space, start: Genotype, value: Callable[[Genotypes], NDArray[np.float64]]) -> Genotype:
    """The genotype that single changes lead to from `start`, the lowest `value` (n,) -> (n,) first; NaN is never taken.

    Position by position the best choice is taken, until no position can be bettered. So of a value that is a sum over
    positions it is the lowest there is.
    """
    best, lowest = space.canonical(start), float(value([start])[0])
    changed = True
    while changed:
        changed = False
        for i, values in enumerate(space.values):
            options = [space.canonical((*best[:i], choice, *best[i + 1 :])) for choice in range(len(values))]
            options = [genotype for genotype in options if not space.constant(genotype)] or [best]
            found = value(options)
            at = int(np.nanargmin(np.where(np.isnan(found), np.inf, found)))
            if found[at] < lowest:
                best, lowest, changed = options[at], float(found[at]), True
    return best


def repair(
    space: Space,
    genotypes: Sequence[Genotype],
    low: float,
    high: float,
    dataset: Dataset,
    rng: np.random.Generator,
    tries: int = TRIES,
) -> list[Genotype | None]:
    """For each genotype one near it with `low <= params < high`: random changes, kept where they lead nearer.

    None where so many `tries` do not get there.
    """
    near = list(genotypes)
    sizes = space.params(near, dataset) if near else np.empty(0, dtype=np.int64)
    middle = np.log(max(low + high, 2) / 2)

    def off(params: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(np.abs(np.log(np.maximum(params, 1)) - middle))

    def astray(rows: Sequence[int]) -> list[int]:
        return [i for i in rows if not low <= sizes[i] < high or space.constant(near[i])]

    left = astray(range(len(near)))
    for _ in range(tries if low < high else 0):
        if not left:
            break
        mutants = space.mutate([near[i] for i in left], rng).tolist()
        others = [space.canonical(tuple(mutant)) for mutant in mutants]
        theirs = space.params(others, dataset)
        nearer = off(theirs) < off(sizes[left])
        for i, other in compress(zip(left, others, strict=True), nearer):
            near[i] = other
        sizes[left] = np.where(nearer, theirs, sizes[left])
        left = astray(left)
    lost = set(left)
    return [None if i in lost else genotype for i, genotype in enumerate(near)]
