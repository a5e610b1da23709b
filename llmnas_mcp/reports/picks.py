"""Which network to take, by all that may be known of it: the one place where accuracies meet what searches found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llmnas_mcp import results as r
from llmnas_mcp.benchmarks import accuracy_of as benchmarked
from llmnas_mcp.errors import DataError
from llmnas_mcp.reports.truth import may_be_judged
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.landscape import NO_LIMITS, Limits
from llmnas_mcp.search.members import Member
from llmnas_mcp.search.picking import TOP, Advice, Known, recommend


def accuracy_of(handle: SearchHandle, members: Sequence[Member]) -> list[Known | None]:
    """What is known of each member's accuracy, by the best grade of truth there is; None where only its score is.

    Trained: a value of a table that the laboratory's owner imported. Estimated: by a fitted model, with its error. Both
    are told of a search that is done, as `truth_of` has it, for who searches must not see them. All values of one grade
    can be compared with each other.
    """
    if not may_be_judged(handle, members):
        return [None] * len(members)
    where = handle.landscape
    try:
        found = benchmarked(handle.space, [m.genotype for m in members], dataset=where.dataset.name, data=where.data)
    except DataError:
        return [None] * len(members)
    rows = zip(found.values.tolist(), found.sources, found.errors.tolist(), strict=True)
    return [None if np.isnan(value) else _known(value, source, error) for value, source, error in rows]


def _known(value: float, source: str, error: float) -> Known:
    if source.startswith("table:"):
        return Known(value, "trained", source)
    return Known(value, "estimated", source, None if np.isnan(error) else error)


def advice_on(handle: SearchHandle, members: Sequence[Member], given: Limits = NO_LIMITS, top: int = TOP) -> Advice:
    """The network to take of a search within its limits and those given, others that differ, and why.

    Raises what `recommend` raises.
    """
    return recommend(handle, members, accuracy_of(handle, members), given, top)


def advised(
    front: r.Front, handle: SearchHandle, members: Sequence[Member], given: Limits = NO_LIMITS, top: int = TOP
) -> r.Front:
    """A search's front with the network to take. Raises what `recommend` raises."""
    picks, why = advice_on(handle, members, given, top)
    return front.model_copy(update={"picks": picks, "why": why})
