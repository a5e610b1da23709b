"""A scripted scientist behind the stub: reads the prompt like a model would, and answers with legal JSON."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from tests.agents.stub_anthropic import Answer, Request

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
FORM = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"


def question(request: Request) -> str:
    """The last thing that was asked."""
    return str(request.body["messages"][-1]["content"])


def is_design(request: Request) -> bool:
    return "offspring" in json.dumps(request.body["output_config"]["format"]["schema"])


def scientist(request: Request) -> Answer:
    """Designs by changing one operation of a parent, or at random without parents; adds a rule on 3x3 convolutions."""
    asked = str(request.body["messages"][0]["content"])
    rng = random.Random(json.dumps(request.body["messages"]))
    if not is_design(request):
        return Answer(json.dumps({"edits": [rule()]}))
    count = int(re.search(r"(?:designing\.|Propose) (\d+)", asked)[1])
    parents = re.findall(r"^\d+\. (\S+) score", asked, re.M)
    return Answer(json.dumps({"offspring": [proposal(rng, parents) for _ in range(count)]}))


def rule(**changed: Any) -> dict[str, Any]:
    return {
        "action": "add",
        "rule_id": None,
        "statement": "A 3x3 convolution from input to output raises the score",
        "pattern": [{"position": "0->3", "value": "nor_conv_3x3"}],
        "target": "score",
        "effect": 0.2,
        "confidence": 0.7,
        "evidence": [1],
        **changed,
    }


def proposal(rng: random.Random, parents: list[str]) -> dict[str, Any]:
    if not parents:
        cell = [rng.choice(OPERATIONS) for _ in range(6)]
        return {"architecture": FORM.format(*cell), "operator": "fresh", "parents": [], "reason": "to see"}
    number = rng.randrange(len(parents))
    cell = re.findall(r"[a-z_0-9]+(?=~)", parents[number])
    cell[rng.randrange(6)] = rng.choice(OPERATIONS)
    return {
        "architecture": FORM.format(*cell),
        "operator": "mutation",
        "parents": [number + 1],
        "reason": "one change",
    }
