"""How much of a space searches have reached: the exploration bias of arXiv 2510.01472, fig. 1, told and drawn.

Each of the space's costs is cut into RANGES equally wide ranges, its complexities into the niches a search has when it
asks for no number of them; a range or niche is reached when a design lies in it.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from llmnas_mcp.devices import NAMES, ON_DEVICE, UNITS
from llmnas_mcp.errors import LabError
from llmnas_mcp.results import BRED, Limits, Objective, Result
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.members import Member
from llmnas_mcp.search.niches import partition
from llmnas_mcp.search.service import Laboratory

RANGES = 10
MOST_SEARCHES = 20
# Of Okabe and Ito's palette, as in plot.py.
_RANGE_COLOUR, _NICHE_COLOUR, _NONE_COLOUR = "#0072B2", "#E69F00", "#D55E00"
_SAME = ("space", "dataset", "device", "objectives", "limits", "cost_low", "cost_high")


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
    ranges: list[Spread] = Field(description="by each objective")
    niches: Spread


class Comparison(Result):
    """Searches side by side; `space_ranges` and `space_niches` tell where all that can run within the limit lies."""

    space: str
    dataset: str
    device: str | None
    objectives: list[Objective]
    units: list[str]
    limits: Limits
    range_edges: list[list[float]] = Field(description="of the ranges of each cost, in its unit")
    niche_edges: list[int] = Field(description="of the niches, in parameters")
    space_ranges: list[Spread]
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
    edges = [np.linspace(low, high, RANGES + 1) for low, high in zip(scale.low, scale.high, strict=True)]
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
                ranges=[spread([m.costs[i] for m in designs], own) for i, own in enumerate(edges)],
                niches=spread([m.params for m in designs], params),
            )
        )
    return Comparison(
        **{name: row[name] for name in ("space", "dataset", "device", "objectives", "limits")},
        units=list(handle.units),
        range_edges=[own.tolist() for own in edges],
        niche_edges=params,
        space_ranges=[spread(known.costs[:, i], own) for i, own in enumerate(edges)],
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
                    f"The searches differ in {name}: {first.search_id} has {_words(one)}, {handle.search_id} has"
                    f" {_words(other)}. Name"
                    " searches of one space, dataset, device and objectives, with the same limits and tables of costs."
                )
        if not members:
            raise LabError(f"Search {handle.search_id} has no evaluations yet: llmnas resume {handle.search_id}")


def _words(setting: Any) -> str:
    """A setting for people, who know no brackets."""
    if isinstance(setting, dict):
        setting = [f"{name} {value:g}" for name, value in setting.items()] or "none"
    return ", ".join(map(str, setting)) if isinstance(setting, list) else str(setting)


def plot_coverage(compared: Comparison) -> bytes:
    """A PNG, 800 pixels wide for each cost and for the niches, 200 + 340 a search high: where its designs lie.

    Imports matplotlib.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    c = compared
    sizes = [*(len(edges) - 1 for edges in c.range_edges), len(c.niche_edges) - 1]
    figure = Figure(figsize=(4 * len(sizes), 1 + 1.7 * len(c.searches)), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(c.searches), len(sizes), squeeze=False, sharex="col", sharey=True, width_ratios=sizes)
    for row, s in zip(grid, c.searches, strict=True):
        for axes, own, space in zip(row, s.ranges, c.space_ranges, strict=False):
            _bars(axes, own, space, _RANGE_COLOUR)
        _bars(row[-1], s.niches, c.space_niches, _NICHE_COLOUR)
        reached = [
            f"{own.reached} of {size} {name} ranges"
            for own, size, name in zip(s.ranges, sizes, c.objectives, strict=False)
        ]
        reached.append(f"{s.niches.reached} of {sizes[-1]} niches")
        # Names are of the user's choosing: a $ in one is no formula.
        row[0].set_title(
            f"{s.operator:.20}: {', '.join(reached)}", fontsize=9, fontweight="bold", loc="left", parse_math=False
        )
        row[-1].set_title(
            f"{s.search_id}, {s.designs} design{'s' * (s.designs != 1)}",
            fontsize=7,
            loc="right",
            color="#555555",
            parse_math=False,
        )
        row[0].set_ylabel("share of designs", fontsize=8)
    last = grid[-1]
    last[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    drawn = [*c.space_ranges, c.space_niches, *(x for s in c.searches for x in (*s.ranges, s.niches))]
    last[0].set_ylim(0, 1.12 * max(max(_parts(x)) for x in drawn))
    for axes, edges, name, unit in zip(last, c.range_edges, c.objectives, c.units, strict=False):
        axes.set_xticks(np.arange(len(edges)) - 0.5, [f"{edge:.3g}" for edge in edges])
        axes.set_xlabel(f"{name}{_on(c, name)} ({unit}), {len(edges) - 1} equally wide ranges", fontsize=8)
    last[-1].set_xticks(np.arange(sizes[-1]), [f"{edge / 1e6:.2f}" for edge in c.niche_edges[:-1]])
    last[-1].set_xlabel("niches of the space, by their fewest parameters (M)", fontsize=8)
    most = [f"{limit:g} {UNITS[name]} {NAMES[name]}" for name, limit in c.limits.items()]
    what = f"{c.space}, {c.dataset}, {' and '.join(c.objectives)}{f' on {c.device}' if c.device else ''}"
    within = f" within {' and '.join(most)}" if most else ""
    what += f"; numbers: designs; grey: the architectures of the space{within}"
    figure.suptitle(what, fontsize=9, parse_math=False)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _on(compared: Comparison, objective: str) -> str:
    return f" on {compared.device}" if compared.device and objective in ON_DEVICE else ""


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
