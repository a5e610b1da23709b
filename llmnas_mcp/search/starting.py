"""What a search begins with: its settings, which must make sense, and the id that follows from them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

from llmnas_mcp.devices import ANYWHERE, ON_DEVICE, Objective
from llmnas_mcp.errors import LabError
from llmnas_mcp.search.landscape import Limits

MOST_EVALUATIONS, MOST_OFFSPRING, MOST_OBJECTIVES = 100_000, 1000, 2
_USUAL = {"scored_by": "zero-cost", "cut": "clusters"}


def check_settings(
    objectives: Sequence[Objective],
    limits: Limits,
    device: str | None,
    *,
    evaluations: int,
    offspring: int,
    rounds: int | None,
    seed: int,
) -> None:
    """Raise LabError, with the value, what is allowed and the fix, for settings that make no sense in any space."""
    for name, value, most in (("evaluations", evaluations, MOST_EVALUATIONS), ("offspring", offspring, MOST_OFFSPRING)):
        if not 1 <= value <= most:
            raise LabError(f"{name}={value} is out of range: choose 1 to {most:,}.")
    if rounds is not None and rounds < 1:
        raise LabError(f"rounds={rounds} is out of range: choose at least 1, or leave it out to use the budget.")
    if not 0 <= seed < 2**31:
        raise LabError(f"seed={seed} is out of range: choose 0 to {2**31 - 1:,}.")
    if not 1 <= len(set(objectives)) == len(objectives) <= MOST_OBJECTIVES:
        raise LabError(f"objective={', '.join(objectives) or 'none'}: give one or two different ones.")
    for name, limit in limits.set.items():
        if not 0 < limit < math.inf:
            raise LabError(f"max_{name}={limit} is out of range: choose a positive number, or leave it out.")
    if device is not None and {*objectives, *limits.set} <= ANYWHERE.keys():
        raise LabError(
            f"objective={' and '.join(objectives)}: the same on every device. Leave device={device!r} out, or"
            f" choose {', '.join(ON_DEVICE)}."
        )


def id_of(row: dict[str, Any]) -> str:
    """The id of a search with these settings: its device or objective, its dataset, and six digits.

    At most 80 characters, for which stores have room. The same search in a fresh store has the same id. What may be
    set since later counts only where it is set, so that other searches keep their ids.
    """
    first, *others = row["objectives"]
    limits = dict(row["limits"])
    named = {name: value for name, value in row.items() if name not in ("objectives", "limits", "scored_by", "cut")}
    named |= {"objective": first, "max_cost": limits.pop(first, None) if first in ON_DEVICE else None}
    named |= {f"max_{name}": limit for name, limit in limits.items()}
    named |= {name: row[name] for name, usual in _USUAL.items() if row[name] != usual}
    if others:
        named["others"] = others
    else:
        named |= {name: row[name][0] for name in ("cost_low", "cost_high")}
    digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:6]
    return f"{(row['device'] or first)[:24]}-{row['dataset'][:48]}-{digest}"
