"""Fronts and how good they are: of a search, against the best front there is, or of points a caller gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError
from llmnas_mcp.pareto import front_of, igd, igd_plus, unit_hypervolume
from llmnas_mcp.search.directions import Directions
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.members import Member, Scale, front_members
from llmnas_mcp.search.views import front_point

MOST_POINTS = 200


class Point(r.Result):
    """A point to take a front of: any label, a score (up), and a cost or two by name (down)."""

    architecture: str
    score: float = Field(ge=0, le=1)
    cost: float | None = Field(None, ge=0)
    costs: dict[r.Objective, Annotated[float, Field(ge=0)]] = Field({}, max_length=2)


def front_of_search(handle: SearchHandle, members: Sequence[Member]) -> r.Front:
    """The search's front and what is near it; the figures are against the front of all architectures within limits."""
    front = front_members(members, handle.scale)
    on_front = {m.architecture for m in front}
    near = [m for m in handle.near_front(members) if m.architecture not in on_front]
    room = max(0, MOST_POINTS - len(front))
    thinned = near[:: -(-len(near) // room)] if near and room else []
    shown = sorted([*front[:MOST_POINTS], *thinned], key=lambda m: m.costs)
    best = handle.landscape.best_front(handle.limits, handle.scale)
    points = handle.points(front)
    value = unit_hypervolume(points)
    compared: dict[str, Any] = {"igd": None, "igd_plus": None, "share": None, "reference": None}
    if best is not None and front:
        compared = {
            "igd": igd(points, best),
            "igd_plus": igd_plus(points, best),
            "share": value / unit_hypervolume(best),
            "reference": f"exhaustive front of {len(handle.candidates.genotypes):,} architectures under the same scores"
            " and costs",
        }
    return r.Front(
        front=[front_point(handle, m, near=m.architecture not in on_front) for m in shown],
        hypervolume=value,
        truncated=len(front) + len(near) > MOST_POINTS,
        next=Directions(handle, members).after_front(len(front), len(front) + len(near) > MOST_POINTS),
        **compared,
    )


def front_of_points(points: Sequence[Point]) -> r.Front:
    """The front of given points; for the hypervolume, each cost is scaled over its own range."""
    if not points:
        raise LabError("No points: give search_id, or points with architecture, score and cost.")
    names = list(points[0].costs)
    for i, point in enumerate(points):
        if point.costs.keys() != points[0].costs.keys():
            raise LabError(
                f"points[{i}] has other costs than points[0]: give all the same, {', '.join(names) or 'cost'}."
            )
        if not names and point.cost is None:
            raise LabError(f"points[{i}] has no cost: give cost, or costs by name.")
    costs = np.array([[p.costs[name] for name in names] if names else [p.cost] for p in points], dtype=float)
    scaled = Scale.of(costs).objectives([p.score for p in points], costs)
    kept = front_of(scaled)
    return r.Front(
        front=[
            r.FrontPoint(
                architecture=points[i].architecture,
                short=None,
                niche=None,
                score=points[i].score,
                cost=costs[i, 0],
                costs=points[i].costs if len(names) > 1 else {},
                unit="as given",
                source="given",
                params_m=None,
                near=False,
            )
            for i in kept[:MOST_POINTS]
        ],
        hypervolume=unit_hypervolume(scaled),
        igd=None,
        igd_plus=None,
        share=None,
        reference=None,
        truncated=len(kept) > MOST_POINTS,
        next=f"Cut to {MOST_POINTS} of {len(kept)} points." if len(kept) > MOST_POINTS else "These are all.",
    )
