"""The report of a search: the laboratory's page, with what a language model cost, which only the agents know."""

from __future__ import annotations

import json

from llmnas_agents.laboratory import LaboratoryClient
from llmnas_agents.llm.exchanges import Ledger

PLACE = '<script type="application/json" id="ledger">{}</script>'


async def report_page(lab: LaboratoryClient, search_id: str, used: Ledger) -> str:
    """The page as HTML. Raises LabError for a search that is not there."""
    page = await lab.read(f"llmnas://searches/{search_id}/report")
    return page.replace(PLACE.format("null"), PLACE.format(json.dumps(used.as_json())), 1)
