"""The commands on spaces of a user's own, and --space FILE.py:CLASS."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from llmnas_mcp.spaces import SPACES
from tests.agents.conftest import Run, parsed
from tests.spaces.own import BUILD, CHOICES, HEAD, NAME, TINYNET


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A space that talks while it is loaded and while it builds."""
    talking = BUILD.replace("width = chosen", "print('building')\n        width = chosen")
    (tmp_path / "mine.py").write_text("print('loading')\n" + HEAD + NAME + CHOICES + talking)
    return f"{tmp_path / 'mine.py'}:Mine"


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says what is wrong."""
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_a_space_is_added_listed_and_removed(llmnas: Run, mine: str, tmp_path: Path) -> None:
    added = llmnas("space", "add", mine)
    assert added.stdout == f"mine is added: {mine}\n"
    assert "llmnas space check" in added.stderr
    assert parsed(llmnas("space", "add", mine, "--json")) == {"space": "mine", "spec": mine}
    listed = llmnas("space", "list").stdout
    assert all(word in listed for word in ("nasbench201", "mine", mine))
    rows = parsed(llmnas("space", "list", "--json"))["spaces"]
    assert [(row["space"], row["problem"]) for row in rows] == [(name, None) for name in [*SPACES, "mine"]]
    (tmp_path / "mine.py").unlink()
    done = llmnas("space", "list")
    assert "mine: Space mine cannot be loaded. There is no file" in done.stderr
    assert "nasbench201" in done.stdout
    assert parsed(llmnas("space", "remove", "mine", "--json")) == {"space": "mine", "spec": mine}
    assert "No space 'mine' was added" in refused(llmnas("space", "remove", "mine", check=False))


def test_a_check_shows_what_is_in_a_space_and_how_long_scoring_takes(llmnas: Run) -> None:
    shown = llmnas("space", "check", TINYNET).stdout
    for word in (
        "72 architectures, 42 of them different",
        "1-16-3-_-_",
        "smallest",
        "█",
        "Scored in",
        "swap",
        "200 like",
    ):
        assert word in shown


def test_a_check_as_json_says_the_same_and_nothing_else_whatever_the_space_prints(llmnas: Run, mine: str) -> None:
    done = llmnas("space", "check", mine, "--dataset", "ImageNet16-120", "--json")
    found = parsed(done)
    assert "loading" in done.stderr
    assert found["space"] == "mine"
    assert found["dataset"] == "ImageNet16-120"
    assert (found["architectures"], found["distinct"]) == (4, 4)
    assert len(found["samples"]) == 3
    assert found["smallest"]["architecture"] == "width=4,kernel=1"
    assert found["smallest"]["short"] == "4-1"
    assert found["smallest"]["params"] < found["largest"]["params"]
    assert sum(bar["share"] for bar in found["complexity"]) == pytest.approx(1)
    assert {"params", "macs", "swap"} <= found["scored"][0]["proxies"].keys()
    assert found["reference_seconds"] == pytest.approx(4 * found["scored"][-1]["seconds"])


def test_a_mistake_in_a_space_is_told_and_a_file_named_only_is_no_space(llmnas: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        HEAD + NAME + CHOICES + "    def build(self, chosen, dataset):\n        return 1 / 0\n"
    )
    line = refused(llmnas("space", "check", f"{tmp_path / 'bad.py'}:Mine", check=False))
    assert "build of space mine fails for width=4,kernel=1" in line
    assert "ZeroDivisionError: division by zero (bad.py, line 11: return 1 / 0)" in line
    assert "has no class Yours. It has: Mine." in refused(
        llmnas("space", "add", f"{tmp_path / 'bad.py'}:Yours", check=False)
    )
    assert "names no space. Write FILE.py:CLASS" in refused(llmnas("space", "add", "bad.py", check=False))
    assert "Did you mean 'cifar10'" in refused(llmnas("space", "check", TINYNET, "--dataset", "cifar1", check=False))


@pytest.mark.thorough
def test_architectures_of_a_file_are_scored_and_the_file_is_not_remembered(llmnas: Run, mine: str) -> None:
    (found,) = parsed(llmnas("score", "kernel=3,width=4", "--space", mine, "--json"))["results"]
    assert found["params_m"] == pytest.approx(0.000182)
    assert "Unknown space 'mine'" in refused(llmnas("score", "4-3", "--space", "mine", check=False))


@pytest.mark.thorough
def test_a_server_of_ones_own_gets_the_space_and_one_elsewhere_does_not(llmnas: Run, mine: str) -> None:
    done = llmnas("score", "4-3", "--space", mine, "--server", "stdio", "--json")
    assert "mine is remembered as" in done.stderr
    assert parsed(done)["results"][0]["proxies"]["params"] == 182
    elsewhere = llmnas("score", "4-3", "--space", mine, "--server", "http://127.0.0.1:9/mcp", check=False)
    assert "runs no code of yours. Where it runs, llmnas space add" in refused(elsewhere)


@pytest.mark.thorough
def test_a_search_in_a_file_remembers_it_and_finds_a_front(llmnas: Run, mine: str) -> None:
    options = ("--space", mine, "--objective", "macs", "--evaluations", "4")
    done = llmnas("search", *options, "--json")
    assert "mine is remembered as" in done.stderr
    front = parsed(done)
    assert front["space"] == "mine"
    assert "width=4,kernel=1" in [point["architecture"] for point in front["front"]]
    rows = parsed(llmnas("space", "list", "--json"))["spaces"]
    assert {"space": "mine", "from": mine}.items() <= rows[-1].items()
    assert parsed(llmnas("resume", front["search_id"], "--json"))["front"] == front["front"]
