"""SIGKILL at random moments: after each, the search is resumed, and nothing it did is lost or counted twice.

A hundred kills, whose moments follow from a seed and from how long a run takes on the machine as it is.
"""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.agents.conftest import environment
from tests.agents.scientist import scientist
from tests.agents.stub_anthropic import StubAnthropic

pytestmark = pytest.mark.thorough

KILLS = 50  # of each test
PLAIN = ("--device", "pixel3", "--evaluations", "200", "--seed", "5")
ASKING = ("--device", "raspi4", "--niches", "3", "--offspring", "3", "--evaluations", "36", "--operator", "claude")
Rows = list[dict[str, Any]]


def contents(folder: Path) -> dict[str, Rows]:
    """All that a store holds, after a look at the state of the files."""
    for name in ("llmnas.db", "checkpoints.db"):
        if (folder / name).exists():
            with closing(sqlite3.connect(folder / name)) as connection:
                assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    with closing(sqlite3.connect(folder / "llmnas.db")) as connection:
        connection.row_factory = sqlite3.Row
        names = {row["name"] for row in connection.execute("select name from sqlite_master where type = 'table'")}
        tables = sorted(names & {"searches", "members", "rules", "exchanges"})
        return {
            name: [dict(row) for row in connection.execute(f"select * from {name} order by 1, 2, 3")] for name in tables
        }


def check(before: dict[str, Rows], now: dict[str, Rows]) -> None:
    """Nothing that was there before is gone or changed, and nothing is there twice."""
    assert before["searches"] == now["searches"][: len(before["searches"])]
    assert len(now["searches"]) == 1
    assert before["members"] == now["members"][: len(before["members"])]
    assert most(row["architecture"] for row in now["members"]) == 1
    known = {(row["niche"], row["version"], row["rule_id"]): row for row in now["rules"]}
    assert all(known[row["niche"], row["version"], row["rule_id"]] == row for row in before["rules"])
    for niche in {row["niche"] for row in now["rules"]}:
        versions = {row["version"] for row in now["rules"] if row["niche"] == niche}
        assert versions == set(range(1, len(versions) + 1))
    exchanges = {row["id"]: row for row in now.get("exchanges", [])}
    for row in before.get("exchanges", []):
        kept = ("id", "prompt_sha256", "reply", "status", "cost_microusd", "most_microusd")
        assert {name: exchanges[row["id"]][name] for name in kept} == {name: row[name] for name in kept}
    assert most(place(row) for row in exchanges.values() if row["status"] == "answered") <= 1


def most(things: Any) -> int:
    return max(Counter(things).values(), default=1)


def place(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["round"], row["niche"], row["role"], row["attempt"]


def story(now: dict[str, Rows]) -> dict[str, list[str]]:
    """What a search did, in an order of its own: niches may take turns in another one."""
    own = {"id", "search_id", "created", "run", "seconds", "valid", "rejected"}  # and what is noted after an answer
    told = {name: [{k: v for k, v in row.items() if k not in own} for row in rows] for name, rows in now.items()}
    told["exchanges"] = [row for row in told.get("exchanges", []) if row["status"] == "answered"]
    return {name: sorted(json.dumps(row, sort_keys=True) for row in rows) for name, rows in told.items()}


class Runs:
    """Searches of one kind, each in a folder of its own; `whole` is what comes of one that nobody disturbs."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], more: dict[str, str]) -> None:
        self._folder, self._arguments, self._more = folder, arguments, more
        process = self._start("whole")
        begun = time.monotonic()
        process.communicate()
        self._seconds = time.monotonic() - begun  # that a run takes, of late
        assert process.returncode == 0
        self.whole = contents(folder / "whole")

    def _start(self, name: str) -> subprocess.Popen[str]:
        """Begins the search of a folder or resumes it, and returns once it is under way."""
        folder = self._folder / name
        found = contents(folder)["searches"] if (folder / "llmnas.db").exists() else []
        what = ("resume", found[0]["search_id"]) if found else ("search", *self._arguments)
        process = warm.Popen(
            list(what),
            env=environment(folder) | self._more,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if any(line.startswith("search ") for line in process.stderr):
            return process
        raise AssertionError(f"{what} ended with {process.wait()}")

    def kill(self, kills: int, rng: random.Random) -> list[dict[str, Rows]]:
        """Kills so many runs and resumes each; returns what the searches that came to their end have left."""
        ended, number, before = [], 0, None
        while kills or before:
            with self._start(str(number)) as process:
                begun = time.monotonic()
                try:
                    process.communicate(timeout=rng.uniform(0, self._seconds) if kills else None)
                    if before is None:
                        self._seconds = time.monotonic() - begun
                except subprocess.TimeoutExpired:
                    process.kill()
                    kills -= 1
            now = contents(self._folder / str(number))
            check(before or {"searches": [], "members": [], "rules": []}, now)
            before = now
            if process.returncode == 0:
                assert story(now) == story(self.whole)
                ended.append(now)
                number, before = number + 1, None
        return ended


def test_an_evolution_killed_at_random_moments_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    runs = Runs(tmp_path, PLAIN, {})
    assert runs.kill(KILLS, random.Random(20261001))


def test_a_search_by_a_model_killed_at_random_moments_pays_for_no_answer_twice(tmp_path: Path) -> None:
    with StubAnthropic(scientist) as stub:
        runs = Runs(tmp_path, ASKING, stub.environment)
        served = len(stub.requests)
        assert served == len(runs.whole["exchanges"])
        for now in (ended := runs.kill(KILLS, random.Random(20261002))):
            paid = [
                [row["cost_microusd"] for row in store["exchanges"] if row["status"] == "answered"]
                for store in (now, runs.whole)
            ]
            assert sum(paid[0]) == sum(paid[1]) > 0
        # Whatever reached the server was noted before; some of what was noted may never have reached it.
        assert served * len(ended) <= len(stub.requests) - served <= sum(len(now["exchanges"]) for now in ended)
