"""Searches on PostgreSQL by the command line: the same front as on SQLite, and no password in what is said."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llmnas_agents.runner import checkpoints_beside

from tests import warm
from tests.agents.conftest import environment, parsed, timeless
from tests.agents.scientist import scientist
from tests.agents.stub_anthropic import StubAnthropic
from tests.postgres import PASSWORD
from tests.thorough import HUNG

QUICK = ("search", "--device", "raspi4", "--evaluations", "90")
ASKING = (
    "search",
    "--device",
    "raspi4",
    "--niches",
    "3",
    "--offspring",
    "3",
    "--evaluations",
    "18",
    "--operator",
    "claude",
)


@pytest.fixture
def there(postgres: Callable[[], str], tmp_path: Path) -> dict[str, str]:
    """The environment of a process with a store on PostgreSQL, and a user's folder of its own."""
    return environment(tmp_path) | {"LLMNAS_STORE": postgres(), "XDG_DATA_HOME": str(tmp_path / "share")}


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    done = warm.run(list(arguments), env=env, check=False, timeout=HUNG)
    assert PASSWORD not in done.stdout + done.stderr
    return done


def front(env: dict[str, str], *arguments: str) -> dict[str, Any]:
    done = run(env, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found = timeless(parsed(done))
    found["llm"].pop("seconds", None)
    return found


@pytest.mark.thorough
def test_a_search_finds_the_same_front_on_postgres(there: dict[str, str], tmp_path: Path) -> None:
    assert front(there, *QUICK) == front(environment(tmp_path), *QUICK)
    assert (tmp_path / "share" / "llmnas" / "checkpoints.db").exists()


@pytest.mark.thorough
def test_a_killed_search_by_a_model_resumes_on_postgres_and_pays_for_no_answer_twice(
    there: dict[str, str], tmp_path: Path
) -> None:
    with StubAnthropic(scientist) as stub:
        whole = front(environment(tmp_path) | stub.environment, *ASKING)
        with warm.Popen(
            [*ASKING], env=there | stub.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as process:
            assert any(line.startswith("round 1") for line in process.stderr)
            process.send_signal(signal.SIGKILL)
        resumed = front(there | stub.environment, "resume", whole["search_id"])
    cut = [resumed["llm"].pop(name) for name in ("unanswered", "unanswered_usd")]
    assert cut[0] <= 3
    assert resumed == {**whole, "llm": {k: v for k, v in whole["llm"].items() if k in resumed["llm"]}}


def test_a_database_that_does_not_answer_is_told_in_one_line(there: dict[str, str]) -> None:
    there["LLMNAS_STORE"] = there["LLMNAS_STORE"].replace("store", "nosuchstore")
    done = run(there, "searches")
    assert done.returncode == 1
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_checkpoints_go_beside_a_file_and_else_into_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert checkpoints_beside("sqlite:////some/where/a.db") == Path("/some/where/checkpoints.db")
    assert checkpoints_beside("postgresql+psycopg://me@host/name") == tmp_path / "llmnas" / "checkpoints.db"
