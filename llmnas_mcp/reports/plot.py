"""The picture of a search: every member, the front, and what the axes mean."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal

from llmnas_mcp.devices import ON_DEVICE, UNITS
from llmnas_mcp.pareto import front_of
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.members import Member, front_members

# Okabe and Ito's palette, told apart by colour-blind readers; niches beyond it start over with another marker.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
_MARKERS = ("o", "s")
_SCORES = {"zero-cost": "zero-cost score", "params": "number of parameters"}


def plot_front(handle: SearchHandle, members: Sequence[Member], format: Literal["png", "svg"] = "png") -> bytes:  # noqa: A002
    """A picture, 1600 x 1000 pixels as PNG: cost against score, niches coloured, the front as a line.

    With two costs three such pictures side by side, one for each pair: the front is then points, of which the line
    joins those that are best in the pair alone. Imports matplotlib.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    row, count = handle.row, len(handle.objectives)
    where = f" on {row['device']}" if row["device"] else ""
    names = [
        f"{name}{where if name in ON_DEVICE else ''} ({UNITS[name]}), lower is better" for name in handle.objectives
    ]
    names.append(f"{_SCORES[row['scored_by']]} (rank in the space), higher is better")
    # Each pair of costs and score, the score last.
    pairs = [(i, count) for i in range(count)] + list(combinations(range(count), 2))
    figure = Figure(figsize=(8 * len(pairs), 5), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    every = figure.subplots(1, len(pairs), squeeze=False)[0]
    for axes, (x, y) in zip(every, pairs, strict=True):
        _draw(axes, handle, members, x, y)
        axes.set_xlabel(names[x])
        axes.set_ylabel(names[y])
        axes.grid(alpha=0.25)
    handles = {label: handle for axes in every for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    every[0].legend(handles.values(), handles.keys(), fontsize=7, loc="lower right")
    what = ", ".join(filter(None, (row["space"], row["dataset"], row["device"])))
    every[0].set_title(f"{what}: {len(members)} evaluations, seed {row['seed']}")
    out = io.BytesIO()
    # The same members always give the same bytes: no date, no library's version, no random names.
    matplotlib.rcParams["svg.hashsalt"] = "llmnas"
    nameless: dict[str, Any] = {"png": {"Software": None}, "svg": {"Creator": None, "Date": None}}
    figure.savefig(out, format=format, metadata=nameless[format])
    return out.getvalue()


def _draw(axes: Any, handle: SearchHandle, members: Sequence[Member], x: int, y: int) -> None:
    """Members by two of their costs and score, which is the last."""

    def both(of: Sequence[Member]) -> tuple[list[float], list[float]]:
        values = [(*m.costs, m.score) for m in of]
        return [v[x] for v in values], [v[y] for v in values]

    for niche in handle.niches:
        own = [m for m in members if m.niche == niche.index]
        axes.scatter(
            *both(own),
            s=14,
            alpha=0.6,
            linewidths=0,
            color=_COLOURS[niche.index % len(_COLOURS)],
            marker=_MARKERS[niche.index // len(_COLOURS) % len(_MARKERS)],
            label=f"niche {niche.index}: {niche.low / 1e6:.2f} to {niche.high / 1e6:.2f} M params ({len(own)})",
        )
    front = front_members(members, handle.scale)
    near = [m for m in handle.near_front(members) if m not in front]
    axes.scatter(
        *both(near),
        s=30,
        facecolors="none",
        edgecolors="black",
        linewidths=0.5,
        label=f"within error of the front ({len(near)})",
    )
    look = {"color": "black", "marker": "o", "markersize": 3.5}
    some = any(m.timed for m in members)  # on an own device: the others are then drawn hollow, as only modelled
    label = f"Pareto front ({len(front)}{f', {sum(m.timed for m in front)} of them timed' if some else ''})"
    if len(handle.objectives) == 1:
        axes.plot(*both(front), drawstyle="steps-post", linewidth=1.2, label=label, **look)
    else:
        axes.plot(*both(front), linestyle="none", label=label, **look)
        best = [front[i] for i in front_of(handle.points(front)[:, [x, y]])]
        axes.plot(*both(best), drawstyle="steps-post", color="black", linewidth=1.2)
    if some and (modelled := [m for m in front if not m.timed]):
        hollow = {**look, "markerfacecolor": "white", "linestyle": "none", "zorder": 3}
        axes.plot(*both(modelled), label=f"of the front, modelled ({len(modelled)})", **hollow)
    for axis, index in ((axes.axvline, x), (axes.axhline, y)):
        if index < len(handle.objectives) and (limit := handle.limits.set.get(handle.objectives[index])) is not None:
            unit = handle.units[index]
            axis(limit, color="#D55E00", linestyle=":", label=f"limit {limit:g} {unit}")
