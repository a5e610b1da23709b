"""What the report of a search tells, as values for JSON.

Members are columns, and whatever names one says its number, so that ten thousand of them take little room. Costs are in
the units of the search's objectives (down), scores in [0, 1] (up), hypervolumes as everywhere: larger is better.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp import __version__, baselines
from llmnas_mcp.baselines import Baseline
from llmnas_mcp.devices import NAMES, ON_DEVICE, UNITS, Objective, device_of
from llmnas_mcp.errors import ArchitectureError
from llmnas_mcp.pareto import ranks_of, unit_hypervolume
from llmnas_mcp.reports.coverage import RANGES, spread
from llmnas_mcp.reports.picks import accuracy_of, trained_front
from llmnas_mcp.reports.truth import MOST_COMPARED, Truth, truth_of
from llmnas_mcp.results import Rule
from llmnas_mcp.scoring.calibration import calibration_of
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.instruments import Progress
from llmnas_mcp.search.members import Member, front_members
from llmnas_mcp.search.picking import Known, recommend
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.search.trained import best_trained
from llmnas_mcp.spaces import Genotype, Space

MOST_STEPS = 400  # of the curve of hypervolume
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SETTINGS = (
    "search_id",
    "created",
    "dataset",
    "device",
    "operator",
    "seed",
    "evaluations",
    "rounds",
    "offspring",
    "scored_by",
)


def tell(lab: Laboratory, search_id: str, progress: Progress | None = None) -> dict[str, Any]:
    """All that the page shows of a search. Raises NotFoundError for one that is not there."""
    handle, members = lab.members(search_id)
    front = front_members(members, handle.scale)
    best = handle.landscape.best_front(handle.limits, handle.scale)
    compared = baselines.of_search(handle, min(len(members), MOST_COMPARED), progress=progress)
    final, most = handle.hypervolume(members), None if best is None else unit_hypervolume(best)
    device = device_of(handle.row["device"], handle.landscape.data).title if handle.row["device"] else None
    on_front = {m.architecture for m in front}
    number = {m.architecture: i for i, m in enumerate(members)}
    place = _placer(handle.space, number)
    scored = handle.row["scored_by"] == "zero-cost"
    truth = truth_of(handle, members, estimated=True)
    known = accuracy_of(lab.store, handle, members)
    worth = calibration_of(handle.space, handle.landscape.dataset) if scored else None
    return {
        "title": f"Networks for the {device}" if device else f"Networks with few {_named(handle.objectives)}",
        "answer": answer_of(front, handle.objectives, handle.units, device, recommend(handle, members, known).why),
        "added": added_of(final, most, len(members), compared),
        "search": {
            **{name: handle.row[name] for name in _SETTINGS},
            "objectives": [
                {
                    "id": name,
                    "name": NAMES[name],
                    "unit": unit,
                    "limit": handle.limits.set.get(name),
                    "on_device": name in ON_DEVICE,
                }
                for name, unit in zip(handle.objectives, handle.units, strict=True)
            ],
            "limits": [
                f"at most {limit:g} {UNITS[name]} {NAMES[name]}"
                for name, limit in handle.limits.set.items()
                if name not in handle.objectives
            ],
            "device_title": device,
            "used": len(members),
            "command": command_of(handle),
            "version": __version__,
        },
        "space": {
            "name": handle.space.name,
            "title": handle.space.title,
            "source": handle.space.source,
            "positions": handle.space.positions,
            "choices": handle.space.words,
        },
        "members": _columns(lab, handle, members, place),
        "front": [
            {
                "member": number[m.architecture],
                "near": m.architecture not in on_front,
                "timed": m.timed,
                **_accuracy(truth, m),
            }
            for m in (handle.near_front(members) if members else [])
        ],
        "trained": _trained(lab, handle, number),
        "accuracies": _accuracies(handle, members, known),
        "exact": None if best is None else _unscaled(handle, best),
        "hypervolume": {"curve": _curve(handle, members), "final": final, "best": most},
        "coverage": _coverage(lab, handle, members, front),
        "knowledge": _knowledge(lab.knowledge_history(search_id), place),
        "baselines": [{**asdict(other), "name": _method(other)} for other in compared],
        "worth": None
        if worth is None
        else {"source": worth.source, "grade": worth.grade, "rows": [asdict(row) for row in worth.rows[:2]]},
        "truth": None if truth is None else _truth(truth),
    }


def _trained(lab: Laboratory, handle: SearchHandle, number: dict[str, int]) -> list[dict[str, Any]]:
    """By data, what members reached that were trained on it: accuracies in %, never part of a score."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for record in best_trained(lab.store, handle.space, number, most=len(number)):
        told = {name: getattr(record, name) for name in ("valid", "test", "epochs", "of_epochs")}
        rows.setdefault(record.data, []).append({"member": number[record.architecture], **told})
    return [{"data": data, "rows": own} for data, own in rows.items()]


