"""What every operator does: one niche's part of one round, by the laboratory's tools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from llmnas_agents.laboratory import LaboratoryClient
from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError


class Operator(ABC):
    """A way to search. Subclasses say how rules are learnt (`reason`) and architectures made (`design`)."""

    name: ClassVar[str]
    # How many niches are worked in at once; None: all. Waiting for a language model is what gains from company.
    concurrency: ClassVar[int | None] = None
    # Whether it keeps a knowledge base at all. One that does not is for comparison.
    learns: bool = True

    @abstractmethod
    async def reason(self, lab: LaboratoryClient, brief: r.Brief, round_: int) -> list[r.RuleEdit]:
        """Read the results of the rounds before and say how the niche's rules are to change."""

    @abstractmethod
    async def design(self, lab: LaboratoryClient, brief: r.Brief, round_: int, share: int) -> list[r.Offspring]:
        """Propose at most `share` architectures."""

    async def _learn(self, lab: LaboratoryClient, where: dict[str, Any], tries: int = 3) -> r.Brief:
        """Reason and update the knowledge base; again from a new brief when someone else was faster."""
        # As it was before the round: a model's recorded answers speak of members and rules by what it was shown.
        brief = await lab.get_brief(where["search_id"], where["niche"], where["round"])
        if not self.learns:
            return brief
        try:
            edits = await self.reason(lab, brief, where["round"])
            if edits:
                await self.update(lab, brief, where["round"], edits)
        except LabError as error:
            if "someone else" not in str(error) or tries == 1:
                raise
            return await self._learn(lab, where, tries - 1)
        return brief

    async def update(self, lab: LaboratoryClient, brief: r.Brief, round_: int, edits: list[r.RuleEdit]) -> r.Knowledge:
        """Send edits to the knowledge base."""
        return await lab.call(
            "update_knowledge_base",
            r.Knowledge,
            search_id=brief.search_id,
            niche=brief.niche,
            round=round_,
            edits=[edit.model_dump(mode="json", exclude_unset=True) for edit in edits],
            author=self.name,
        )

    async def work(self, lab: LaboratoryClient, search_id: str, round: int, niche: int, share: int) -> None:  # noqa: A002
        """Reason, update the knowledge base, design, submit."""
        where = {"search_id": search_id, "niche": niche, "round": round}
        brief = await self._learn(lab, where)
        offspring = await self.design(lab, brief, round, share)
        if not offspring:
            return
        await lab.call(
            "submit_architectures",
            r.Submission,
            **where,
            architectures=[o.architecture for o in offspring],
            origins=[o.origin.model_dump(mode="json") for o in offspring],
        )
