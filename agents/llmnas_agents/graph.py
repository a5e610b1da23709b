"""The search as a graph (arXiv 2510.01472): plan a round, work in every niche, report, next round.

    plan_round --Send per niche with a share--> work_in_niche --> report_round --> plan_round ... END

Whatever a node does can be done again without harm: the laboratory counts an evaluation once, and a round depends only
on the rounds before it. So a run killed anywhere and resumed ends as if it had never stopped.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Checkpointer, Command, Send

from llmnas_agents.state import Deps, NicheTask, State

MOST_IDLE = 3  # rounds without anything new, after which an operator is taken to have no more to say
MOST_STEPS = 1_000_000  # the budget of evaluations ends a search, not langgraph's limit on steps


async def plan_round(state: State, runtime: Runtime[Deps]) -> Command[Literal["work_in_niche", "__end__"]]:
    """Ask the laboratory for each niche's share of the next round; end when nothing is left, or nothing new comes."""
    search = await runtime.context.lab.get_search(state["search_id"])
    if not search.done and state.get("idle", 0) >= MOST_IDLE:
        get_stream_writer()({"event": "idle", "rounds": MOST_IDLE})
        return Command(goto="__end__")
    if search.done:
        return Command(goto="__end__")
    number = 1 + (search.history[-1].round if search.history else 0)
    tasks = [
        NicheTask(search_id=search.search_id, round=number, niche=n.niche, share=n.share)
        for n in search.niches
        if n.share
    ]
    return Command(goto=[Send("work_in_niche", task) for task in tasks])


async def work_in_niche(state: NicheTask, runtime: Runtime[Deps]) -> dict[str, Any]:
    """Let the operator do a niche's part of the round; all that comes of it is in the laboratory."""
    await runtime.context.operator.work(runtime.context.lab, **state)
    return {}


async def report_round(state: State, runtime: Runtime[Deps]) -> dict[str, Any]:
    """Look at what the round brought to the whole."""
    search = await runtime.context.lab.get_search(state["search_id"])
    if search.history:
        get_stream_writer()({"event": "round", "search": search.model_dump(mode="json")})
    idle = state.get("idle", 0) + 1 if search.used == state.get("used", 0) else 0
    return {"wall_s": runtime.context.lap(), "used": search.used, "idle": idle}


def build_graph(checkpointer: Checkpointer = None) -> CompiledStateGraph[State, Deps, State, State]:
    """The compiled graph; with a checkpointer its runs can be resumed."""
    graph = StateGraph(State, context_schema=Deps)
    graph.add_node("plan_round", plan_round)
    graph.add_node("work_in_niche", work_in_niche, input_schema=NicheTask)
    graph.add_node("report_round", report_round)
    graph.add_edge(START, "plan_round")
    graph.add_edge("work_in_niche", "report_round")
    graph.add_edge("report_round", "plan_round")
    return graph.compile(checkpointer=checkpointer)
