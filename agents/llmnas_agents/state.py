"""What the graph remembers between steps: plain values only, so that a checkpoint reads back as it was written."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from time import monotonic
from typing import Annotated, TypedDict

from llmnas_agents.laboratory import LaboratoryClient
from llmnas_agents.operators import Operator


class State(TypedDict, total=False):
    """A search under way. `wall_s` adds up over interruptions; `out` is the folder its front goes to.

    `idle` counts the last rounds that brought nothing new to the `used` evaluations.
    """

    search_id: str
    out: str
    wall_s: Annotated[float, operator.add]
    used: int
    idle: int


class NicheTask(TypedDict):
    """One niche's part of one round."""

    search_id: str
    round: int
    niche: int
    share: int


@dataclass
class Deps:
    """What nodes use and no checkpoint holds."""

    lab: LaboratoryClient
    operator: Operator
    clock: float = field(default_factory=monotonic)

    def lap(self) -> float:
        """Seconds since the last lap."""
        now = monotonic()
        passed, self.clock = now - self.clock, now
        return passed
