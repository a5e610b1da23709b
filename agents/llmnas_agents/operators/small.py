"""The operator of a model too small to write architectures and rules: it chooses among what the laboratory offers.

The same round and the same two calls as in language.py. But a rule is an effect that statistics found, chosen by its
number, with a reason in the model's words; a design is a change of a parent, chosen by its number. A first member of a
niche cannot be had like that: those are bred.
"""

from __future__ import annotations

import functools
import operator
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field, create_model

from llmnas_agents import prompts
from llmnas_agents.laboratory import LaboratoryClient
from llmnas_agents.llm.base import Prompt
from llmnas_agents.operators.answers import Answer, Design, Proposal
from llmnas_agents.operators.language import LanguageOperator
from llmnas_agents.operators.written import places
from llmnas_agents.prompts import FEW
from llmnas_mcp import results as r

MOST_CHOSEN = 2  # effects a niche and round
WORDS = Field(pattern="^[A-Z][a-z]{0,11}( [a-z]{1,12}){3,7}$", description="a few words")


class Belief(Answer):
    """An effect that deserves to be a rule."""

    number: int
    reason: str = WORDS


class Beliefs(Answer):
    """What the model takes from the results."""

    chosen: list[Belief]


class Change(Answer):
    """Another value at one position of a parent."""

    parent: int
    position: str
    value: str
    reason: str = WORDS


class Changes(Answer):
    """New architectures, by what is changed."""

    offspring: list[Change]


@lru_cache(maxsize=256)
def beliefs_of(effects: int, most: int) -> type[Beliefs]:
    """The schema of at most `most` choices among numbered effects."""
    belief: Any = create_model("Chosen", __base__=Belief, number=(_one_of(range(1, effects + 1)), ...))
    return create_model("Beliefs", __base__=Beliefs, chosen=(list[belief], Field(max_length=most)))


def changes_of(parents: list[str], brief: r.Brief, count: int) -> type[Changes]:
    """The schema of `count` changes of numbered parents, none of which puts a value where it is already."""
    kinds: list[Any] = []
    allowed = {position: choice.values for choice in brief.choices for position in choice.positions}
    for number, parent in enumerate(parents, start=1):
        for position, (start, end) in places(parent, brief).items():
            others = [value for value in allowed[position] if value != parent[start:end]]
            if not others:
                continue
            names = {"parent": _one_of([number]), "position": _one_of([position]), "value": _one_of(others)}
            fields: Any = {name: (kind, ...) for name, kind in names.items()}
            kinds.append(create_model(f"Change{len(kinds)}", __base__=Change, **fields))
    any_of: Any = functools.reduce(operator.or_, kinds)
    many = Field(max_length=count, json_schema_extra={"minItems": count})
    return create_model("Changes", __base__=Changes, offspring=(list[any_of], many))


def changed(change: Change, parents: list[str], brief: r.Brief) -> Proposal:
    """What a change makes of the parent it names."""
    parent = parents[change.parent - 1]
    start, end = places(parent, brief)[change.position]
    made = parent[:start] + change.value + parent[end:]
    return Proposal(operator="mutation", parents=[change.parent], architecture=made, reason=change.reason)


class SmallModelOperator(LanguageOperator):
    """reason -> update_knowledge_base -> design -> submit_architectures, by choosing."""

    def introduce(self, space: r.SpaceInfo) -> str:
        """See LanguageOperator."""
        return prompts.laboratory(space, tasks=False)

    async def reason(self, lab: LaboratoryClient, brief: r.Brief, round_: int) -> list[r.RuleEdit]:
        """Make rules of the effects the model chooses; one on a rule's pattern and target revises that rule."""
        mined = await lab.call("mine_rules", r.Effects, search_id=brief.search_id, niche=brief.niche, round=round_)
        effects = mined.effects[:FEW]
        if not effects:
            return []
        most = min(MOST_CHOSEN, len(effects))
        prompt = Prompt(await self.shared(lab, brief), prompts.choose_rules(brief, effects, most))
        answer = beliefs_of(len(effects), most)

        async def check(found: Beliefs) -> tuple[str | None, int]:
            edits = [_edit(effects[belief.number - 1], belief.reason, brief) for belief in found.chosen]
            return await self.adopt(lab, brief, round_, edits)

        await self.correspondent.ask((round_, brief.niche, "reason"), prompt, answer, check)
        return []

    async def ask_design(self, lab: LaboratoryClient, brief: r.Brief, round_: int, count: int, check: Any) -> None:
        """See LanguageOperator."""
        parents = [parent.architecture for parent in brief.parents[:FEW]]
        if not parents:
            return
        count = min(count, FEW)
        brief = await self.with_new_rules(lab, brief, round_)
        prompt = Prompt(await self.shared(lab, brief), prompts.choose_changes(brief, count))
        answer = changes_of(parents, brief, count)

        async def checked(changes: Changes) -> tuple[str | None, int]:
            told: tuple[str | None, int] = await check(
                Design(offspring=[changed(change, parents, brief) for change in changes.offspring])
            )
            return told

        await self.correspondent.ask((round_, brief.niche, "design"), prompt, answer, checked)


def _edit(effect: r.Effect, reason: str, brief: r.Brief) -> r.RuleEdit:
    same = (rule for rule in brief.rules if (rule.pattern, rule.target) == (effect.pattern, effect.target))
    rule = next(same, None)
    return r.RuleEdit(
        action="revise" if rule else "add",
        rule_id=rule.rule_id if rule else None,
        statement=f"{effect.statement}: {reason}",
        **effect.model_dump(include={"pattern", "target", "effect", "confidence"}),
        evidence=effect.evidence[:10],
    )


def _one_of(values: Any) -> Any:
    one_of: Any = Literal  # made of values only known here
    return one_of[tuple(values)]
