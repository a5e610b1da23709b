"""The graph with an operator of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llmnas_agents.graph import MOST_IDLE, build_graph
from llmnas_agents.laboratory import LaboratoryClient, open_laboratory
from llmnas_agents.operators import Operator, get_operator
from llmnas_agents.state import Deps

from llmnas_mcp import results as r

pytestmark = pytest.mark.anyio


class Repeats(Operator):
    """Proposes the same cell again and again."""

    name = "repeats"

    def __init__(self) -> None:
        self.asked = 0

    async def reason(self, lab: LaboratoryClient, brief: r.Brief, round_: int) -> list[r.RuleEdit]:  # noqa: ARG002
        return []

    async def design(self, lab: LaboratoryClient, brief: r.Brief, round_: int, share: int) -> list[r.Offspring]:  # noqa: ARG002
        self.asked += 1
        return [r.Offspring(architecture=brief.example, origin=r.Origin())]


async def test_rounds_without_anything_new_end_a_search_and_say_so(tmp_path: Path) -> None:
    operator, events = Repeats(), list[dict[str, Any]]()
    async with open_laboratory(store=f"sqlite:///{tmp_path}/llmnas.db") as lab:
        started = await lab.start_search(device="fpga", niches=1, evaluations=20)
        context = Deps(lab, operator)
        async for event in build_graph().astream(
            {"search_id": started.search_id}, context=context, stream_mode="custom"
        ):
            events.append(event)
        assert (await lab.get_search(started.search_id)).used == 1
    assert operator.asked == 1 + MOST_IDLE
    assert events[-1] == {"event": "idle", "rounds": MOST_IDLE}


async def test_evolution_begins_with_smaller_rounds_and_uses_the_whole_budget(tmp_path: Path) -> None:
    async with open_laboratory(store=f"sqlite:///{tmp_path}/llmnas.db") as lab:
        started = await lab.start_search(device="fpga", niches=3, offspring=6, evaluations=60)
        context = Deps(lab, get_operator("evolution"))
        await build_graph().ainvoke({"search_id": started.search_id}, context=context)
        history = (await lab.get_search(started.search_id)).history
    assert [h.evaluations for h in history] == [7, 20, 38, 56, 60]
