"""What a running search shows, and the table at its end."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Mapping
from time import monotonic
from types import TracebackType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from llmnas_agents.cli.shared import err
from llmnas_mcp import results as r

MOST_LINES = 30


class Progress:
    """Shows rounds, niches, evaluations and hypervolume on standard error: live on a terminal, else a line a round."""

    def __init__(self, search_id: str, quiet: bool) -> None:
        self._id, self._quiet, self._began = search_id, quiet, monotonic()
        self.saved: str | None = None
        self.advice = ""
        self._shown: Table | None = None
        self._live = Live(console=err, refresh_per_second=8, transient=True) if err.is_terminal and not quiet else None

    def __enter__(self) -> Progress:
        if not self._quiet:
            err.print(f"search {self._id}")
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
        # A mistake tells its own fix; only who is interrupted needs to be told how to go on.
        if kind is not None and issubclass(kind, (KeyboardInterrupt, CancelledError)) and not self._quiet:
            err.print(f"Stopped. Nothing is lost: llmnas resume {self._id}")

    def tell(self, text: str) -> None:
        """Show what a call that goes on says of itself, below what is shown."""
        if self._live:
            self._live.update(Group(*([self._shown] if self._shown else []), Text(text)))
        else:
            err.print(text)

    def listen(self, event: dict[str, Any]) -> None:
        """Show one event of the graph."""
        if event["event"] == "saved":
            self.saved = event["out"]
        if event["event"] == "advice":
            self.advice = event["why"]
        if self._quiet:
            return
        if event["event"] == "round":
            search = r.Search.model_validate(event["search"])
            if self._live:
                self._shown = self._picture(search)
                self._live.update(self._shown)
            else:
                err.print(self._line(search))
            if search.done and search.used < search.evaluations:
                err.print(f"all {search.used} architectures within the limits are evaluated")
        elif event["event"] == "idle":
            err.print(f"{event['rounds']} rounds brought nothing new: the search ends before its budget is used")
        elif event["event"] == "estimate":
            cost = (
                f" for about ${event['usd']:.2f}, at most ${event['most_usd']:.2f} ({event['price']})"
                if event["most_usd"]
                else ""
            )
            err.print(f"model {event['model']}: about {event['calls']} calls{cost}")
        elif event["event"] == "timing":
            err.print(f"timing {event['networks']} networks of the front on {event['device']}")
        elif event["event"] == "untimed":
            err.print(f"The front is not all measured: {event['reason']}")
        elif event["event"] == "doubt":
            err.print(event["warning"])
        elif event["event"] == "saved":
            err.print(f"saved {event['out']}/report.html, front.json, front.png and front.svg")

    def _line(self, search: r.Search) -> str:
        last = search.history[-1]
        return (
            f"round {last.round}: {search.used}/{search.evaluations} evaluations, hypervolume {last.hypervolume:.4f},"
            f" {search.rules} rules, {monotonic() - self._began:.1f} s"
        )

    def _picture(self, search: r.Search) -> Table:
        table = Table("niche", "params (M)", "evaluated", "of", "rules", title=Text(self._line(search)))
        for n in search.niches:
            span = f"{n.params_low_m:.2f} to {n.params_high_m:.2f}"
            table.add_row(str(n.niche), span, str(n.members), "" if n.size is None else f"{n.size:,}", str(n.rules))
        return table


def front_table(front: dict[str, Any]) -> Table:
    """The front as a table, by falling score; a long one is thinned evenly."""
    points = sorted((p for p in front["front"] if not p["near"]), key=lambda point: -point["score"])
    step = max(1, -(-len(points) // MOST_LINES))
    chosen = points[::step]
    costs = {p["architecture"]: p.get("costs") or {front["objective"]: p["cost"]} for p in points}
    what = " and ".join(front["objectives"])
    known = any("accuracy" in point for point in chosen)
    shown = f"{len(chosen)} of {len(points)}" if step > 1 else str(len(points))
    table = Table(
        Column("architecture", overflow="fold", ratio=1),
        Column("niche", justify="right"),
        *([Column("accuracy (%)", justify="right"), Column("by")] if known else []),
        Column("score", justify="right"),
        *(
            Column(f"{name} ({unit})", justify="right")
            for name, unit in zip(front["objectives"], front["units"], strict=True)
        ),
        Column("params (M)", justify="right"),
        title=f"Pareto front of {front['search_id']}: {shown} architectures",
        caption=f"{what} from {', '.join(sorted({p['source'] for p in points})) or 'nothing yet'}",
        box=SIMPLE_HEAD,
    )
    for point in chosen:
        table.add_row(
            Text(point["short"] or point["architecture"]),
            str(point["niche"]),
            *(accuracy_cells(point) if known else []),
            f"{point['score']:.4f}",
            *(f"{costs[point['architecture']][name]:.3f}" for name in front["objectives"]),
            f"{point['params_m']:.3f}",
        )
    return table


def accuracy_cells(point: Mapping[str, Any]) -> tuple[str, Text]:
    """The accuracy of a network with its error, and how it is known; empty where it is not."""
    value, error = point.get("accuracy"), point.get("accuracy_error")
    off = "" if error is None else f" ±{error:.2g}"
    by = ", ".join(filter(None, (point.get("grade"), point.get("accuracy_source"))))
    return "" if value is None else f"{value:.2f}{off}", Text(by)


def worth_line(scores: r.ZeroCostScores) -> str:
    """What the scores of a search are, and how far they follow trained accuracy where that is known."""
    known = {w.name: f"{w.spearman:.2f} ({w.spearman_95[0]:.2f} to {w.spearman_95[1]:.2f})" for w in scores.worth}
    what = "The score is a rank by training-free proxies (1 is best), not an accuracy."
    if not known:
        return f"{what} It is {scores.worth_source}."
    alone = f"of parameters alone: {known['params']}"
    return f"{what} Rank correlation with {scores.worth_of} accuracy: {known['score']}; {alone}."
