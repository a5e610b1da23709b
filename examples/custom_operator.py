"""An operator of your own in our graph: it changes one operation of each of a niche's best cells, and knows no rules.

.venv/bin/python examples/custom_operator.py
"""

import asyncio
import random
import tempfile

from llmnas_agents.graph import build_graph
from llmnas_agents.laboratory import LaboratoryClient, open_laboratory
from llmnas_agents.operators import Operator
from llmnas_agents.state import Deps

from llmnas_mcp import results as r


class OneChange(Operator):
    """Each offspring is a parent, or the example, with one operation replaced."""

    name = "one-change"

    async def reason(self, lab: LaboratoryClient, brief: r.Brief, round_: int) -> list[r.RuleEdit]:  # noqa: ARG002
        """No rules."""
        return []

    async def design(self, lab: LaboratoryClient, brief: r.Brief, round_: int, share: int) -> list[r.Offspring]:
        """Bred ones where a niche has no members yet, then one change each."""
        if not brief.parents:
            where = {"search_id": brief.search_id, "niche": brief.niche, "round": round_}
            return (await lab.call("breed_architectures", r.Bred, count=share, **where)).offspring
        rng = random.Random(f"{brief.niche} {round_}")
        made = []
        for i in range(share):
            parent = brief.parents[i % len(brief.parents)].architecture
            values = brief.choices[0].values
            old, new = rng.choice([value for value in values if value in parent]), rng.choice(values)
            origin = r.Origin(operator="mutation", parents=[parent], reason=f"{new} for {old}")
            made.append(r.Offspring(architecture=parent.replace(old, new, 1), origin=origin))
        return made


async def main() -> None:
    """Search with it for eight rounds and print the front."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_laboratory(store=f"sqlite:///{folder}/llmnas.db") as lab:
            started = await lab.start_search(device="raspi4", evaluations=150, rounds=8, operator=OneChange.name)
            await build_graph().ainvoke({"search_id": started.search_id}, context=Deps(lab, OneChange()))
            front = await lab.compute_pareto_front(started.search_id)
    for point in front.front:
        print(f"{point.cost:7.2f} {point.unit}  score {point.score:.3f}  {point.architecture}")


if __name__ == "__main__":
    asyncio.run(main())
