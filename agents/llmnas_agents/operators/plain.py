"""What the paper compares with (arXiv 2510.01472, fig. 1): the model is just asked, without niches or rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmnas_agents import prompts
from llmnas_agents.laboratory import LaboratoryClient
from llmnas_agents.llm.base import Prompt
from llmnas_agents.operators.answers import design_of
from llmnas_agents.operators.language import LanguageOperator
from llmnas_agents.operators.written import positions_of, values_of
from llmnas_mcp import results as r


class PlainPromptOperator(LanguageOperator):
    """Asked for good architectures."""

    roles = 1

    def introduce(self, space: r.SpaceInfo) -> str:
        """See LanguageOperator."""
        return prompts.laboratory(space, who="designer", tasks=False)

    async def reason(self, lab: LaboratoryClient, brief: r.Brief, round_: int) -> list[r.RuleEdit]:  # noqa: ARG002
        """No rules."""
        return []

    async def ask_design(self, lab: LaboratoryClient, brief: r.Brief, round_: int, count: int, check: Any) -> None:
        """See LanguageOperator."""
        prompt = Prompt(await self.shared(lab, brief), await self.task(lab, brief, count))
        answer = design_of(brief.example, values_of(brief), positions_of(brief), count, least=count)
        await self.correspondent.ask((round_, brief.niche, "design"), prompt, answer, check)

    async def task(self, lab: LaboratoryClient, brief: r.Brief, count: int) -> str:  # noqa: ARG002
        """This call's part of the prompt."""
        return prompts.plain(brief, count)


class LatencyPromptOperator(PlainPromptOperator):
    """Asked across targets of the first cost, spread evenly over the space's range on a log scale."""

    async def task(self, lab: LaboratoryClient, brief: r.Brief, count: int) -> str:
        """See PlainPromptOperator."""
        search = await lab.get_search(brief.search_id)
        high = min(search.cost_high[0], brief.limits.get(brief.objectives[0], search.cost_high[0]))
        low = max(search.cost_low[0], 1e-3 * high)
        return prompts.latency(brief, np.geomspace(low, high, count).tolist())