def _accuracies(
    handle: SearchHandle, members: Sequence[Member], known: Sequence[Known | None]
) -> dict[str, Any] | None:
    """By grade, accuracies in % that can be compared with each other, and the front of the trained by cost; else None.

    rows: (member, accuracy); error: of the learned, in points.
    """
    found: dict[str, dict[str, Any]] = {}
    for row, its in enumerate(known):
        if its and its.grade in ("trained", "learned"):
            told = found.setdefault(
                its.grade, {"source": its.source, "error": its.error and _short(its.error), "rows": []}
            )
            told["rows"].append((row, _short(its.value)))
    if not found:
        return None
    return {"trained": None, "learned": None, **found, "front": trained_front(handle, members, known)}


def _truth(truth: Truth) -> dict[str, Any]:
    judge, verdict = truth.judge, truth.verdict
    return {
        "estimated": judge.estimated,
        "grade": judge.grade,
        "source": judge.source,
        "error": _error(truth),
        "share": _short(verdict.share),
        "random": None if truth.random is None else _short(truth.random),
        "best_accuracy": verdict.best_accuracy,
    }


def _accuracy(truth: Truth | None, member: Member) -> dict[str, float | None]:
    """A network's accuracy in %, and in points how far that is off on average; None where it was measured."""
    if truth is None:
        return {}
    (accuracy, *_) = truth.judge.values([member.genotype])[0].tolist()
    return {"accuracy": None if np.isnan(accuracy) else _short(accuracy), "accuracy_error": _error(truth)}


def _error(truth: Truth) -> float | None:
    return _short(truth.judge.error[0]) if truth.judge.error and truth.judge.error[0] else None


def answer_of(
    front: Sequence[Member], objectives: Sequence[Objective], units: Sequence[str], device: str | None, why: str
) -> str:
    """The search's result in a sentence, and which network to take; front by rising first cost."""
    if not front:
        return "Nothing is evaluated yet."

    def of(*costs: str) -> str:
        """Costs with what they are of: `4 ms and 9 mJ on the FPGA and 2 M MACs`."""
        both = list(zip(costs, units, objectives, strict=True))
        there = " and ".join(f"{cost} {unit}" for cost, unit, name in both if name in ON_DEVICE)
        anywhere = [f"{cost} {unit} {NAMES[name]}" for cost, unit, name in both if name not in ON_DEVICE]
        return " and ".join([*([f"{there} on the {device}"] if there else []), *anywhere])

    if len(front) == 1:
        only = front[0]
        return f"One network: {of(*map(three_digits, only.costs))}, with a score of {only.score:.3f}."
    every = zip(*(m.costs for m in front), strict=True)
    ranges = (f"{three_digits(min(own))} to {three_digits(max(own))}" for own in every)
    alone = len(objectives) == 1
    each = f"each with the best score for its {NAMES[objectives[0]]}" if alone else "each the best at its costs"
    return f"{len(front)} networks from {of(*ranges)}, {each}. {why}"


def _named(objectives: Sequence[Objective]) -> str:
    return " and ".join(NAMES[name] for name in objectives)


def three_digits(value: float) -> str:
    """A cost for people.

    >>> three_digits(1.4812), three_digits(2468.0)
    ('1.48', '2,470')
    """
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 1000 else f"{value:.3g}"


def added_of(final: float, best: float | None, evaluations: int, others: Sequence[Baseline]) -> str:
    """What the search reached, beside what others reach with as many evaluations, or with MOST_COMPARED of them.

    >>> random = Baseline("random", 5, [(400, 0.9)], 0.8, 0.91, [])
    >>> added_of(0.95, 1.0, 400, [random])
    'Hypervolume 0.9500 of the best there is after 400 evaluations; random after 400: 0.9000 (mean of 5 seeds).'
    """
    whole, of_best = (1.0, "") if best is None else (best, " of the best there is")
    reached = [f"Hypervolume {final / whole:.4f}{of_best} after {evaluations:,} evaluations"]
    for other in others:
        count, mean = other.curve[-1]
        reached.append(f"{_method(other)} after {count:,}: {mean / whole:.4f} (mean of {other.seeds} seeds)")
    return "; ".join(reached) + "."


def _method(other: Baseline) -> str:
    return {"nsga2": "NSGA-II"}.get(other.name, other.name)


def command_of(handle: SearchHandle) -> str | None:
    """The command that searches so again; None for what a conversation led."""
    row = handle.row
    if row["operator"] == "conversation":
        return None
    options = {
        "device": row["device"],
        "space": row["space"],
        "dataset": row["dataset"],
        "objective": row["objectives"],
        "operator": row["operator"],
        "niches": len(handle.niches),
        "rounds": row["rounds"],
        "offspring": row["offspring"],
        "evaluations": row["evaluations"],
        **{f"max-{name}": limit for name, limit in handle.limits.set.items()},
        "seed": row["seed"],
    }
    flags = " --no-zero-cost" if row["scored_by"] == "params" else ""
    each = ((name, one) for name, value in options.items() for one in (value if isinstance(value, list) else [value]))
    given = (f"--{name} {shlex.quote(str(value))}" for name, value in each if value is not None)
    return f"llmnas search {' '.join(given)}{flags}"


