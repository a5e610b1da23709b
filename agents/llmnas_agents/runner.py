"""Running a search to its end, from the start or from where it stopped, and what it leaves behind."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from llmnas_agents.files import write_whole
from llmnas_agents.graph import MOST_STEPS, build_graph
from llmnas_agents.laboratory import LaboratoryClient
from llmnas_agents.llm import Correspondent, LimitError, ModelError, correspondence, replayed
from llmnas_agents.llm.base import LanguageModel, Prompt
from llmnas_agents.llm.exchanges import Ledger
from llmnas_agents.operators import LANGUAGE, NO_KNOWLEDGE_BASE, OPERATORS, EvolutionOperator, get_operator
from llmnas_agents.recording import Recording, record
from llmnas_agents.report import report_page
from llmnas_agents.state import Deps, State
from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError
from llmnas_mcp.settings import Settings, user_folder

TYPICAL = (3000, 1500)  # tokens of a prompt and of an answer, for the estimate
TIMINGS, MOST_TIMED = 4, 50  # calls that time a front, and networks of each
LONGEST = 8000  # bytes of a prompt, which are no fewer than its tokens

Event = dict[str, Any]
Listener = Callable[[Event], None]


def checkpoints_beside(store: str | None) -> Path:
    """The file of checkpoints that goes with a store: beside an SQLite file, else in the user's folder."""
    url = store or Settings().store
    folder = Path(url.removeprefix("sqlite:///")).parent if url.startswith("sqlite:///") else user_folder()
    return folder / "checkpoints.db"


def _saver(path: Path) -> AbstractAsyncContextManager[AsyncSqliteSaver]:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise sqlite3.DatabaseError("it is a folder")
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


def run_id(search: r.Search) -> str:
    """A search of one store: the time it was made tells it from one of the same id in another."""
    return search.search_id + "-" + "".join(c for c in search.created if c.isalnum())


async def run(
    lab: LaboratoryClient,
    search_id: str,
    store: str | None,
    out: Path | None,
    listen: Listener,
    language: Mapping[str, Any] | None = None,
    replayed: Correspondent | None = None,
    measure: bool = True,
) -> dict[str, Any]:
    """Bring a search to its end and return its front as in front.json; also the way to resume one.

    measure: on an own device, time the front and what errors may have kept off it.

    A run that was interrupted goes on from its last checkpoint; one that a chat began, from what the laboratory holds.
    The folder given when it began stays its folder unless another is given. language: model, max_cost, max_tokens and
    deadline of an operator that asks a model; `replayed` answers in its place. Where a limit or the model ends the run,
    the front so far is saved and returned with the reason, "stopped".
    """
    search = await lab.get_search(search_id)
    # What a conversation began under a name of its own is carried on by the operator that needs nothing.
    name = search.operator if search.operator in OPERATORS else EvolutionOperator.name
    thread, url, checkpoints = run_id(search), store or Settings().store, checkpoints_beside(store)
    asking = (
        nullcontext(replayed) if replayed or name not in LANGUAGE else correspondence(name, thread, url, language or {})
    )
    # The lock first: who may not run the search changes nothing of it.
    with only_one(search_id, checkpoints.parent / "locks" / f"{thread}.lock"), asking as correspondent:
        deps = Deps(lab, get_operator(name, correspondent))
        config: RunnableConfig = {"configurable": {"thread_id": thread}, "recursion_limit": MOST_STEPS}
        if deps.operator.concurrency:
            config["max_concurrency"] = deps.operator.concurrency
        if correspondent is not None and correspondent.model is not None:
            listen({"event": "estimate", **estimate(search, name, correspondent.model)})
        try:
            async with _saver(checkpoints) as saver:
                graph = build_graph(saver)
                before = await graph.aget_state(config)
                if out is None and before.values.get("out"):
                    out = Path(before.values["out"])
                begin: State | None = None if before.next else {"search_id": search_id, "idle": 0}
                if begin is not None and out is not None:
                    begin["out"] = str(out.absolute())
                stopped = None
                try:
                    async for event in graph.astream(
                        begin, config, context=deps, stream_mode="custom", durability="sync"
                    ):
                        listen(event)
                except (LimitError, ModelError) as error:
                    stopped = str(error)
                state = (await graph.aget_state(config)).values
        except sqlite3.DatabaseError as error:
            raise LabError(
                f"The checkpoints in {checkpoints} cannot be read ({error}). They are not needed: delete the file, then"
                f" llmnas resume {search_id}"
            ) from error
        asked = correspondent.exchanges if correspondent is not None and replayed is None else None
        used = asked.ledger() if asked else Ledger()
        recording = await record(lab, search, asked) if asked else None
    wall_s = state.get("wall_s", 0.0) + deps.lap()
    found = await lab.compute_pareto_front(search_id)
    if measure and not stopped:
        found = await time_front(lab, search, found, listen)
    listen({"event": "advice", "why": found.why})
    front = await front_json(lab, search_id, found, wall_s, used)
    if stopped:
        front["stopped"] = stopped
    if out is not None:
        save(out / "front.json", json.dumps(front, indent=1).encode() + b"\n", search_id)
        save(out / "front.png", await lab.plot_pareto_front(search_id), search_id)
        save(out / "front.svg", (await lab.read(f"llmnas://searches/{search_id}/front.svg")).encode(), search_id)
        save(out / "report.html", (await report_page(lab, search_id, used)).encode(), search_id)
        if recording is not None:
            save(out / "recording.json", recording.bytes(), search_id)
        listen({"event": "saved", "out": str(out)})
    return front


