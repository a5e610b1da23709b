"""A scripted scientist: it knows what the server told it and nothing else, and writes down what is said.

Which tool comes next, and with which arguments, it reads from a prompt and from the `next` of the last answer. What
these leave open (`...`) it fills in as the prompt advises, in the plainest way.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from mcp import Client

from tests.server.transcript import answered, rule_line, written

Answer = dict[str, Any]
Costs = dict[str, tuple[float, float]]  # from which cost to which, by objective
Design = tuple[str, Answer, Costs]  # an architecture, its origin, and between which costs it is to lie

CALL = re.compile(r"\b([a-z]+(?:_[a-z]+)+)\((.*?)\)")
ARGUMENT = re.compile(r'(\w+)=(\.\.\.|"[^"]*"|\[\]|[\w.]+)')
RULE = ("statement", "pattern", "target", "effect", "confidence", "evidence")
PLACE = ("space", "dataset", "device", "objective")  # what a cost depends on beside the architecture
NEW_RULES = {"score": 3}  # at most, a round; one on each cost
WEIGHTS = {"nor_conv_3x3": 9, "nor_conv_1x1": 1}  # how parameters of operations compare


def calls(text: str) -> Iterator[tuple[str, Answer]]:
    """The calls that a text writes out; an argument left open is `...`."""
    for tool, arguments in CALL.findall(text):
        yield tool, {name: ... if v == "..." else json.loads(v) for name, v in ARGUMENT.findall(arguments)}


class Scientist:
    """One conversation with the server."""

    support, confidence = 3, 0.75  # that an effect must have to become a rule, and the confidence it must exceed

    def __init__(self, client: Client) -> None:
        self.client = client
        self.transcript: list[str] = []
        self.answers: list[tuple[str, Answer, Answer]] = []  # tool, arguments, answer
        self._last: dict[str, Answer] = {}
        self._started: Answer = {}  # the settings of the search
        self._known: set[str] = set()  # what was submitted before, whatever became of it
        self._origins: list[Answer] = []
        self._designed_after: Answer | None = None  # the brief that designs were last made after

    def say(self, who: str, text: str) -> None:
        """Something said beside the calls."""
        self.transcript.append(f"**{who}:** {text}")

    async def take(self, prompt: str, **arguments: str) -> str:
        """Take a prompt."""
        text: str = (await self.client.get_prompt(prompt, arguments)).messages[0].content.text
        quoted = "\n".join(f"> {line}".rstrip() for line in text.splitlines())
        self.transcript.append(f"## Prompt `{prompt}({written(arguments)})`\n\n{quoted}")
        return text

    async def call(self, tool: str, **arguments: Any) -> Answer:
        """Call a tool."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content[0].text
        answer: Answer = result.structured_content or {"picture": result.content[0].mime_type}
        self.answers.append((tool, arguments, answer))
        self._last[tool] = answer
        self.transcript.append(answered(tool, arguments, answer))
        return answer

    async def search(self, prompt: str, **wishes: Any) -> Answer:
        """From the first call a prompt names to the front, as each answer's `next` says; returns the front."""
        tool, arguments = next(calls(prompt))
        arguments |= wishes
        while True:
            for name in [name for name, value in arguments.items() if value is ...]:
                arguments[name] = await getattr(self, f"_fill_{name}")()
            answer = await self.call(tool, **arguments)
            if tool == "start_search":
                self._started = arguments
            if tool == "compute_pareto_front":
                return answer
            tool, arguments = next(calls(answer["next"]))

    async def _fill_edits(self) -> list[Answer]:
        """New rules of the strongest effects that are sure enough; old ones revised, or retired."""
        rules = {(rule["target"], str(rule["pattern"])): rule for rule in self._last["get_brief"]["rules"]}
        found = sorted(self._last["mine_rules"]["effects"], key=lambda e: (-round(abs(e["effect"]), 6), e["statement"]))
        edits: list[Answer] = []
        for effect in found:
            rule = rules.get((effect["target"], str(effect["pattern"])))
            sure = effect["confidence"] > self.confidence and effect["support"] >= self.support
            new = sum(e["action"] == "add" and e["target"] == effect["target"] for e in edits)
            content = {name: effect[name] for name in RULE}
            if rule and not sure:
                edits.append({"action": "retire", "rule_id": rule["rule_id"]})
                self.say("Scientist", f"Retire {rule['rule_id']}: {rule['statement']} is not sure any more.")
            elif rule and abs(rule["effect"] - effect["effect"]) > (effect["high"] - effect["low"]) / 4:
                edits.append({"action": "revise", "rule_id": rule["rule_id"], **content})
                self.say("Scientist", f"Revise {rule['rule_id']}: {rule_line(content)}.")
            elif sure and not rule and new < NEW_RULES.get(effect["target"], 1):
                edits.append({"action": "add", **content})
                self.say("Scientist", f"Add: {rule_line(content)}.")
        if not edits:
            self.say("Scientist", "No effect says anything new that is sure enough.")
        return edits

    async def _fill_architectures(self) -> list[str]:
        """Half of them designed, the rest as bred; all bred where designs after this brief were refused."""
        brief = self._last["get_brief"]
        chosen = [(o["architecture"], o["origin"]) for o in self._last["breed_architectures"]["offspring"]]
        if brief is not self._designed_after:
            self._designed_after = brief
            own = await self._designs(brief, (len(chosen) + 1) // 2, {architecture for architecture, _ in chosen})
            chosen = own + chosen[: len(chosen) - len(own)]
        self._origins = [origin for _, origin in chosen]
        self._known |= {architecture for architecture, _ in chosen}
        return [architecture for architecture, _ in chosen]

    async def _fill_origins(self) -> list[Answer]:
        return self._origins

    def ideas(self, brief: Answer) -> list[Design]:
        """What might be tried in a niche, the best first."""
        by_turns = zip_longest(_mutated(brief), _crossed(brief))
        return [idea for turn in by_turns for idea in turn if idea] if brief["parents"] else [_first(brief)]

    async def _designs(self, brief: Answer, count: int, bred: set[str]) -> list[tuple[str, Answer]]:
        """Designs of one's own: along the rules and into gaps; new, and by their price where they should be."""
        ideas = self.ideas(brief)
        seen = self._known | bred | {m["architecture"] for m in brief["parents"]}
        new = {idea[0]: idea for idea in ideas if idea[0] not in seen}
        ideas = list(new.values())[: 3 * count]
        if not ideas:
            return []
        where = {name: value for name, value in self._started.items() if name in PLACE}
        asked = {"architectures": [idea[0] for idea in ideas], **where}
        fits = [True] * len(ideas)
        for objective in brief["objectives"]:
            if len(brief["objectives"]) > 1:
                asked["objective"] = objective
            prices = (await self.call("query_latency", **asked))["results"]
            for i, price in enumerate(prices):
                low, high = ideas[i][2].get(objective, (0, math.inf))
                fits[i] &= low < price["value"] < high
        fit = [idea for idea, fits_in in zip(ideas, fits, strict=True) if fits_in][:count]
        for architecture, origin, _ in fit:
            self.say("Scientist", f"{origin['operator'].capitalize()}, {origin['reason']}: {architecture}")
        return [(architecture, origin) for architecture, origin, _ in fit]


class Namer(Scientist):
    """For spaces whose architectures name their positions: `position=value,...`. Of many, results of each are few."""

    support, confidence = 2, 0.6

    def ideas(self, brief: Answer) -> list[Design]:
        """What rules praise, put into each parent; where nothing is known, the example."""
        if not brief["parents"]:
            return [_first(brief)]
        ideas = []
        for rule in brief["rules"]:
            if (rule["effect"] > 0) == (rule["target"] == "score"):
                for parent in brief["parents"]:
                    chosen = dict(pair.split("=") for pair in parent["architecture"].split(",")) | rule["pattern"]
                    made = ",".join(f"{position}={value}" for position, value in chosen.items())
                    reason = {"parents": [parent["architecture"]], "reason": rule["statement"]}
                    ideas.append((made, {"operator": "mutation", **reason}, _allowed(brief)))
        return ideas


def _allowed(brief: Answer) -> Costs:
    """What the limits on the objectives leave."""
    return {name: (0, limit) for name, limit in brief["limits"].items() if name in brief["objectives"]}


def _first(brief: Answer) -> Design:
    """Where nothing is known, the example."""
    return brief["example"], {"operator": "fresh", "reason": "the example to begin with"}, _allowed(brief)


def _crossed(brief: Answer) -> Iterator[Design]:
    """Into each gap: the inner half of the parent at one end, the half before the output of the other's."""
    weights = [_weight(_operations(m["architecture"])) for m in brief["parents"]]
    units = dict(zip(brief["objectives"], brief["units"], strict=True))
    for gap in brief["gaps"]:
        low, high, of = gap["cost_from"], gap["cost_to"], gap["objective"]
        by_cost = {m.get("costs", {}).get(of, m["cost"]): m["architecture"] for m in brief["parents"]}
        if low in by_cost and high in by_cost:
            for one, other in ((by_cost[low], by_cost[high]), (by_cost[high], by_cost[low])):
                operations = _operations(one)[:3] + _operations(other)[3:]
                if min(weights) <= _weight(operations) <= max(weights):
                    reason = f"into the gap from {low:.3g} to {high:.3g} {units[of]}"
                    origin = {"operator": "crossover", "parents": [one, other], "reason": reason}
                    yield _cell(brief["example"], operations), origin, _allowed(brief) | {of: (low, high)}


def _mutated(brief: Answer) -> Iterator[Design]:
    """What a rule praises, put into each parent by changing places with what stands there: parameters stay."""
    for rule in brief["rules"]:
        if (rule["effect"] > 0) != (rule["target"] == "score"):
            continue
        for parent in brief["parents"]:
            operations = _operations(parent["architecture"])
            for position, operation in rule["pattern"].items():
                i = _positions(brief).index(position)
                if operation in operations:
                    j = operations.index(operation)
                    operations[i], operations[j] = operations[j], operations[i]
            origin = {"operator": "mutation", "parents": [parent["architecture"]], "reason": rule["statement"]}
            yield _cell(brief["example"], operations), origin, _allowed(brief)


def _positions(brief: Answer) -> list[str]:
    return [position for choice in brief["choices"] for position in choice["positions"]]


def _operations(architecture: str) -> list[str]:
    return re.findall(r"(\w+)~", architecture)


def _weight(operations: list[str]) -> int:
    return sum(WEIGHTS.get(operation, 0) for operation in operations)


def _cell(example: str, operations: list[str]) -> str:
    """Operations, written the way the example is."""
    rest = iter(operations)
    return re.sub(r"\w+~", lambda _: f"{next(rest)}~", example)
