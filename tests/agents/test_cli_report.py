"""`llmnas report` as a user runs it, and the report a search leaves."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.agents.conftest import Run, environment, parsed, timeless
from tests.agents.scientist import scientist
from tests.agents.stub_anthropic import StubAnthropic
from tests.agents.test_language_search import SMALL, asked

QUICK = ("search", "--device", "raspi4", "--evaluations", "90", "--json")


def told(path: Path, name: str = "data") -> Any:
    """What a page carries in one of its elements."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.thorough
def test_a_report_is_saved_under_the_name_of_its_search_or_any_other(llmnas: Run, tmp_path: Path) -> None:
    search_id = parsed(llmnas(*QUICK))["search_id"]
    done = warm.run(
        ["report", search_id],
        env=environment(tmp_path),
        cwd=tmp_path,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", f"saved {search_id}.html\n")
    other = tmp_path / "new" / "folder" / "page.html"
    assert f"saved {other}" in llmnas("report", search_id, "--out", str(other), "--server", "stdio").stderr
    assert other.read_bytes() == (tmp_path / f"{search_id}.html").read_bytes()
    assert told(other)["search"]["search_id"] == search_id
    assert told(other, "ledger")["calls"] == 0


@pytest.mark.thorough
def test_the_command_in_the_report_repeats_the_search(llmnas: Run, tmp_path: Path) -> None:
    more = ("--max-latency", "60", "--rounds", "2", "--offspring", "5", "--seed", "3", "--out", str(tmp_path / "out"))
    whole = timeless(parsed(llmnas(*QUICK, *more)))
    program, *arguments = shlex.split(told(tmp_path / "out" / "report.html")["search"]["command"])
    assert program == "llmnas"
    assert timeless(parsed(llmnas(*arguments, "--json", folder=tmp_path / "again"))) == whole


@pytest.mark.thorough
def test_the_report_tells_what_the_model_cost(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with StubAnthropic(scientist) as stub:
        asked(stub, tmp_path, "search", *SMALL, "--operator", "claude", "--out", str(out))
        search_id = told(out / "report.html")["search"]["search_id"]
        asked(stub, tmp_path, "report", search_id, "--out", str(tmp_path / "later.html"))
    ledger = json.loads((out / "front.json").read_text())["llm"]
    assert ledger["calls"] > 0
    assert told(out / "report.html", "ledger") == told(tmp_path / "later.html", "ledger") == ledger


@pytest.mark.thorough
def test_a_report_that_cannot_be_had_or_saved_ends_in_one_line(llmnas: Run, tmp_path: Path) -> None:
    nothing = llmnas("report", "nothing", check=False)
    search_id = parsed(llmnas(*QUICK))["search_id"]
    folder = llmnas("report", search_id, "--out", str(tmp_path), check=False)
    for done, said in ((nothing, "There is no search 'nothing'"), (folder, "Name another file")):
        assert done.returncode == 1
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
