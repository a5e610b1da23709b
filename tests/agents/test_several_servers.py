"""Two servers on one store and eight clients that all submit at once for a minute, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
import pytest
from llmnas_agents.laboratory import LaboratoryClient, open_laboratory

from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import get_space
from tests.conftest import NO_POSTGRES
from tests.postgres import binaries
from tests.server import serving

pytestmark = pytest.mark.thorough

SERVERS, CLIENTS, SECONDS = 2, 8, 60.0
Contents = tuple[Counter[tuple[str, str]], list[tuple[str, str]], list[str]]  # members, rules, searches
Outcome = tuple[Contents, Contents]


@contextmanager
def serving_on(store: str, folder: Path) -> Iterator[list[str]]:
    """The addresses of servers that have one store."""
    env = {**os.environ, "LLMNAS_STORE": store, "LLMNAS_DATA": str(folder)}
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(serving, "environment", lambda *_: env)
            urls = [stack.enter_context(serving.serving(folder)).url for _ in range(SERVERS)]
        yield urls


class Scientist:
    """One client: submits cells of its own choice to any search, writes a rule now and then, begins a search."""

    def __init__(self, number: int, lab: LaboratoryClient, searches: list[str]) -> None:
        self.lab, self.searches, self.number = lab, searches, number
        self.rng = random.Random(number)
        space = get_space("nasbench201")
        self.cells = [space.format(tuple(cell)) for cell in space.distinct()[1::7].tolist()]
        self.kept: list[tuple[str, str]] = []
        self.submitted: set[tuple[str, str]] = set()
        self.stated: list[tuple[str, str]] = []

    async def work(self) -> None:
        """For as long as the minute lasts."""
        until = time.monotonic() + SECONDS
        step = 0
        while time.monotonic() < until:
            search_id = self.rng.choice(self.searches)
            await self.submit(search_id)
            if step % 5 == 4:
                await self.state(search_id, f"Statement {step} of {self.number}")
            if step % 50 == 49:
                self.searches.append(await begin(self.lab))
            step += 1

    async def submit(self, search_id: str) -> None:
        cells = self.rng.sample(self.cells, 12)
        done = await self.lab.call("submit_architectures", r.Submission, search_id=search_id, architectures=cells)
        assert {result.status for result in done.results} <= {"kept", "duplicate"}
        self.submitted |= {(search_id, cell) for cell in cells}
        self.kept += [(search_id, result.architecture) for result in done.results if result.status == "kept"]

    async def state(self, search_id: str, statement: str) -> None:
        edit = {"action": "add", "statement": statement}
        while True:
            try:
                await self.lab.call("update_knowledge_base", r.Knowledge, search_id=search_id, niche=0, edits=[edit])
            except LabError as error:
                if "changed by someone else meanwhile" not in str(error):
                    raise
            else:
                self.stated.append((search_id, statement))
                return


async def begin(lab: LaboratoryClient) -> str:
    return (await lab.start_search(device="fpga", evaluations=100_000, seed=1)).search_id


@pytest.mark.anyio
async def test_what_eight_clients_submit_to_two_servers_for_a_minute_is_kept_exactly_once(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    stores = [f"sqlite:///{tmp_path}/a.db"]
    if binaries():
        stores.append(request.getfixturevalue("postgres")())
    outcomes: list[Outcome] = []
    async with anyio.create_task_group() as group:
        for store in stores:  # at once: a minute is long
            group.start_soon(hammer, store, tmp_path, outcomes)
    for sent, kept in outcomes:
        assert sent == kept
        assert all(sent)
    assert len(outcomes) == len(stores)
    if len(stores) == 1:
        pytest.skip(f"{NO_POSTGRES} (SQLite alone was tried)")


async def hammer(store: str, folder: Path, outcomes: list[Outcome]) -> None:
    """Appends what the clients sent and were told is kept, and what then is in the store."""
    scientists: list[Scientist] = []
    searches: list[str] = []

    async def join(url: str) -> None:
        async with open_laboratory(url) as lab:
            searches.append(await begin(lab))
            scientists.append(Scientist(len(scientists), lab, searches))
            await scientists[-1].work()

    with serving_on(store, folder) as servers:
        async with anyio.create_task_group() as group:
            for number in range(CLIENTS):
                group.start_soon(join, servers[number % SERVERS])

    told = Counter(pair for one in scientists for pair in one.kept)
    assert told == Counter({pair for one in scientists for pair in one.submitted})
    stated = sorted(pair for one in scientists for pair in one.stated)
    lab = Laboratory(Settings(store=store, data=folder))
    there = Counter((s, member.architecture) for s in searches for member in lab.members(s)[1])
    rules = sorted((s, rule.statement) for s in searches for rule in lab.knowledge_history(s))
    listed = [line.search_id for line in lab.list_searches(200).searches]
    lab.close()
    outcomes.append(((told, stated, sorted(searches)), (there, rules, sorted(listed))))
