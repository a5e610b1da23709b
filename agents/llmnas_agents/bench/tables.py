"""What a bench found: a tidy table of its runs, and tables of means with 95 % intervals in Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from llmnas_agents.bench.plan import Row
from llmnas_mcp.errors import LabError

Line = list[str]
# Heading, field, decimals, factor; per cent where the factor is 100.
COLUMNS: tuple[tuple[str, str, int, float], ...] = (
    ("HV share", "share", 4, 1),
    ("IGD", "igd", 4, 1),
    ("IGD+", "igd_plus", 4, 1),
    ("best acc. %", "best_accuracy", 2, 1),
    ("regret", "regret", 2, 1),
    ("HV share by score", "score_share", 4, 1),
    ("ranges %", "ranges", 0, 100),
    ("niches %", "niches", 0, 100),
    ("front", "front", 0, 1),
    ("evaluations", "evaluations", 0, 1),
    ("epochs", "epochs", 0, 1),
    ("tokens", "tokens", 0, 1),
    ("US$", "cost_usd", 2, 1),
    ("s", "seconds", 2, 1),
)
# What a terminal has room for.
FEWER = tuple(column for column in COLUMNS if column[1] not in ("igd", "niches", "front"))


def tidy(rows: Iterable[Row]) -> list[Row]:
    """One row a run, without its curve."""
    return [
        {
            **{k: v for k, v in row.items() if k not in ("key", "curve")},
            "tokens": row["input_tokens"] + row["output_tokens"],
        }
        for row in rows
    ]


def csv_of(rows: Sequence[Row]) -> bytes:
    """The tidy table as CSV."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parquet_of(rows: Sequence[Row]) -> bytes:
    """The tidy table as Parquet; raises LabError without the package that writes it."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise LabError("Parquet needs pyarrow: pip install 'llmnas-mcp[parquet]'. The runs are kept.") from None
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), out)
    return out.getvalue()


def mean_and_interval(rows: Sequence[Row], field: str) -> tuple[float, float] | None:
    """Mean over seeds of the means over devices, and half the width of its 95 % interval (t; NaN of one seed).

    None where a run has no value.

    >>> rows = [{"seed": s, "share": x} for s, x in ((0, 0.8), (0, 1.0), (1, 0.9), (1, 1.0))]
    >>> mean, half = mean_and_interval(rows, "share")
    >>> round(mean, 3), round(half, 3)
    (0.925, 0.318)
    """
    from scipy.stats import t

    by_seed: dict[int, list[float]] = {}
    for row in rows:
        if row.get(field) is None:
            return None
        by_seed.setdefault(row["seed"], []).append(row[field])
    means = np.array([np.mean(values) for values in by_seed.values()])
    n = len(means)
    half = float(t.ppf(0.975, n - 1) * means.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return float(means.mean()), half


def summary(rows: Sequence[Row], columns: Sequence[tuple[str, str, int, float]] = COLUMNS) -> tuple[Line, list[Line]]:
    """Heading and lines, a line for each dataset, budget and method; columns that are 0 in all runs are left out."""
    shown = [c for c in columns if any(row.get(c[1]) for row in rows)]
    groups: dict[tuple[str, int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["dataset"], row["budget"], row["method"]), []).append(row)
    heading = ["dataset", "budget", "method", *(c[0] for c in shown)]
    lines = [
        [dataset, str(budget), method, *(_cell(own, *c[1:]) for c in shown)]
        for (dataset, budget, method), own in groups.items()
    ]
    return heading, lines


def by_device(rows: Sequence[Row], field: str = "share", decimals: int = 4) -> tuple[Line, list[Line]]:
    """The same of one field, with the devices across."""
    devices = list(dict.fromkeys(row["device"] for row in rows))
    groups: dict[tuple[str, int, str], dict[str, list[Row]]] = {}
    for row in rows:
        groups.setdefault((row["dataset"], row["budget"], row["method"]), {}).setdefault(row["device"], []).append(row)
    lines = [
        [*map(str, group), *(_cell(own[device], field, decimals, 1) if device in own else "" for device in devices)]
        for group, own in groups.items()
    ]
    return ["dataset", "budget", "method", *devices], lines


def under_limits(rows: Sequence[Row]) -> tuple[Line, list[Line]]:
    """Best accuracy under each limit, and regret of what is chosen there, by device and method."""
    count = sum(name.startswith("limit_") for name in rows[0])
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["dataset"], row["device"], row["budget"], row["method"]), []).append(row)
    lines = []
    for group, own in groups.items():
        told = [
            f"{own[0][f'limit_{i}']:g}: {_cell(own, f'best_under_{i}', 2, 1)}; {_cell(own, f'regret_{i}', 2, 1)}"
            for i in range(1, count + 1)
        ]
        lines.append([*map(str, group), *told])
    heading = [f"limit {i}: best acc. %; regret" for i in range(1, count + 1)]
    return ["dataset", "device", "budget", "method", *heading], lines


def _cell(rows: Sequence[Row], field: str, decimals: int, factor: float) -> str:
    found = mean_and_interval(rows, field)
    if found is None:
        return "-"
    mean, half = found[0] * factor, found[1] * factor
    interval = "" if np.isnan(half) or field == "seconds" else f" ± {half:.{decimals}f}"
    return f"{mean:.{decimals}f}{interval}"


def markdown(heading: Line, lines: Sequence[Line]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (heading, ["---"] * len(heading), *lines)) + "\n"


def latex(heading: Line, lines: Sequence[Line]) -> str:
    """A table in LaTeX, for the package booktabs."""
    special = {c: f"\\{c}" for c in "&%$#_{}"} | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\^{}",
        "±": r"$\pm$",
    }

    def row(line: Line) -> str:
        return " & ".join("".join(special.get(c, c) for c in cell) for cell in line) + r" \\"

    body = "\n".join(row(line) for line in lines)
    return (
        f"\\begin{{tabular}}{{lll{'r' * (len(heading) - 3)}}}\n\\toprule\n{row(heading)}\n\\midrule\n{body}\n"
        "\\bottomrule\n\\end{tabular}\n"
    )
