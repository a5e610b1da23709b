"""The operator of the paper (arXiv 2510.01472): a language model reasons about rules and designs architectures.

What it says is data. Rules go through update_knowledge_base, architectures through submit_architectures, which check
them like anyone's. What the laboratory refuses is sent back once with the reasons; then what is missing is bred.
"""

from __future__ import annotations

from typing import Any

from llmnas_agents import prompts
from llmnas_agents.laboratory import LaboratoryClient
from llmnas_agents.llm.base import Prompt
from llmnas_agents.llm.correspondent import Correspondent
from llmnas_agents.operators.answers import MOST_DESIGNS, MOST_EDITS, Design, Edit, Reasoning, design_of, reasoning_of
from llmnas_agents.operators.base import Operator
from llmnas_agents.operators.written import positions_of, targets_of, values_of
from llmnas_agents.prompts import MOST_PARENTS, one_line
from llmnas_mcp import results as r

MOST_BRED = 1000  # that breed_architectures gives at once
MOST_REASONS = 6  # refused architectures or edits that are named when an answer is sent back


class LanguageOperator(Operator):
    """reason -> update_knowledge_base -> design -> submit_architectures: two calls of a model a niche and round."""

    roles = 2  # how often the model is asked a niche and round

    def __init__(self, name: str, correspondent: Correspondent) -> None:
        self.name = name  # type: ignore[misc]
        self.correspondent = correspondent
        self._shared: str | None = None

    async def work(self, lab: LaboratoryClient, search_id: str, round: int, niche: int, share: int) -> None:  # noqa: A002
        """See Operator; raises LimitError where the deadline has passed."""
        with self.correspondent.working():
            await self.correspondent.in_time()
            await super().work(lab, search_id, round, niche, share)

    async def reason(self, lab: LaboratoryClient, brief: r.Brief, round_: int) -> list[r.RuleEdit]:
        """Ask the model for edits and make them, where there are results. What is left to make is nothing."""
        mined = await lab.call("mine_rules", r.Effects, search_id=brief.search_id, niche=brief.niche, round=round_)
        if not mined.results_used:
            return []
        prompt = Prompt(await self.shared(lab, brief), prompts.reason(brief, mined, round_, MOST_EDITS))
        answer = reasoning_of(positions_of(brief), values_of(brief), targets_of(brief))

        async def check(found: Reasoning) -> tuple[str | None, int]:
            unknown = [f"{e.statement}: {problem}" for e in found.edits if (problem := _unknown(e.evidence, brief))]
            if unknown:
                return f"Not in the list of members: {'; '.join(unknown[:MOST_REASONS])}.", len(unknown)
            return await self.adopt(lab, brief, round_, [_edit(edit, brief) for edit in found.edits])

        await self.correspondent.ask((round_, brief.niche, "reason"), prompt, answer, check)
        return []

    async def adopt(
        self, lab: LaboratoryClient, brief: r.Brief, round_: int, edits: list[r.RuleEdit]
    ) -> tuple[str | None, int]:
        """Make edits; what to tell the model of those that are refused, and how many these are."""
        if not edits:
            return None, 0
        known = await self.update(lab, brief, round_, edits)
        refused = [
            f"{edit.action} {one_line(edit.rule_id or edit.statement or '')[:80]!r}: {result.reason}"
            for edit, result in zip(edits, known.results, strict=True)
            if result.status == "refused"
        ]
        if not refused:
            return None, 0
        return f"Refused edits, to be mended or left out: {'; '.join(refused[:MOST_REASONS])}.", len(refused)

    async def ask_design(self, lab: LaboratoryClient, brief: r.Brief, round_: int, count: int, check: Any) -> None:
        """Ask for `count` architectures; `check` takes what comes."""
        brief = await self.with_new_rules(lab, brief, round_)
        prompt = Prompt(await self.shared(lab, brief), prompts.design(brief, round_, count))
        answer = design_of(brief.example, values_of(brief), positions_of(brief))
        await self.correspondent.ask((round_, brief.niche, "design"), prompt, answer, check)

    async def with_new_rules(self, lab: LaboratoryClient, brief: r.Brief, round_: int) -> r.Brief:
        """The brief with the rules of this round too; all else as it was before it."""
        after = await lab.get_brief(brief.search_id, brief.niche, round_ + 1)
        return brief.model_copy(update={"rules": after.rules})

    async def design(self, lab: LaboratoryClient, brief: r.Brief, round_: int, share: int) -> list[r.Offspring]:
        """Have the model's designs submitted, each with its reason; return bred ones for what is still missing."""
        where = {"search_id": brief.search_id, "niche": brief.niche, "round": round_}
        asked = min(share, MOST_DESIGNS)
        kept: set[str] = set()

        async def check(answer: Design) -> tuple[str | None, int]:
            bad = [
                f"{p.architecture[:120]}: {problem}"
                for p in answer.offspring
                if (problem := _unknown(p.parents, brief))
            ]
            wanted = [p for p in answer.offspring if not _unknown(p.parents, brief)][: asked - len(kept)]
            sent = await lab.call(
                "submit_architectures",
                r.Submission,
                **where,
                architectures=[p.architecture for p in wanted],
                origins=[
                    {"operator": p.operator, "parents": _named(p.parents, brief), "reason": _own(p.reason)}
                    for p in wanted
                ],
            )
            here = f"evaluated in round {round_}"  # as a resumed round finds what it had submitted
            for found in sent.results:
                if (
                    found.architecture in kept
                ):  # whatever the laboratory says of it: a resumed round asks the same again
                    bad.append(f"{found.architecture[:120]}: submitted more than once")
                elif found.status == "kept" or found.reason == here:
                    kept.add(found.architecture)
                else:
                    bad.append(f"{found.architecture[:120]}: {found.reason}")
            missing = asked - len(kept)
            if not missing:
                return None, len(bad)
            refused = "; ".join(bad[:MOST_REASONS])
            return f"{missing} more are needed. Refused: {refused or 'none, but there were too few'}.", len(bad)

        await self.ask_design(lab, brief, round_, asked, check)
        missing = share - len(kept)
        if not missing:
            return []
        bred = await lab.call(
            "breed_architectures",
            r.Bred,
            search_id=brief.search_id,
            niche=brief.niche,
            count=min(share + len(kept), MOST_BRED),
            round=round_,
        )
        return [o for o in bred.offspring if o.architecture not in kept][:missing]

    async def shared(self, lab: LaboratoryClient, brief: r.Brief) -> str:
        """The part of every prompt that is the same."""
        if self._shared is None:
            spaces = (await lab.call("list_spaces", r.Spaces)).spaces
            self._shared = self.introduce(next(s for s in spaces if s.example == brief.example))
        return self._shared

    def introduce(self, space: r.SpaceInfo) -> str:
        """What that part says."""
        return prompts.laboratory(space)


def _unknown(numbers: list[int], brief: r.Brief) -> str | None:
    """Which of a prompt's numbers there are not."""
    most = min(len(brief.parents), MOST_PARENTS)
    wrong = [number for number in numbers if not 1 <= number <= most]
    return f"there is no number {', '.join(str(n)[:12] for n in wrong)} (1 to {most})" if wrong else None


def _named(numbers: list[int], brief: r.Brief) -> list[str]:
    """The architectures that numbers of a prompt stand for."""
    return [brief.parents[number - 1].architecture for number in numbers]


def _own(reason: str) -> str:
    """A model's reason, which never reads as if it had been bred."""
    return "" if reason == r.BRED else reason


def _edit(edit: Edit, brief: r.Brief) -> r.RuleEdit:
    if edit.action == "retire":
        return r.RuleEdit(action="retire", rule_id=edit.rule_id)
    return r.RuleEdit(
        action=edit.action,
        rule_id=edit.rule_id if edit.action == "revise" else None,
        statement=edit.statement,
        pattern={choice.position: choice.value for choice in edit.pattern},
        target=edit.target,
        effect=edit.effect,
        confidence=edit.confidence,
        evidence=_named(edit.evidence, brief),
    )
