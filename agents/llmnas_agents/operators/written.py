"""How an architecture is written: where in its string each position has its value."""

from __future__ import annotations

import re

from llmnas_mcp import results as r


def positions_of(brief: r.Brief) -> tuple[str, ...]:
    """The positions of a brief's space."""
    return tuple(position for choice in brief.choices for position in choice.positions)


def targets_of(brief: r.Brief) -> tuple[str, ...]:
    """What rules may be about in a brief's search."""
    return ("score", "cost") if len(brief.objectives) == 1 else ("score", *brief.objectives)


def values_of(brief: r.Brief) -> tuple[str, ...]:
    """All values that may stand at some position."""
    return tuple(dict.fromkeys(value for choice in brief.choices for value in choice.values))


def places(architecture: str, brief: r.Brief) -> dict[str, tuple[int, int]]:
    """Where the value of each position begins and ends: after its name and `=`, or in the order of the positions."""
    if "=" in architecture:
        return {match[1]: match.span(2) for match in re.finditer(r"([^,=]+)=([^,]*)", architecture)}
    longest_first = sorted(values_of(brief), key=len, reverse=True)
    found = re.finditer("|".join(map(re.escape, longest_first)), architecture)
    return dict(zip(positions_of(brief), (match.span() for match in found), strict=True))
