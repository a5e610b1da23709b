"""Tools on one niche of a search: what a scientist does in a round."""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.server.mcpserver import Context
from pydantic import Field

from llmnas_mcp import results as r
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.server.arguments import Architectures, Limit, Niche, Offset, Round, SearchId
from llmnas_mcp.server.progress import reporter
from llmnas_mcp.server.toolbox import Toolbox


def register(box: Toolbox, lab: Laboratory) -> None:
    """Add these tools."""

    @box.tool("Brief on a niche")
    def get_brief(search_id: SearchId, niche: Niche, round: Round = None) -> r.Brief:
        """All to know before proposing: limits, members worth breeding, rules in force, gaps on the front."""
        return lab.get_brief(search_id, niche, round)

    @box.tool("Mine rules from results")
    def mine_rules(search_id: SearchId, niche: Niche, round: Round = None) -> r.Effects:
        """Statistics on a niche's results: which choices, alone or in pairs, move score or cost, and how surely."""
        return lab.mine_rules(search_id, niche, round)

    @box.tool("Update the knowledge base", "adds")
    def update_knowledge_base(
        search_id: SearchId,
        niche: Niche,
        edits: Annotated[list[r.RuleEdit] | None, Field(max_length=200)] = None,
        author: Annotated[str, Field(max_length=40)] = "conversation",
        round: Round = None,
        rollback_to: Annotated[int | None, Field(ge=0, description="version to bring back, instead of edits")] = None,
    ) -> r.Knowledge:
        """Add, revise or retire design rules of a niche, with evidence; a change makes a new version."""
        return lab.update_knowledge_base(
            search_id, niche, edits or [], author=author, round_=round, rollback_to=rollback_to
        )

    @box.tool("Breed architectures")
    def breed_architectures(
        search_id: SearchId, niche: Niche, count: Annotated[int, Field(description="1 to 1000")], round: Round = None
    ) -> r.Bred:
        """Offspring of a niche's members by mutation and crossover, chosen by its rules."""
        return lab.breed_architectures(search_id, niche, count, round)

    @box.tool("Submit architectures", "adds", long=True)
    def submit_architectures(
        ctx: Context,
        search_id: SearchId,
        architectures: Architectures,
        niche: Annotated[int | None, Field(ge=0, description="refuse what lies outside it")] = None,
        origins: Annotated[list[r.Origin] | None, Field(description="one per architecture")] = None,
        round: Round = None,
    ) -> r.Submission:
        """Evaluate architectures, each once: kept, duplicate, or refused with the reason."""
        return lab.submit_architectures(
            search_id, architectures, niche, origins=origins or [], round_=round, progress=reporter(ctx)
        )

    @box.tool("List members")
    def list_niche_members(
        search_id: SearchId,
        niche: Niche | None = None,
        sort: Literal["front", "score", "cost", "newest"] = "front",
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> r.Members:
        """Evaluated architectures of a niche, or of all, a page at a time."""
        return lab.list_niche_members(search_id, niche, sort=sort, limit=limit, offset=offset)
