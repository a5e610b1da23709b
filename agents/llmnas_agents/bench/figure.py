"""Hypervolume over evaluations, a line for each method."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from llmnas_agents.bench.plan import Row
from llmnas_mcp.benchmarks import inherited
from llmnas_mcp.benchmarks.surrogate import SOURCE

# Okabe and Ito's palette; methods beyond it go on with another dash.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
DASHES = ("-", "--", ":", "-.")
WIDE = 0.01  # of the unit: how far below the least end a figure begins


def plot_curves(rows: Sequence[Row], format_: str) -> bytes:
    """Mean over devices and seeds of the largest budget: by the score, and in truth. Imports matplotlib.

    format_: "png" or "svg". Methods that see everything at once have no curve: a level line.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    budget = max(row["budget"] for row in rows)
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    figure = Figure(figsize=(11, 0.8 + 3.6 * len(datasets)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(datasets), 2, squeeze=False)
    estimated = any(name in row["judge"] for row in rows for name in (SOURCE, inherited.SOURCE))
    judge = f"{'estimated' if estimated else ''} {rows[0]['grade']} accuracy".lstrip()
    titles = ("share of the best hypervolume by the score", f"share of the exact front's hypervolume, {judge}")
    for axes_of, dataset in zip(grid, datasets, strict=True):
        for column, (axes, title) in enumerate(zip(axes_of, titles, strict=True), 1):
            lowest = 1.0
            for i, method in enumerate(methods):
                own = [row for row in rows if (row["dataset"], row["method"]) == (dataset, method)]
                own = [row for row in own if method == "exhaustive" or row["budget"] == budget]
                style = {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i // len(COLOURS) % len(DASHES)]}
                curves = [np.array(row["curve"], dtype=float) for row in own]
                if not curves or np.isnan(curves[0][:, column]).any():
                    continue
                if method == "exhaustive":
                    end = float(np.mean([c[-1, column] for c in curves]))
                    axes.axhline(end, label=f"{method}: {end:.4f}", linewidth=1, **style)
                    continue
                # Some end before the budget, where all within reach is evaluated: they stay where they ended.
                at = np.unique(np.concatenate([c[:, 0] for c in curves]))
                mean = np.mean([np.interp(at, c[:, 0], c[:, column]) for c in curves], axis=0)
                axes.plot(at, mean, label=f"{method}: {mean[-1]:.4f}", linewidth=1.4, **style)
                lowest = min(lowest, float(np.interp(budget / 10, at, mean)))
            axes.set_ylim(lowest - WIDE, 1 + WIDE / 2)
            axes.set_xlabel("evaluations", fontsize=8)
            axes.set_title(f"{dataset}: {title}", fontsize=9, loc="left", parse_math=False)
            axes.tick_params(labelsize=8)
            axes.grid(alpha=0.25)
            if axes.lines:
                axes.legend(fontsize=7, loc="lower right")
    out = io.BytesIO()
    with rc_context({"svg.hashsalt": "llmnas"}):
        figure.savefig(out, format=format_, metadata={"Software" if format_ == "png" else "Date": None})
    return out.getvalue()
