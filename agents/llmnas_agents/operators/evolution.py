"""The operator that needs no language model: rules by statistics, offspring by rule-guided mutation and crossover."""

from __future__ import annotations

from typing import ClassVar

from llmnas_agents.laboratory import LaboratoryClient
from llmnas_agents.operators.base import Operator
from llmnas_mcp import results as r

# A rule is rewritten when its effect has moved by this part of its 95 % interval; less is noise, not news.
NEWS = 0.25
# Its first rounds take one and two parts of so many of their shares: most of what begins a search is then bred from
# results of all niches. An operator that asks a model would pay for such rounds with calls.
PARTS = 3


class EvolutionOperator(Operator):
    """mine_rules -> update_knowledge_base -> breed_architectures -> submit_architectures."""

    name: ClassVar[str] = "evolution"
    concurrency: ClassVar[int | None] = 1  # pure computing: side by side, niches only wait for the interpreter's lock

    async def reason(self, lab: LaboratoryClient, brief: r.Brief, round_: int) -> list[r.RuleEdit]:
        """Adopt every mined effect; drop the rules that are not found any more."""
        mined = await lab.call("mine_rules", r.Effects, search_id=brief.search_id, niche=brief.niche, round=round_)
        return edits_for(brief.rules, mined.effects)

    async def design(self, lab: LaboratoryClient, brief: r.Brief, round_: int, share: int) -> list[r.Offspring]:
        """Take what the laboratory breeds, in the first rounds for a part of the share."""
        count = -(-share * min(round_, PARTS) // PARTS)
        bred = await lab.call(
            "breed_architectures", r.Bred, search_id=brief.search_id, niche=brief.niche, count=count, round=round_
        )
        return bred.offspring


def edits_for(rules: list[r.Rule], effects: list[r.Effect]) -> list[r.RuleEdit]:
    """The edits that bring this operator's rules in line with the effects; the rules of others are left alone."""
    own = {rule.statement: rule for rule in rules if rule.author == EvolutionOperator.name}
    edits = []
    for effect in effects:
        rule = own.pop(effect.statement, None)
        content = effect.model_dump(include={"statement", "pattern", "target", "effect", "confidence", "evidence"})
        if rule is None:
            edits.append(r.RuleEdit(action="add", **content))
        elif abs((rule.effect or 0.0) - effect.effect) > NEWS * (effect.high - effect.low):
            edits.append(r.RuleEdit(action="revise", rule_id=rule.rule_id, **content))
    return edits + [r.RuleEdit(action="retire", rule_id=rule.rule_id) for rule in own.values()]
