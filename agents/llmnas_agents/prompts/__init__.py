"""Prompts: one file per role, filled from the laboratory's answers.

The shared part comes first and is the same in every call, so that providers can cache it.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from string import Template

from llmnas_mcp import results as r

MOST_RULES, MOST_PARENTS, MOST_EFFECTS, MOST_TRIED = 16, 10, 12, 16
FEW = 6  # of each for a small model, which loses the thread in more


def laboratory(space: r.SpaceInfo) -> str:
    """The shared part: who the scientist is, what the space is, how to answer."""
    return _fill(
        "laboratory",
        title=space.title,
        encoding=space.encoding,
        example=space.example,
        positions=", ".join(space.positions),
        operations=", ".join(space.operations),
    )


def reason(brief: r.Brief, effects: r.Effects, round_: int, most: int) -> str:
    """What a niche's results are, and the task to bring its rules up to date."""
    shown = _lines(_effect(effect) for effect in effects.effects[:MOST_EFFECTS])
    return _fill("reason", **_niche(brief, round_), effects=shown, rules=_rules(brief, ids=True), most=most)


def design(brief: r.Brief, round_: int, count: int) -> str:
    """What is known of a niche, and the task to design `count` architectures for it."""
    gaps = [f"{g.cost_from:.4g} to {g.cost_to:.4g}, {g.score_from:.3f} to {g.score_to:.3f}" for g in brief.gaps]
    return _fill(
        "design",
        **_niche(brief, round_),
        rules=_rules(brief),
        gaps=_lines(gaps),
        tried=_lines(brief.tried[-MOST_TRIED:]),
        count=count,
    )


def plain(brief: r.Brief, count: int) -> str:
    """The plain prompt of the paper's comparison: good architectures, and nothing else."""
    return _fill("plain", goal=brief.goal, count=count, tried=_lines(brief.tried[-MOST_TRIED:]))


def latency(brief: r.Brief, targets: Iterable[float]) -> str:
    """The same across targets of cost, one architecture each."""
    aims = [f"{target:.4g}" for target in targets]
    return _fill(
        "latency",
        goal=brief.goal,
        count=len(aims),
        unit=brief.unit,
        targets=_lines(aims),
        tried=_lines(brief.tried[-MOST_TRIED:]),
    )


def choose_rules(brief: r.Brief, effects: list[r.Effect], most: int) -> str:
    """For a small model: the task to choose among effects."""
    shown = _numbered(_effect(effect) for effect in effects)
    return _fill("choose_rules", **_niche(brief), effects=shown, rules=_rules(brief, most=FEW), most=most)


def choose_changes(brief: r.Brief, count: int) -> str:
    """For a small model: the task to change parents."""
    return _fill("choose_changes", **_niche(brief, parents=FEW), rules=_rules(brief, most=FEW), count=count)


def _niche(brief: r.Brief, round_: int | None = None, parents: int = MOST_PARENTS) -> dict[str, object]:
    shown = [f"{m.architecture} score {m.score:.4f}, cost {m.cost:.4g}" for m in brief.parents[:parents]]
    return {
        "round": round_,
        "limit": "" if brief.max_cost is None else f", cost at most {brief.max_cost:g} {brief.unit}",
        "niche": brief.niche,
        "low_m": f"{brief.params_low_m:.4g}",
        "high_m": f"{brief.params_high_m:.4g}",
        "goal": brief.goal,
        "unit": brief.unit,
        "parents": _numbered(shown),
    }


def _effect(effect: r.Effect) -> str:
    e = effect
    return f"{e.statement}: {e.target} {e.effect:+.3g} ({e.low:+.3g} to {e.high:+.3g}, {e.support} results)"


def _rules(brief: r.Brief, ids: bool = False, most: int = MOST_RULES) -> str:
    """The rules of most confidence and effect."""
    chosen = sorted(brief.rules, key=lambda rule: -rule.confidence * abs(rule.effect or 0.0))[:most]
    lines = []
    for rule in chosen:
        effect = "" if rule.effect is None else f" ({rule.target} {rule.effect:+.3g}, confidence {rule.confidence:.2f})"
        lines.append(f"{f'[{rule.rule_id}] ' if ids else ''}{rule.statement[:200]}{effect}")
    return _lines(lines)


def _numbered(items: Iterable[str]) -> str:
    return "\n".join(f"{i}. {item}" for i, item in enumerate(items, start=1)) or "- none yet"


def _lines(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items) or "- none yet"


def _fill(name: str, **values: object) -> str:
    text = (files(__package__) / f"{name}.md").read_text(encoding="utf-8")
    return Template(text).substitute(values)
