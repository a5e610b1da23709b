"""What a search reached in truth, for afterwards: its front judged by trained accuracies, random sampling beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmnas_mcp import results as r
from llmnas_mcp.baselines import METHODS, Problem, run
from llmnas_mcp.benchmarks import Judge, Verdict
from llmnas_mcp.errors import DataError
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.members import Member

SEEDS = 5
FEWEST = 20  # evaluations: fewer would be a way to ask what one network is worth
MOST_COMPARED = 1000  # evaluations: with other methods these take four seconds, ten thousand take minutes


@dataclass(frozen=True)
class Truth:
    """The judge, its verdict on a search's front with what is near it, and the mean share (up) of random sampling.

    random: SEEDS runs of as many evaluations as the search had, by the same scores and limit; None where these would
    have to be measured, and for more than MOST_COMPARED.
    """

    judge: Judge
    verdict: Verdict
    random: float | None


def may_be_judged(handle: SearchHandle, members: Sequence[Member]) -> bool:
    """Whether accuracies may be told of a search: when it is done, and had FEWEST evaluations or more."""
    return len(members) >= FEWEST and sum(handle.shares(members)) == 0


def truth_of(handle: SearchHandle, members: Sequence[Member], *, estimated: bool = False) -> Truth | None:
    """What a search reached in truth; None where no table tells, and no estimate is asked for, or nothing is known.

    None too while the search may go on, and of fewer than FEWEST evaluations: who searches must not see.
    """
    if not may_be_judged(handle, members):
        return None
    landscape = handle.landscape
    try:
        judge = Judge.of(
            *(handle.space, landscape.dataset.name, landscape.device, landscape.objectives, landscape.data),
            handle.limits.set,
        )
    except DataError:
        return None
    if judge.estimated and not estimated:
        return None
    random = None
    if landscape.whole and len(members) <= MOST_COMPARED:
        problems = [Problem(landscape, len(members), handle.limits) for _ in range(SEEDS)]
        drawn = [run(METHODS["random"], problem, seed).architectures for seed, problem in enumerate(problems)]
        random = float(np.mean([judge.verdict(landscape.kept(genotypes, handle.scale)).share for genotypes in drawn]))
    return Truth(judge, judge.verdict([m.genotype for m in handle.near_front(members)]), random)


def judged(front: r.Front, handle: SearchHandle, members: Sequence[Member]) -> r.Front:
    """A search's front with what it is in truth, where imported tables tell."""
    truth = truth_of(handle, members)
    if truth is None:
        return front
    return front.model_copy(
        update={
            "true_share": truth.verdict.share,
            "true_share_random": truth.random,
            "judge": truth.judge.source,
        }
    )
