"""Fronts and how good they are: of a search, against the best front there is, or of points a caller gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError
from llmnas_mcp.pareto import front_of, hypervolume, igd, igd_plus
from llmnas_mcp.search.directions import Directions
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.members import REFERENCE, Member, Scale, front_members
from llmnas_mcp.search.views import front_point

MOST_POINTS = 200


class Point(r.Result):
    """A point to take a front of: any label, a score (up) and a cost (down)."""

    architecture: str
    score: float = Field(ge=0, le=1)
    cost: float = Field(ge=0)


def front_of_search(handle: SearchHandle, members: Sequence[Member]) -> r.Front:
    """The search's front and what is near it; the figures are against the front of all architectures within limits."""
    front = front_members(members, handle.scale)
    on_front = {m.architecture for m in front}
    near = [m for m in handle.near_front(members) if m.architecture not in on_front]
    room = max(0, MOST_POINTS - len(front))
    thinned = near[:: -(-len(near) // room)] if near and room else []
    shown = sorted([*front[:MOST_POINTS], *thinned], key=lambda m: m.cost)
    best = handle.landscape.best_front(handle.limits, handle.scale)
    points = handle.points(front)
    value = hypervolume(points, REFERENCE)
    compared: dict[str, Any] = {"igd": None, "igd_plus": None, "share": None, "reference": None}
    if best is not None and front:
        compared = {
            "igd": igd(points, best),
            "igd_plus": igd_plus(points, best),
            "share": value / hypervolume(best, REFERENCE),
            "reference": f"exhaustive front of {len(handle.candidates.genotypes):,} architectures under the same scores"
            " and costs",
        }
    return r.Front(
        front=[front_point(handle.space, m, handle.unit, near=m.architecture not in on_front) for m in shown],
        hypervolume=value,
        truncated=len(front) + len(near) > MOST_POINTS,
        next=Directions(handle, members).after_front(len(front), len(front) + len(near) > MOST_POINTS),
        **compared,
    )


def front_of_points(points: Sequence[Point]) -> r.Front:
    """The front of given points; for the hypervolume, cost is scaled over their own range."""
    if not points:
        raise LabError("No points: give search_id, or points with architecture, score and cost.")
    scores, costs = [p.score for p in points], [p.cost for p in points]
    scaled = Scale(min(costs), max(costs)).objectives(scores, costs)
    kept = front_of(scaled)
    return r.Front(
        front=[
            r.FrontPoint(
                architecture=points[i].architecture,
                short=None,
                niche=None,
                score=points[i].score,
                cost=points[i].cost,
                unit="as given",
                source="given",
                params_m=None,
                near=False,
            )
            for i in kept[:MOST_POINTS]
        ],
        hypervolume=hypervolume(scaled, REFERENCE),
        igd=None,
        igd_plus=None,
        share=None,
        reference=None,
        truncated=len(kept) > MOST_POINTS,
        next=f"Cut to {MOST_POINTS} of {len(kept)} points." if len(kept) > MOST_POINTS else "These are all.",
    )
