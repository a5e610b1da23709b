"""What goes wrong around a search: files of others, two at once, names that look like markup."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests import warm
from tests.agents.conftest import Run, environment, parsed, timeless
from tests.thorough import HUNG

QUICK = ("search", "--device", "fpga", "--evaluations", "90")


@pytest.mark.thorough
@pytest.mark.parametrize("content", [b"\x00\x01 no database" * 500, None], ids=["bytes", "a folder"])
def test_a_checkpoint_file_that_cannot_be_read_costs_nothing_but_a_deletion(
    llmnas: Run, tmp_path: Path, content: bytes | None
) -> None:
    checkpoints = tmp_path / "checkpoints.db"
    checkpoints.mkdir() if content is None else checkpoints.write_bytes(content)
    done = llmnas(*QUICK, check=False)
    assert done.returncode == 1
    assert "delete" in done.stderr
    assert "Traceback" not in done.stderr
    checkpoints.rmdir() if content is None else checkpoints.unlink()
    name = parsed(llmnas("searches", "--json"))["searches"][0]["search_id"]
    resumed = timeless(parsed(llmnas("resume", name, "--json")))
    assert resumed == timeless(parsed(llmnas(*QUICK, "--json", folder=tmp_path / "other")))


def test_another_programs_tables_are_refused_and_left_alone(llmnas: Run, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "llmnas.db") as theirs:
        theirs.execute("create table searches (id integer, q text)")
    theirs.close()
    done = llmnas("searches", check=False)
    assert done.returncode == 1
    assert "not ours" in done.stderr
    with sqlite3.connect(tmp_path / "llmnas.db") as theirs:
        assert theirs.execute("select name from sqlite_master").fetchall() == [("searches",)]
    theirs.close()


@pytest.mark.thorough
def test_names_that_look_like_markup_are_shown_as_they_are(llmnas: Run, tmp_path: Path) -> None:
    done = llmnas("resume", "[/]", check=False)
    assert done.returncode == 1
    assert "'[/]'" in done.stderr
    assert "Traceback" not in done.stderr
    out = tmp_path / "o[bold]x[/]"
    assert str(out) in llmnas(*QUICK, "--out", str(out)).stderr


@pytest.mark.thorough
def test_two_resumes_at_once_do_not_change_the_front(llmnas: Run, tmp_path: Path) -> None:
    whole = timeless(parsed(llmnas(*QUICK, "--evaluations", "200", "--json", folder=tmp_path / "whole")))
    started = warm.Popen([*QUICK, "--evaluations", "200"], env=environment(tmp_path), stderr=subprocess.PIPE, text=True)
    with started:
        for line in started.stderr:
            if line.startswith("round 1"):
                started.kill()
                break
    both = [
        warm.Popen(
            ["resume", whole["search_id"]],
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=HUNG)[1] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes[0] == 0, said
    assert codes[1] == 0 or any("by another process" in text for text in said), said
    assert timeless(parsed(llmnas("resume", whole["search_id"], "--json"))) == whole


def test_a_folder_that_cannot_be_written_is_refused_before_the_search(llmnas: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = llmnas(*QUICK, "--out", str(tmp_path / "file"), check=False)
    assert done.returncode == 1
    assert "cannot write" in done.stderr
    assert parsed(llmnas("searches", "--json"))["searches"] == []


@pytest.mark.thorough
def test_searches_of_two_stores_in_one_folder_do_not_meet(llmnas: Run, tmp_path: Path) -> None:
    one, other = (f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "other"))
    first = timeless(parsed(llmnas(*QUICK, "--store", one, "--out", str(tmp_path / "out"), "--json")))
    second = timeless(parsed(llmnas(*QUICK, "--store", other, "--json")))
    assert first == second
