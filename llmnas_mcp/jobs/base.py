"""What a job is, and what whoever does jobs must do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

LIMIT = 600.0  # seconds after which a job is not waited for any longer


@dataclass(frozen=True)
class Job:
    """A function at the top of a module, and what it is called with.

    Arguments and the value it returns are plain, as JSON has them: a tuple arrives as a list, a float to the last bit.
    limit: seconds, from when a process is asked, its start included; None for as long as it takes.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    limit: float | None = LIMIT


@dataclass(frozen=True)
class Failed:
    """Why a job has no value.

    kind: "refused" by a LabError, whose text is `why`; "raised", any other exception; "ended", with the process it was
    done in (killed, crashed, exited); "late", over its limit.
    """

    kind: Literal["refused", "raised", "ended", "late"]
    why: str


class Engine(Protocol):
    """Does jobs, several at once."""

    @property
    def size(self) -> int:
        """How many jobs it does at once."""

    @property
    def warm(self) -> bool:
        """Whether it would begin at once, without starting anything first."""

    def run(
        self, jobs: Sequence[Job], arrived: Callable[[int, Any], None] | None = None
    ) -> Generator[tuple[int, Any], None, None]:
        """Index and value of each job, or why it Failed, as soon as it is done; one that fails leaves the others.

        `arrived` is told the same even before, in any thread, also of what nobody asks for any more. An iterator that
        is closed (by its end, `close()`, or contextlib.closing) stops what is under way, and leaves no process of it.
        """
