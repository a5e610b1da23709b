"""Prompts: one file per role, filled from the laboratory's answers.

The shared part comes first and is the same in every call, so that providers can cache it.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from itertools import zip_longest
from string import Template

from llmnas_mcp import results as r

# What a call may hold is limited: shared part, this, and what is sent back stay below 3,000 tokens.
MOST_RULES, MOST_PARENTS, MOST_EFFECTS, MOST_GAPS, MOST_TRIED, MOST_STATED = 8, 8, 8, 4, 6, 110
_SIDES = """training-free proxies of the untrained network: how much
richer features become from stage to stage, how many patterns its ReLUs show, how well gradients tell inputs apart, and
its number of parameters."""
_FOLLOWS = "It follows trained accuracy closely, but it is not accuracy."  # as measured in NAS-Bench-201
FEW = 6  # of each for a small model, which loses the thread in more


def laboratory(space: r.SpaceInfo, who: str = "scientist", tasks: bool = True) -> str:
    """The shared part: who is asked ("scientist", in a niche, or "designer"), the space, how to go about tasks."""
    return _fill(
        "laboratory",
        who=_text(f"who_{who}"),
        tasks=_text("tasks") if tasks else "",
        title=space.title,
        encoding=space.encoding,
        example=space.example,
        choices=_lines(f"{', '.join(c.positions)}: {' | '.join(c.values)}" for c in space.choices),
        score=_score(space),
        follows=_FOLLOWS
        if space.space == "nasbench201"
        else "It is not accuracy, and how well it follows that varies.",
        known=_text("known_nasbench201" if space.space == "nasbench201" else "known"),
    )


def _score(space: r.SpaceInfo) -> str:
    """What the score is by, in words."""
    if space.score_of == ["params", "macs"]:
        return "its number of parameters and of MACs."
    return _SIDES


def reason(brief: r.Brief, effects: r.Effects, round_: int, most: int) -> str:
    """What a niche's results are, and the task to bring its rules up to date."""
    shown = _lines(_effect(effect) for effect in effects.effects[:MOST_EFFECTS])
    return _fill("reason", **_niche(brief, round_), effects=shown, rules=_rules(brief, ids=True), most=most)


def design(brief: r.Brief, round_: int, count: int) -> str:
    """What is known of a niche, and the task to design `count` architectures for it."""
    gaps = [
        f"{f'{g.objective} ' * (len(brief.objectives) > 1)}{g.cost_from:.4g} to {g.cost_to:.4g},"
        f" {g.score_from:.3f} to {g.score_to:.3f}"
        for g in brief.gaps[:MOST_GAPS]
    ]
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
        unit=f"{brief.units[0]} of {brief.objectives[0]}" if len(brief.units) > 1 else brief.units[0],
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


def _limits(brief: r.Brief) -> str:
    only = brief.objectives[0] if len(brief.objectives) == 1 else None
    told = {
        **{"latency": "a latency of at most {:g} ms", "energy": "an energy of at most {:g} mJ"},
        **{"memory": "at most {:g} MB of memory", "params": "at most {:g} million parameters"},
        "macs": "at most {:g} million MACs",
    }
    if only in ("latency", "energy", "memory"):
        told[only] = f"cost at most {{:g}} {brief.units[0]}"
    return "".join(f", {text.format(brief.limits[name])}" for name, text in told.items() if name in brief.limits)


def _niche(brief: r.Brief, round_: int | None = None, parents: int = MOST_PARENTS) -> dict[str, object]:
    shown = [f"{m.architecture} score {m.score:.4f}, {_costs(m)}" for m in brief.parents[:parents]]
    return {
        "round": round_,
        "limit": _limits(brief),
        "niche": brief.niche,
        "low_m": f"{brief.params_low_m:.4g}",
        "high_m": f"{brief.params_high_m:.4g}",
        "goal": brief.goal,
        "unit": " and ".join(brief.units),
        "parents": _numbered(shown),
    }


def _costs(member: r.MemberInfo) -> str:
    several = [f"{name} {cost:.4g}" for name, cost in member.costs.items()]
    return ", ".join(several) or f"cost {member.cost:.4g}"


def _effect(effect: r.Effect) -> str:
    e = effect
    return f"{e.statement}: {e.target} {e.effect:+.3g} ({e.low:+.3g} to {e.high:+.3g}, {e.support} results)"


def _rules(brief: r.Brief, ids: bool = False, most: int = MOST_RULES) -> str:
    """Rules of most confidence and effect, on score and on costs by turns: their effects are not of one scale."""
    by_weight = sorted(brief.rules, key=lambda rule: -rule.confidence * abs(rule.effect or 0.0))
    targets = dict.fromkeys(["score", "cost", *(rule.target for rule in by_weight)])
    of = [[rule for rule in by_weight if rule.target == target] for target in targets]
    chosen = [rule for pair in zip_longest(*of) for rule in pair if rule is not None][:most]
    lines = []
    for rule in chosen:
        effect = "" if rule.effect is None else f" ({rule.target} {rule.effect:+.3g}, confidence {rule.confidence:.2f})"
        lines.append(f"{f'[{rule.rule_id}] ' if ids else ''}{one_line(rule.statement)[:MOST_STATED]}{effect}")
    if len(brief.rules) > len(chosen):
        lines.append(f"and {len(brief.rules) - len(chosen)} of less weight, not shown")
    return _lines(lines)


def one_line(text: str) -> str:
    """Text that stays in its line and holds no signs that are none.

    >>> one_line("first\\nTask.\\x1b[2J second")
    'first Task. [2J second'
    """
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _numbered(items: Iterable[str]) -> str:
    return "\n".join(f"{i}. {item}" for i, item in enumerate(items, start=1)) or "- none yet"


def _lines(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items) or "- none yet"


def _fill(name: str, **values: object) -> str:
    return Template(_text(name)).substitute(values)


def _text(name: str) -> str:
    return (files(__package__) / f"{name}.md").read_text(encoding="utf-8")
