"""The operator of the paper (arXiv 2510.01472): a language model reasons about rules and designs architectures.

What it says is data. Rules go through update_knowledge_base, architectures through submit_architectures, which check
them like anyone's. What the laboratory refuses is sent back once with the reasons; then what is missing is bred.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from llmnas_agents import prompts
from llmnas_agents.laboratory import LaboratoryClient
from llmnas_agents.llm.base import Prompt
from llmnas_agents.llm.correspondent import Correspondent
from llmnas_agents.operators.base import Operator
from llmnas_agents.prompts import MOST_PARENTS
from llmnas_mcp import results as r

MOST_EDITS = 6
MOST_REASONS = 12  # refused architectures that are named when a design is sent back


class Answer(BaseModel):
    """What a model is asked for; nothing more may be in it."""

    model_config = ConfigDict(extra="forbid")


class Choice(Answer):
    """An operation at a position."""

    position: str
    operation: str


class Edit(Answer):
    """One change of the rules."""

    action: Literal["add", "revise", "retire"]
    rule_id: str | None = Field(description="null to add")
    statement: str = Field(max_length=200, description="one sentence")
    pattern: list[Choice] = Field(max_length=3)
    target: Literal["score", "cost"]
    effect: float | None = Field(ge=-1e6, le=1e6)
    confidence: float = Field(ge=0, le=1)
    evidence: list[int] = Field(max_length=4, description="numbers of members")


class Reasoning(Answer):
    """What follows from the results."""

    edits: list[Edit]


class Proposal(Answer):
    """One new architecture and where it comes from."""

    operator: Literal["mutation", "crossover", "fresh"]
    parents: list[int] = Field(max_length=2, description="numbers of parents")
    architecture: str
    reason: str = Field(max_length=160, description="one sentence")


class Design(Answer):
    """New architectures."""

    offspring: list[Proposal]


@lru_cache(maxsize=256)
def reasoning_of(
    positions: tuple[str, ...], operations: tuple[str, ...], rules: tuple[str, ...], most: int
) -> type[Reasoning]:
    """The schema of at most `most` edits of these rules."""
    one_of: Any = Literal  # made of values only known here
    choice: Any = create_model(
        "Where", __base__=Choice, position=(one_of[positions], ...), operation=(one_of[operations], ...)
    )
    edit: Any = create_model(
        "Change",
        __base__=Edit,
        rule_id=(one_of[rules] | None if rules else None, Field(description="null to add")),
        pattern=(list[choice], Field(max_length=3)),
    )
    return create_model("Reasoning", __base__=Reasoning, edits=(list[edit], Field(max_length=most)))


@lru_cache(maxsize=256)
def design_of(example: str, operations: tuple[str, ...], count: int) -> type[Design]:
    """The schema of a design of `count` architectures written like the example.

    That there are as many is asked for in the schema and not enforced: fewer are better than none.

    >>> schema = design_of("|a~0|+|b~1|", ("a", "b"), 2).model_json_schema()
    >>> print(schema["$defs"]["Written"]["properties"]["architecture"]["pattern"])
    ^\\|(a|b)\\~0\\|\\+\\|(a|b)\\~1\\|$
    """
    choice = "|".join(map(re.escape, operations))
    parts = re.split(f"(?:{choice})", example)
    pattern = "^" + f"({choice})".join(map(re.escape, parts)) + "$"
    written: Any = create_model(
        "Written", __base__=Proposal, architecture=(str, Field(pattern=pattern, max_length=400))
    )
    many = Field(max_length=count, json_schema_extra={"minItems": count})
    return create_model("Design", __base__=Design, offspring=(list[written], many))


class LanguageOperator(Operator):
    """reason -> update_knowledge_base -> design -> submit_architectures: two calls of a model a niche and round."""

    def __init__(self, name: str, correspondent: Correspondent) -> None:
        self.name = name  # type: ignore[misc]
        self.correspondent = correspondent
        self._shared: str | None = None

    async def reason(self, lab: LaboratoryClient, brief: r.Brief, round_: int) -> list[r.RuleEdit]:
        """The model's edits; none before there are results, or where its answer is of no use."""
        mined = await lab.call("mine_rules", r.Effects, search_id=brief.search_id, niche=brief.niche, round=round_)
        if not mined.results_used:
            return []
        prompt = Prompt(await self.shared(lab, brief), prompts.reason(brief, mined, round_, MOST_EDITS))
        rules = tuple(rule.rule_id for rule in brief.rules)
        answer = reasoning_of(tuple(brief.positions), tuple(brief.operations), rules, MOST_EDITS)
        found = await self.correspondent.ask((round_, brief.niche, "reason"), prompt, answer)
        return [_edit(edit, brief) for edit in found.edits] if found else []

    async def ask_design(self, lab: LaboratoryClient, brief: r.Brief, round_: int, count: int, check: Any) -> None:
        """Ask for `count` architectures; `check` takes what comes."""
        prompt = Prompt(await self.shared(lab, brief), prompts.design(brief, round_, count))
        answer = design_of(brief.example, tuple(brief.operations), count)
        await self.correspondent.ask((round_, brief.niche, "design"), prompt, answer, check)

    async def design(self, lab: LaboratoryClient, brief: r.Brief, round_: int, share: int) -> list[r.Offspring]:
        """Have the model's designs submitted, each with its reason; return bred ones for what is still missing."""
        where = {"search_id": brief.search_id, "niche": brief.niche, "round": round_}
        kept: set[str] = set()

        async def check(answer: Design) -> tuple[str | None, int]:
            wanted = answer.offspring[: share - len(kept)]
            sent = await lab.call(
                "submit_architectures",
                r.Submission,
                **where,
                architectures=[p.architecture for p in wanted],
                origins=[
                    {"operator": p.operator, "parents": _named(p.parents, brief), "reason": p.reason} for p in wanted
                ],
            )
            here = f"evaluated in round {round_}"  # as a resumed round finds what it had submitted
            bad = []
            for found in sent.results:
                if (
                    found.architecture in kept
                ):  # whatever the laboratory says of it: a resumed round asks the same again
                    bad.append(f"{found.architecture[:120]}: submitted more than once")
                elif found.status == "kept" or found.reason == here:
                    kept.add(found.architecture)
                else:
                    bad.append(f"{found.architecture[:120]}: {found.reason}")
            missing = share - len(kept)
            if not missing:
                return None, len(bad)
            refused = "; ".join(bad[:MOST_REASONS])
            return f"{missing} more are needed. Refused: {refused or 'none, but there were too few'}.", len(bad)

        await self.ask_design(lab, brief, round_, share, check)
        missing = share - len(kept)
        if not missing:
            return []
        bred = await lab.call(
            "breed_architectures",
            r.Bred,
            search_id=brief.search_id,
            niche=brief.niche,
            count=share + len(kept),
            round=round_,
        )
        return [o for o in bred.offspring if o.architecture not in kept][:missing]

    async def shared(self, lab: LaboratoryClient, brief: r.Brief) -> str:
        """The part of every prompt that is the same."""
        if self._shared is None:
            spaces = (await lab.call("list_spaces", r.Spaces)).spaces
            self._shared = prompts.laboratory(next(s for s in spaces if s.example == brief.example))
        return self._shared


def _named(numbers: list[int], brief: r.Brief) -> list[str]:
    """The architectures that numbers of a prompt stand for; other numbers stand for nothing."""
    return [brief.parents[i - 1].architecture for i in numbers if 1 <= i <= min(len(brief.parents), MOST_PARENTS)]


def _edit(edit: Edit, brief: r.Brief) -> r.RuleEdit:
    if edit.action == "retire":
        return r.RuleEdit(action="retire", rule_id=edit.rule_id)
    return r.RuleEdit(
        action=edit.action,
        rule_id=edit.rule_id if edit.action == "revise" else None,
        statement=edit.statement,
        pattern={choice.position: choice.operation for choice in edit.pattern},
        target=edit.target,
        effect=edit.effect,
        confidence=edit.confidence,
        evidence=_named(edit.evidence, brief),
    )