async def time_front(lab: LaboratoryClient, search: r.Search, front: r.Front, listen: Listener) -> r.Front:
    """The front of a search on an own device, timed there with what is within error of it; of any other, as it is.

    What turns out slower leaves the front and others come up to it, so this is done a few times. Where the device
    cannot be measured on, the reason is told, and the rest of the front stays modelled.
    """
    asked = {"device": search.device, "space": search.space, "dataset": search.dataset}
    for _ in range(TIMINGS):
        todo = [point.architecture for point in front.front if f"fitted:{search.device}" in point.source]
        if not todo or not await _is_own(lab, search):
            break
        listen({"event": "timing", "networks": min(len(todo), MOST_TIMED), "device": search.device})
        try:
            timed = await lab.call("measure_latency", r.Costs, architectures=todo[:MOST_TIMED], **asked)
        except LabError as error:
            listen({"event": "untimed", "reason": str(error)})
            break
        for warning in timed.warnings:
            listen({"event": "doubt", "warning": warning})
        if all(cost.value is None or cost.reason for cost in timed.results):
            listen({"event": "untimed", "reason": timed.results[0].reason})
            break
        front = await lab.compute_pareto_front(search.search_id)
    return front


async def _is_own(lab: LaboratoryClient, search: r.Search) -> bool:
    listed = await lab.call("list_devices", r.Devices, space=search.space)
    return f"host:{search.device}" in {model.source for model in listed.devices}


async def replay(
    recording: Recording, lab: LaboratoryClient, store: str, listen: Listener
) -> tuple[dict[str, Any], int]:
    """Search again in `lab`, whose searches are in `store`, by the recorded answers.

    Returns what is in front.json, and how many prompts differ from those the answers were given to. Raises LabError
    when the recording is of an operator that asks no model.
    """
    operator = recording.settings.operator
    if operator not in LANGUAGE:
        raise LabError(f"A search by {operator!r:.80} asked no model: run it again with llmnas search.")
    started = await lab.start_search(**recording.settings.asked())
    with replayed([exchange.model_dump() for exchange in recording.exchanges], store) as correspondent:
        front = await run(lab, started.search_id, store, None, listen, replayed=correspondent)
    return front, correspondent.changed


def estimate(search: r.Search, operator: str, model: LanguageModel) -> dict[str, Any]:
    """What is still to be asked: so many calls, US dollars if they are TYPICAL, and the most they can cost.

    The most is for prompts as long as they get, answers that use all their room, and each of them asked again.
    """
    rounds = -(-(search.evaluations - search.used) // max(1, len(search.niches) * search.offspring))
    rounds = rounds if search.rounds is None else min(rounds, search.rounds)
    roles = LANGUAGE[operator].roles - operator.endswith(NO_KNOWLEDGE_BASE)
    calls = roles * rounds * len(search.niches)
    return {
        "model": model.name,
        "calls": calls,
        "usd": calls * model.most_cost(Prompt("x" * TYPICAL[0], ""), TYPICAL[1]),
        "most_usd": 2 * calls * model.most_cost(Prompt("x" * LONGEST, ""), model.answer_tokens),
        "price": model.price,
    }


async def front_json(
    lab: LaboratoryClient, search_id: str, front: r.Front, wall_s: float, used: Ledger
) -> dict[str, Any]:
    """The content of front.json."""
    search, trained = await lab.get_search(search_id), front.trained_front
    truth = {"share": front.true_share, "random": front.true_share_random, "judge": front.judge}
    names = ("search_id", "space", "dataset", "device", "objectives", "units", "operator", "seed")
    return {
        **{name: getattr(search, name) for name in names},
        "objective": search.objectives[0],
        "evaluations": search.used,
        "wall_s": round(wall_s, 3),
        "llm": used.as_json(),
        "hypervolume": front.hypervolume,
        "front": [point.model_dump(mode="json") for point in front.front],
        **({"trained_front": [point.model_dump(mode="json") for point in trained]} if trained else {}),
        "members": search.used,
        "rules": search.rules,
        **({} if search.scored_by == "zero-cost" else {"scored_by": search.scored_by}),
        **({} if front.judge is None else {"truth": truth}),
    }


def save(path: Path, content: bytes, search_id: str) -> None:
    """Write a file that is whole or not there; raises LabError with the way to try again."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise LabError(
            f"Cannot write {path} ({error.strerror}). Nothing is lost: llmnas resume {search_id} --out DIR"
        ) from error
