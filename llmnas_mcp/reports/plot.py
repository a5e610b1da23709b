"""The picture of a search: every member, the front, and what the axes mean."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Literal

from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.members import Member, front_members

# Okabe and Ito's palette, told apart by colour-blind readers; niches beyond it start over with another marker.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
_MARKERS = ("o", "s")
_SCORES = {"zero-cost": "zero-cost score", "params": "number of parameters"}


def plot_front(handle: SearchHandle, members: Sequence[Member], format: Literal["png", "svg"] = "png") -> bytes:  # noqa: A002
    """A picture, 1600 x 1000 pixels as PNG: cost against score, niches coloured, the front as a line.

    Imports matplotlib.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    row, unit = handle.row, handle.unit
    figure = Figure(figsize=(8, 5), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for niche in handle.niches:
        own = [m for m in members if m.niche == niche.index]
        axes.scatter(
            [m.cost for m in own],
            [m.score for m in own],
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
        [m.cost for m in near],
        [m.score for m in near],
        s=30,
        facecolors="none",
        edgecolors="black",
        linewidths=0.5,
        label=f"within error of the front ({len(near)})",
    )
    axes.plot(
        [m.cost for m in front],
        [m.score for m in front],
        drawstyle="steps-post",
        color="black",
        linewidth=1.2,
        marker="o",
        markersize=3.5,
        label=f"Pareto front ({len(front)})",
    )
    if (limit := handle.limits.cost) is not None:
        axes.axvline(limit, color="#D55E00", linestyle=":", label=f"limit {limit:g} {unit}")
    where = f" on {row['device']}" if row["device"] else ""
    axes.set_xlabel(f"{row['objective']}{where} ({unit}), lower is better")
    axes.set_ylabel(f"{_SCORES[row['scored_by']]} (rank in the space), higher is better")
    what = ", ".join(filter(None, (row["space"], row["dataset"], row["device"])))
    axes.set_title(f"{what}: {len(members)} evaluations, seed {row['seed']}")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7, loc="lower right")
    out = io.BytesIO()
    # The same members always give the same bytes: no date, no library's version, no random names.
    matplotlib.rcParams["svg.hashsalt"] = "llmnas"
    nameless: dict[str, Any] = {"png": {"Software": None}, "svg": {"Creator": None, "Date": None}}
    figure.savefig(out, format=format, metadata=nameless[format])
    return out.getvalue()
