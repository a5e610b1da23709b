"""Tools on whole searches: begin, look, list, front, picture."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.utilities.types import Image
from pydantic import Field

from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError
from llmnas_mcp.reports import advised, judged, plot_front
from llmnas_mcp.search.fronts import Point, front_of_points
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.picking import MOST_TOP, TOP, read_limits
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.server.arguments import Dataset, Device, Limit, Most, Objectives, Offset, SearchId, Space
from llmnas_mcp.server.progress import tell
from llmnas_mcp.server.toolbox import Toolbox


def register(box: Toolbox, lab: Laboratory) -> None:
    """Add these tools."""

    @box.tool("Start a search", "starts")
    def start_search(
        device: Device = None,
        dataset: Dataset = None,
        objective: Objectives = "latency",
        space: Space = "nasbench201",
        niches: Annotated[int | None, Field(description="default: the clear clusters of complexity")] = None,
        max_latency: Annotated[Most, Field(description="ms; limits may be on any cost")] = None,
        max_energy: Annotated[Most, Field(description="mJ")] = None,
        max_memory: Annotated[Most, Field(description="MB")] = None,
        max_macs: Annotated[Most, Field(description="millions")] = None,
        max_params: Annotated[Most, Field(description="millions")] = None,
        evaluations: Annotated[int, Field(description="budget of scored architectures")] = 400,
        rounds: Annotated[int | None, Field(le=1_000_000, description="default: until the budget is used")] = None,
        offspring: Annotated[int, Field(description="per niche and round, on average")] = 6,
        seed: int = 0,
        operator: Annotated[str, Field(pattern=r"^[\w .:+-]{1,40}$", description="who searches")] = "conversation",
        scored_by: r.ScoredBy = "zero-cost",
    ) -> r.Started:
        """Begin a search. The space is cut into niches by number of parameters; each is searched on its own."""
        return lab.start_search(
            space=space,
            dataset=dataset,
            device=device,
            objective=objective,
            niches=niches,
            limits=Limits(max_latency, max_energy, max_memory, max_macs, max_params),
            evaluations=evaluations,
            rounds=rounds,
            offspring=offspring,
            seed=seed,
            operator=operator,
            scored_by=scored_by,
        )

    @box.tool("Look at a search")
    def get_search(search_id: SearchId) -> r.Search:
        """State of a search: budget used, rounds, niches with their shares, hypervolume so far."""
        return lab.get_search(search_id)

    @box.tool("List searches")
    def list_searches(limit: Limit = 20, offset: Offset = 0) -> r.Searches:
        """Searches remembered, newest first."""
        return lab.list_searches(limit, offset)

    @box.tool("Compute a Pareto front", long=True)
    def compute_pareto_front(
        ctx: Context,
        search_id: SearchId | None = None,
        points: Annotated[list[Point] | None, Field(max_length=10_000)] = None,
        limits: Annotated[dict[str, float], Field(description="of picks: cost -> the most")] = {},  # noqa: B006
        top: Annotated[int, Field(ge=1, le=MOST_TOP, description="picks")] = TOP,
    ) -> r.Front:
        """What no other clearly beats in score and cost: of a search, with accuracies and picks; or of points given."""
        if (search_id is None) == (points is None):
            raise LabError("Give either search_id or points.")
        if search_id is None:
            if limits:
                raise LabError("limits choose from a search: give search_id, or leave them out.")
            return front_of_points(points or [])
        front = advised(lab, search_id, read_limits(limits), top)
        tell(ctx, 1, 2, "computed the front")
        return judged(front, *lab.members(search_id))

    @box.tool("Draw a Pareto front", long=True)
    def plot_pareto_front(ctx: Context, search_id: SearchId) -> Image:
        """A picture of a search: all members by niche, and the front."""
        drawn = lab.members(search_id)
        tell(ctx, 1, 3, "read the search")
        import matplotlib.figure  # noqa: F401 - the first time it takes a second

        tell(ctx, 2, 3, "loaded what draws")
        return Image(data=plot_front(*drawn), format="png")
