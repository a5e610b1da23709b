"""How much of a space searches have reached: the exploration bias of arXiv 2510.01472, fig. 1, told and drawn.

The space's costs are cut into RANGES equally wide ranges, its complexities into the niches a search has when it asks
for no number of them; a range or niche is reached when a design lies in it.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from llmnas_mcp.errors import LabError
from llmnas_mcp.results import BRED, Objective, Result
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.members import Member
from llmnas_mcp.search.niches import partition
from llmnas_mcp.search.service import Laboratory

RANGES = 10
MOST_SEARCHES = 20
# Of Okabe and Ito's palette, as in plot.py.
_RANGE_COLOUR, _NICHE_COLOUR, _NONE_COLOUR = "#0072B2", "#E69F00", "#D55E00"
_SAME = ("space", "dataset", "device", "objective", "max_cost", "max_macs", "max_params", "cost_low", "cost_high")


class Spread(Result):
    """How values lie in bins."""

    counts: list[int]
    reached: int = Field(description="bins that hold a value")
    share: float = Field(description="reached / all bins")
    fullest: float | None = Field(description="share of the values that the fullest bin holds; null: no values")


class Coverage(Result):
    """What one search has reached."""

    search_id: str
    operator: str
    designs: int = Field(description="members that count")
    bred: int = Field(description="members that do not: bred where the model's designs were too few")
    ranges: Spread
    niches: Spread


class Comparison(Result):
    """Searches side by side; `space_ranges` and `space_niches` tell where all that can run within the limit lies."""

    space: str
    dataset: str
    device: str | None
    objective: Objective
    unit: str
    max_cost: float | None
    range_edges: list[float] = Field(description="of the ranges of cost, in the unit")
    niche_edges: list[int] = Field(description="of the niches, in parameters")
    space_ranges: Spread
    space_niches: Spread
    searches: list[Coverage]


def spread(values: ArrayLike, edges: ArrayLike) -> Spread:
    """How values, shape (n,), lie in the bins between rising edges, shape (k + 1,).

    A value on an edge belongs to the bin above it; what is beyond the ends belongs to the bin at that end.

    >>> spread([1.0, 1.5, 9.0], [0, 1, 2, 3, 4])
    Spread(counts=[0, 2, 0, 1], reached=2, share=0.5, fullest=0.6666666666666666)
    """
    bins = np.asarray(edges)
    counts = np.histogram(np.clip(values, bins[0], bins[-1]), bins)[0]
    reached, total = int(np.count_nonzero(counts)), int(counts.sum())
    fullest = float(counts.max() / total) if total else None
    return Spread(counts=counts.tolist(), reached=reached, share=reached / len(counts), fullest=fullest)


def compare_coverage(lab: Laboratory, search_ids: Sequence[str], asking: Collection[str]) -> Comparison:
    """What searches have reached. Of those whose operator is in `asking` (it asks a model), only designs count.

    Raises NotFoundError for a search that is not there, LabError for one without evaluations and for searches that
    differ in what makes their ranges.
    """
    if not 1 <= len(search_ids) <= MOST_SEARCHES:
        raise LabError(f"{len(search_ids)} searches: give 1 to {MOST_SEARCHES}.")
    if twice := [i for i in search_ids if search_ids.count(i) > 1]:
        raise LabError(f"Search {twice[0]} is named more than once: name each once.")
    found = [lab.members(search_id) for search_id in search_ids]
    _check_comparable(found)
    handle, known = found[0][0], found[0][0].candidates
    row, scale = handle.row, handle.scale
    costs = np.linspace(scale.low, scale.high, RANGES + 1)
    # Not the search's own niches: one that has but one of them would always have reached all.
    niches, _ = partition(known.params)
    params = [n.low for n in niches] + [niches[-1].high]
    searches = []
    for own, members in found:
        origins = lab.origins(own.search_id) if own.row["operator"] in asking else {}
        designs = [m for m in members if m.architecture not in origins or origins[m.architecture].reason != BRED]
        searches.append(
            Coverage(
                search_id=own.search_id,
                operator=own.row["operator"],
                designs=len(designs),
                bred=len(members) - len(designs),
                ranges=spread([m.cost for m in designs], costs),
                niches=spread([m.params for m in designs], params),
            )
        )
    return Comparison(
        **{name: row[name] for name in ("space", "dataset", "device", "objective", "max_cost")},
        unit=handle.unit,
        range_edges=costs.tolist(),
        niche_edges=params,
        space_ranges=spread(known.costs, costs),
        space_niches=spread(known.params, params),
        searches=searches,
    )


def _check_comparable(found: Sequence[tuple[SearchHandle, list[Member]]]) -> None:
    first = found[0][0]
    for handle, members in found:
        for name in _SAME:
            one, other = first.row[name], handle.row[name]
            if one != other:
                raise LabError(
                    f"The searches differ in {name}: {first.search_id} has {one}, {handle.search_id} has {other}. Name"
                    " searches of one space, dataset, device and objective, with the same limit and table of costs."
                )
        if not members:
            raise LabError(f"Search {handle.search_id} has no evaluations yet: llmnas resume {handle.search_id}")


def plot_coverage(compared: Comparison) -> bytes:
    """A PNG of 1600 x (200 + 340 a search) pixels: its designs by range of cost and by niche. Imports matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    c = compared
    size = (len(c.range_edges) - 1, len(c.niche_edges) - 1)
    figure = Figure(figsize=(8, 1 + 1.7 * len(c.searches)), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(c.searches), 2, squeeze=False, sharex="col", sharey=True, width_ratios=size)
    for (left, right), s in zip(grid, c.searches, strict=True):
        _bars(left, s.ranges, c.space_ranges, _RANGE_COLOUR)
        _bars(right, s.niches, c.space_niches, _NICHE_COLOUR)
        reached = f"{s.ranges.reached} of {size[0]} {c.objective} ranges, {s.niches.reached} of {size[1]} niches"
        # Names are of the user's choosing: a $ in one is no formula.
        left.set_title(f"{s.operator:.20}: {reached}", fontsize=9, fontweight="bold", loc="left", parse_math=False)
        right.set_title(
            f"{s.search_id}, {s.designs} design{'s' * (s.designs != 1)}",
            fontsize=7,
            loc="right",
            color="#555555",
            parse_math=False,
        )
        left.set_ylabel("share of designs", fontsize=8)
    left, right = grid[-1]
    left.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    drawn = [c.space_ranges, c.space_niches, *(x for s in c.searches for x in (s.ranges, s.niches))]
    left.set_ylim(0, 1.12 * max(max(_parts(x)) for x in drawn))
    left.set_xticks(np.arange(size[0] + 1) - 0.5, [f"{edge:.3g}" for edge in c.range_edges])
    left.set_xlabel(f"{_on(c)} ({c.unit}), {size[0]} equally wide ranges", fontsize=8)
    right.set_xticks(np.arange(size[1]), [f"{edge / 1e6:.2f}" for edge in c.niche_edges[:-1]])
    right.set_xlabel("niches of the space, by their fewest parameters (M)", fontsize=8)
    limit = "" if c.max_cost is None else f" within {c.max_cost:g} {c.unit}"
    what = f"{c.space}, {c.dataset}, {_on(c)}; numbers: designs; grey: the architectures of the space{limit}"
    figure.suptitle(what, fontsize=9, parse_math=False)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _on(compared: Comparison) -> str:
    return compared.objective + (f" on {compared.device}" if compared.device else "")


def _bars(axes: Any, own: Spread, space: Spread, colour: str) -> None:
    """The parts of the values in each bin as bars with their numbers, before those of the whole space in grey."""
    at = np.arange(len(own.counts))
    axes.bar(at, _parts(space), width=1, color="#DDDDDD")
    axes.bar(at, _parts(own), width=0.6, color=colour)
    for x, (count, part) in enumerate(zip(own.counts, _parts(own), strict=True)):
        text = {"fontsize": 7, "color": "black" if count else _NONE_COLOUR}
        axes.annotate(str(count), (x, part), (0, 1.5), textcoords="offset points", ha="center", **text)
    axes.set_xlim(-0.6, len(at) - 0.4)
    axes.tick_params(labelsize=7)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)


def _parts(own: Spread) -> list[float]:
    return [count / max(1, sum(own.counts)) for count in own.counts]
