"""How a conversation reads: each call with its arguments and the gist of its answer, numbers rounded."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from llmnas_mcp.devices import UNITS

Answer = dict[str, Any]


def answered(tool: str, arguments: Answer, answer: Answer) -> str:
    """A call and its answer."""
    told = [f"`{tool}({written(arguments)})`", "", *(f"- {line}" for line in GISTS[tool](answer))]
    return "\n".join([*told, f"- next: {answer['next']}"] if answer.get("next") else told)


def written(arguments: Answer) -> str:
    """Arguments as one would write them down; of lists, but for objectives, only how long they are."""
    return ", ".join(
        f"{name}=[{len(value)}]" if isinstance(value, list) and name != "objective" else f"{name}={json.dumps(value)}"
        for name, value in arguments.items()
    )


def rule_line(rule: Answer) -> str:
    """A rule in a line."""
    evidence = f"evidence in {len(rule['evidence'])} architectures"
    return f"{rule['statement']} by {abs(rule['effect']):.2g}, confidence {rule['confidence']:.2f}, {evidence}"


def _point(point: Answer) -> str:
    several = [f"{cost:.3g} {UNITS[name]}" for name, cost in point.get("costs", {}).items()]
    costs = ", ".join(several) or f"{point['cost']:.3g} {point['unit']}"
    return f"{point['architecture']} score {point['score']:.3f}, {costs}"


def _of(size: int | None) -> str:
    return "" if size is None else f" of {size}"


def _error(error: float | None) -> str:
    return "exact" if error is None else f"error {error:.1%}"


def _niches(answer: Answer) -> list[str]:
    return [
        f"niche {n['niche']}: {n['params_low_m']:.3f} to {n['params_high_m']:.3f} M parameters, {n['members']}"
        f"{_of(n['size'])} evaluated, {n['rules']} rules, share {n['share']}"
        for n in answer["niches"]
    ]


def _search(answer: Answer) -> list[str]:
    grown = ", ".join(f"{h['hypervolume']:.3f} after round {h['round']}" for h in answer["history"])
    done = "done" if answer["done"] else "not done"
    return [
        f"{answer['used']} of {answer['evaluations']} evaluations used, {done}",
        f"hypervolume {grown}",
        *_niches(answer),
    ]


def _brief(answer: Answer) -> list[str]:
    gaps = ", ".join(f"{g['cost_from']:.3g} to {g['cost_to']:.3g} {UNITS[g['objective']]}" for g in answer["gaps"])
    parents = answer["parents"]
    untried = "uncounted" if answer["untried"] is None else answer["untried"]
    return [
        f"round {answer['round']}, share {answer['share']}, {untried} untried",
        *(f"parent: {_point(m)}" for m in parents[:3]),
        *([f"{len(parents) - 3} more parents"] if len(parents) > 3 else []),
        *([f"gaps: {gaps}"] if gaps else []),
        *(f"rule {rule['rule_id']}: {rule_line(rule)}" for rule in answer["rules"]),
    ]


def _knowledge(answer: Answer) -> list[str]:
    became = "".join(f", {edit['rule_id']} {edit['status']}" for edit in answer["results"])
    return [f"version {answer['version']}, {answer['active']} rules in force{became}"]


def _bred(answer: Answer) -> list[str]:
    counts = Counter(o["origin"]["operator"] for o in answer["offspring"])
    return [", ".join(f"{count} {operator}" for operator, count in sorted(counts.items()))]


def _submission(answer: Answer) -> list[str]:
    return [
        f"{answer['used']} evaluations used, {answer['left']} left",
        *(
            f"kept: {_point(s)}" if s["status"] == "kept" else f"{s['status']}: {s['architecture']} {s['reason']}"
            for s in answer["results"]
        ),
    ]


def _front(answer: Answer) -> list[str]:
    near = sum(point["near"] for point in answer["front"])
    return [
        f"{len(answer['front']) - near} on the front and {near} near it; hypervolume {answer['hypervolume']:.3f}"
        + ("" if answer["share"] is None else f", that is {answer['share']:.3f} of the {answer['reference']}"),
        *(_point(point) + ", near" * point["near"] for point in answer["front"]),
    ]


def _costs(answer: Answer) -> list[str]:
    costs = answer["results"]
    told = [f"{cost['architecture']} {cost['value']:.3g} {cost['unit']}" for cost in costs]
    return [*told, f"from {costs[0]['source']}, {_error(costs[0]['error'])}"]


def _spaces(answer: Answer) -> list[str]:
    return [
        f"{s['space']}: {s['size']:.3g} architectures such as {s['short']}, in short; for {', '.join(s['datasets'])}"
        for s in answer["spaces"]
    ]


GISTS = {
    "list_spaces": _spaces,
    "start_search": _niches,
    "get_search": _search,
    "get_brief": _brief,
    "mine_rules": lambda answer: [f"{len(answer['effects'])} effects in {answer['results_used']} results"],
    "update_knowledge_base": _knowledge,
    "breed_architectures": _bred,
    "query_latency": _costs,
    "submit_architectures": _submission,
    "compute_pareto_front": _front,
    "plot_pareto_front": lambda answer: [answer["picture"]],
    "score_zero_cost": lambda answer: [
        f"{w['name']}: Spearman {w['spearman']:.3f} ({w['spearman_95'][0]:.3f} to {w['spearman_95'][1]:.3f})"
        for w in answer["worth"]
    ],
    "export_architecture": lambda answer: [f"{answer['filename']}, {len(answer['code'].splitlines())} lines"],
}
