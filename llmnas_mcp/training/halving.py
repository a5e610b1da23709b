"""Several networks on a budget: all are trained a little, the better half of them goes on, and so forth.

Successive halving (Jamieson and Talwalkar, AISTATS 2016, arXiv 1502.07943). A network goes on from where it stopped, on
the schedule of the whole training, so that nothing is trained twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmnas_mcp.errors import LabError

USUAL = 0.5  # of what training all of them to the end would take


@dataclass(frozen=True)
class Rung:
    """So many networks, the best until now, are trained until they have had so many epochs."""

    networks: int
    epochs: int


def plan(networks: int, epochs: int, budget: int | None = None) -> list[Rung]:
    """The rungs by which so many networks share a budget of epochs; the last one trains until `epochs`.

    With as few halvings as the budget needs, by default half of what all would take where that is possible. Raises
    LabError, with what it takes at least, for a budget that is too small.

    >>> plan(8, 12)
    [Rung(networks=8, epochs=3), Rung(networks=4, epochs=6), Rung(networks=2, epochs=12)]
    >>> plan(8, 12, budget=96)
    [Rung(networks=8, epochs=12)]
    """
    if budget is not None and budget < 1:
        raise LabError(f"--budget {budget} is out of range: give at least {epochs}, what one network takes.")
    most = budget or networks * epochs * (USUAL if networks > 2 else 1)
    rungs = [Rung(networks, epochs)]
    for halvings in range(1, epochs.bit_length() + 1):
        if cost(rungs) <= most:
            return rungs
        until = [max(1, epochs >> (halvings - i)) for i in range(halvings + 1)]
        cheaper = [Rung(max(1, networks >> i), e) for i, e in enumerate(until) if e not in until[:i]]
        rungs = min(rungs, cheaper, key=cost)
    if budget is not None and cost(rungs) > budget:
        raise LabError(
            f"--budget {budget} is too small: to train {networks} networks by halving, the best for {epochs} epochs,"
            f" takes {cost(rungs)} at least. Give that many, or fewer networks."
        )
    return rungs


def cost(rungs: list[Rung]) -> int:
    """The epochs of all networks together.

    >>> cost(plan(8, 12))
    48
    """
    before = [0, *(rung.epochs for rung in rungs)]
    return sum(rung.networks * (rung.epochs - already) for rung, already in zip(rungs, before, strict=False))