def _placer(space: Space, number: dict[str, int]) -> Callable[[str], int | str]:
    """Tells the number of the member that an architecture is, however it is written; or the text as it stands."""

    def place(architecture: str) -> int | str:
        if architecture in number:
            return number[architecture]
        try:
            return number.get(space.format(space.canonical(space.parse(architecture))), architecture)
        except ArchitectureError:
            return architecture

    return place


def _columns(
    lab: Laboratory, handle: SearchHandle, members: Sequence[Member], place: Callable[[str], int | str]
) -> dict[str, Any]:
    """The members in the order they were evaluated; `genotype` as of `_digits`."""
    errors = [tuple(None if np.isnan(e) else _short(e) for e in row) for row in handle.errors(members).tolist()]
    origins = lab.origins(handle.search_id)
    own = [origins[m.architecture] for m in members]
    sources, source = _numbered(
        [tuple(zip(m.cost_sources, own, strict=True)) for m, own in zip(members, errors, strict=True)]
    )
    score_sources, score_source = _numbered([m.score_source for m in members])
    reasons, reason = _numbered([origin.reason for origin in own])
    return {
        "architecture": [m.architecture for m in members],
        "short": [handle.space.short(m.genotype) for m in members],
        "genotype": [_digits(handle.space, m.genotype) for m in members],
        "niche": [m.niche for m in members],
        "round": [m.round for m in members],
        "score": [_short(m.score) for m in members],
        "costs": [[_short(m.costs[i]) for m in members] for i in range(len(handle.objectives))],
        "params": [m.params for m in members],
        "rank": (ranks_of(handle.points(members)) + 1).tolist(),
        "sources": sources,
        "source": source,
        "score_sources": score_sources,
        "score_source": score_source,
        "operator": [origin.operator for origin in own],
        "parents": [[place(parent) for parent in origin.parents] for origin in own],
        "reasons": reasons,
        "reason": reason,
    }


def _digits(space: Space, genotype: Genotype) -> str:
    """A digit, of base 36, for each position; a dash where it does not matter."""
    active = set(space.active(space.chosen(genotype)))
    places = zip(space.positions, genotype, strict=True)
    return "".join(_DIGITS[choice] if name in active else "-" for name, choice in places)


def _numbered(values: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """The different values, and for each value its number among these."""
    found = {value: i for i, value in enumerate(dict.fromkeys(values))}
    return list(found), [found[value] for value in values]


def _curve(handle: SearchHandle, members: Sequence[Member]) -> list[tuple[int, float]]:
    points = handle.points(members)
    steps = np.unique(np.linspace(1, len(members), min(len(members), MOST_STEPS)).round().astype(int))
    return [(int(n), _short(unit_hypervolume(points[:n]))) for n in steps if n]


def _coverage(
    lab: Laboratory, handle: SearchHandle, members: Sequence[Member], front: Sequence[Member]
) -> dict[str, Any]:
    scale, known = handle.scale, handle.candidates
    edges = [np.linspace(low, high, RANGES + 1) for low, high in zip(scale.low, scale.high, strict=True)]
    rules = lab.store.count_active_rules(handle.search_id)
    return {
        "niches": [
            {
                "low": niche.low,
                "high": niche.high,
                "size": handle.sizes[niche.index],
                "members": sum(m.niche == niche.index for m in members),
                "front": sum(m.niche == niche.index for m in front),
                "rules": rules.get(niche.index, 0),
            }
            for niche in handle.niches
        ],
        "ranges": [
            {
                "edges": [_short(edge) for edge in own],
                "counts": spread([m.costs[i] for m in members], own).counts,
                "space": spread(known.costs[:, i], own).counts if known.complete else None,
            }
            for i, own in enumerate(edges)
        ],
    }


def _knowledge(history: Sequence[Rule], place: Callable[[str], int | str]) -> list[dict[str, Any]]:
    """The rules in the order they came up, each with every writing of it."""
    rules: dict[str, dict[str, Any]] = {}
    for rule in history:
        of_rule = rules.setdefault(rule.rule_id, {"id": rule.rule_id, "niche": rule.niche, "writings": []})
        of_rule["writings"].append(
            {
                **rule.model_dump(include={"statement", "target", "author", "round", "status", "version"}),
                "pattern": rule.pattern,
                "effect": None if rule.effect is None else _short(rule.effect),
                "confidence": _short(rule.confidence),
                "evidence": [place(architecture) for architecture in rule.evidence],
            }
        )
    return list(rules.values())


def _unscaled(handle: SearchHandle, points: NDArray[np.float64]) -> list[tuple[float, ...]]:
    """Scaled points as (score, costs)."""
    costs = points[:, :-1] * handle.scale.widths + handle.scale.low
    return [(_short(1 - y), *map(_short, own)) for own, y in zip(costs.tolist(), points[:, -1].tolist(), strict=True)]


def _short(value: float) -> float:
    return float(f"{value:.6g}")
