"""Running a search to its end, from the start or from where it stopped, and what it leaves behind."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from llmnas_agents.graph import MOST_STEPS, build_graph
from llmnas_agents.laboratory import LaboratoryClient
from llmnas_agents.operators import OPERATORS, EvolutionOperator, get_operator
from llmnas_agents.state import Deps, State
from llmnas_mcp.errors import LabError
from llmnas_mcp.settings import Settings, user_folder

Event = dict[str, Any]
Listener = Callable[[Event], None]


def checkpoints_beside(store: str | None) -> Path:
    """The file of checkpoints that goes with a store: beside an SQLite file, else in the user's folder."""
    url = store or Settings().store
    folder = Path(url.removeprefix("sqlite:///")).parent if url.startswith("sqlite:///") else user_folder()
    return folder / "checkpoints.db"


def _saver(path: Path) -> AbstractAsyncContextManager[AsyncSqliteSaver]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return AsyncSqliteSaver.from_conn_string(str(path))


@contextmanager
def only_one(search_id: str, lock: Path) -> Iterator[None]:
    """Hold a search for this process: two at once would each change what the other's round builds on.

    The lock goes with the process, however it ends.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout:
        raise LabError(f"Search {search_id} is being run by another process. Wait for it, or stop it first.") from None


async def run(
    lab: LaboratoryClient, search_id: str, checkpoints: Path, out: Path | None, listen: Listener
) -> dict[str, Any]:
    """Bring a search to its end and return its front as in front.json; also the way to resume one.

    A run that was interrupted goes on from its last checkpoint; one that a chat began, from what the laboratory holds.
    The folder given when it began stays its folder unless another is given.
    """
    search = await lab.get_search(search_id)
    # What a conversation began under a name of its own is carried on by the operator that needs nothing.
    deps = Deps(lab, get_operator(search.operator if search.operator in OPERATORS else EvolutionOperator.name))
    # The time it was made tells a search from one of the same id in another store.
    thread = search_id + "-" + "".join(c for c in search.created if c.isalnum())
    config: RunnableConfig = {"configurable": {"thread_id": thread}, "recursion_limit": MOST_STEPS}
    if deps.operator.concurrency:
        config["max_concurrency"] = deps.operator.concurrency
    try:
        with only_one(search_id, checkpoints.parent / "locks" / f"{thread}.lock"):
            async with _saver(checkpoints) as saver:
                graph = build_graph(saver)
                before = await graph.aget_state(config)
                if out is None and before.values.get("out"):
                    out = Path(before.values["out"])
                begin: State | None = None if before.next else {"search_id": search_id}
                if begin is not None and out is not None:
                    begin["out"] = str(out.absolute())
                async for event in graph.astream(begin, config, context=deps, stream_mode="custom", durability="sync"):
                    listen(event)
                state = (await graph.aget_state(config)).values
    except sqlite3.DatabaseError as error:
        raise LabError(
            f"The checkpoints in {checkpoints} cannot be read ({error}). They are not needed: delete the file, then"
            f" llmnas resume {search_id}"
        ) from error
    front = await front_json(lab, search_id, state.get("wall_s", 0.0) + deps.lap())
    if out is not None:
        save(out / "front.json", json.dumps(front, indent=1).encode() + b"\n", search_id)
        save(out / "front.png", await lab.plot_pareto_front(search_id), search_id)
        listen({"event": "saved", "out": str(out)})
    return front


async def front_json(lab: LaboratoryClient, search_id: str, wall_s: float) -> dict[str, Any]:
    """The content of front.json."""
    search, front = await lab.get_search(search_id), await lab.compute_pareto_front(search_id)
    names = ("search_id", "space", "dataset", "device", "objective", "operator", "seed")
    return {
        **{name: getattr(search, name) for name in names},
        "evaluations": search.used,
        "wall_s": round(wall_s, 3),
        "llm": {"calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0},
        "hypervolume": front.hypervolume,
        "front": [point.model_dump(mode="json") for point in front.front],
        "members": search.used,
        "rules": search.rules,
    }


def save(path: Path, content: bytes, search_id: str) -> None:
    """Write a file that is whole or not there; raises LabError with the way to try again."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise LabError(
            f"Cannot write {path} ({error.strerror}). Nothing is lost: llmnas resume {search_id} --out DIR"
        ) from error
    finally:
        part.unlink(missing_ok=True)
