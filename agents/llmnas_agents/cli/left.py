"""How far a long call is, and how long it will go on."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from llmnas_agents.cli.shared import err

TERMINAL, LOG = 0.5, 15.0  # seconds between two lines: one that is replaced, or one more
SOON = 5.0  # seconds; what is done by then needs no word


class Left:
    """Hears the progress of calls and shows it now and then, with the time left by the pace since the call began."""

    def __init__(self, show: Callable[[str], None] | None = None, clock: Callable[[], float] = monotonic) -> None:
        self._show, self._clock = show or (lambda text: err.print(text)), clock
        self._every = TERMINAL if err.is_terminal and show else LOG
        self._shown = self._began = clock()
        self._first = self._done = float("inf")

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        """What an MCP client calls."""
        self.hear(progress, total, message)

    def hear(self, progress: float, total: float | None, message: str | None) -> None:
        """How far the work is."""
        now = self._clock()
        if progress < self._done:  # another call
            self._began, self._first = now, progress
        self._done = progress
        if total and self._first < progress < total and now - self._shown >= self._every:
            left = (now - self._began) / (progress - self._first) * (total - progress)
            if left < SOON:
                return
            self._shown = now
            self._show(f"{message or f'{progress:.0f} of {total:.0f} done'}, about {span(left)} left")


def span(seconds: float) -> str:
    """A time in words.

    >>> span(3.4), span(100), span(5400)
    ('3 s', '1 min 40 s', '1 h 30 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
