"""`llmnas bench run` as a user runs it: what it leaves, how it goes on, what it says."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from llmnas_mcp.spaces import get_space
from tests import warm
from tests.agents.asking import Serve
from tests.agents.conftest import Run, environment
from tests.agents.stub_anthropic import USAGE, Answer
from tests.thorough import HUNG

pytestmark = pytest.mark.usefixtures("no_credentials")
SPACE = get_space("nasbench201")
QUICK = ("bench", "run", "--datasets", "cifar10", "--devices", "fpga", "--budgets", "20", "--seeds", "2")


def rows(out: Path) -> list[dict[str, Any]]:
    """The runs in a fixed order, without their times."""
    found = [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines()]
    return sorted(({k: v for k, v in row.items() if k != "seconds"} for row in found), key=lambda row: row["key"])


def begun(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A bench as a process, its first run done."""
    process = warm.Popen(
        list(arguments), env=environment(folder), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    assert any("1 run ended" in line for line in process.stderr)
    return process


@pytest.mark.thorough
def test_a_bench_leaves_tables_and_figures_and_does_nothing_twice(llmnas: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = (*QUICK, "--methods", "evolution,evolution+no-zero-cost,random,exhaustive", "--out", str(out))
    done = llmnas(*asked, "--parquet")
    assert {p.name for p in out.iterdir() if not p.name.startswith(".")} == {
        *("plan.json", "runs.jsonl", "runs.csv", "runs.parquet", "tables.md", "tables.tex"),
        *("hypervolume.png", "hypervolume.svg", "stores"),
    }
    found = rows(out)
    assert [(row["method"], row["seed"], row["evaluations"]) for row in found] == [
        ("evolution+no-zero-cost", 0, 20),
        ("evolution+no-zero-cost", 1, 20),
        ("evolution", 0, 20),
        ("evolution", 1, 20),
        ("exhaustive", 0, 5259),
        ("random", 0, 20),
        ("random", 1, 20),
    ]
    assert list((out / "stores").iterdir()) == []
    shares = {row["key"]: row["score_share"] for row in found}
    assert shares["cifar10-fpga-exhaustive-20-0"] == 1
    assert all(0 < share <= 1 for share in shares.values())
    assert all(row["estimated"] and "fitted" in row["judge"] for row in found)
    assert all(row["curve"][-1][0] == row["evaluations"] for row in found)
    assert all(row["curve"][-1][2] == row["share"] for row in found)
    with (out / "runs.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert sorted(float(row["share"]) for row in table) == sorted(row["share"] for row in found)
    import pyarrow.parquet

    assert pyarrow.parquet.read_table(out / "runs.parquet").num_rows == 7
    assert "| cifar10 | 20 | evolution+no-zero-cost |" in (out / "tables.md").read_text()
    with Image.open(out / "hypervolume.png") as picture:
        assert picture.width > 1000
    assert "<svg" in (out / "hypervolume.svg").read_text()
    assert "evolution+no-zero-cost" in done.stdout

    before = (out / "runs.jsonl").read_bytes()
    again = llmnas(*asked)
    assert (out / "runs.jsonl").read_bytes() == before
    assert again.stdout == done.stdout
    more = llmnas(*asked, "--seeds", "3")
    assert len(rows(out)) == 10
    assert "±" in more.stdout


def test_regret_is_told_for_every_limit_and_short_trainings_lessen_it(llmnas: Run, tmp_path: Path) -> None:
    lines = ["arch_str,cifar10_test_200,cifar10_valid_12"]
    for genotype in SPACE.genotypes():  # made up: later convolutions are worth more, and a short training tells all
        accuracy = 50 + sum((i + op) * (op in (2, 3)) for i, op in enumerate(genotype))
        lines.append(f"{SPACE.format(genotype)},{accuracy},{accuracy - 20}")
    (tmp_path / "made_up.csv").write_text("\n".join(lines) + "\n")
    llmnas("data", "import", str(tmp_path / "made_up.csv"))
    out = tmp_path / "out"
    where = ("--datasets", "cifar10", "--devices", "fpga", "--budgets", "100", "--seeds", "1", "--out", str(out))
    shown = llmnas("bench", "run", *where, "--methods", "random,random+train,exhaustive+train").stdout
    whole, alone, trained = sorted(rows(out), key=lambda row: row["method"])
    assert alone["share"] == trained["share"]
    assert (alone["epochs"], trained["epochs"], whole["epochs"]) == (0, 120, 120)
    for i in range(1, 5):
        assert 0 <= trained[f"regret_{i}"] <= alone[f"regret_{i}"]
        # What is chosen is no better than the best that was found, and that no better than the best there is.
        assert alone[f"regret_{i}"] >= whole[f"best_under_{i}"] - alone[f"best_under_{i}"]
    assert trained["regret"] < alone["regret"]
    assert alone["regret"] == pytest.approx(sum(alone[f"regret_{i}"] for i in range(1, 5)) / 4)
    assert "regret" in shown
    assert "| limit 4: best acc. %; regret |" in (out / "tables.md").read_text()
    assert "regret" in (out / "tables.tex").read_text()
    with (out / "runs.csv").open(newline="") as file:
        assert {float(row["regret"]) for row in csv.DictReader(file)} == {
            row["regret"] for row in (whole, alone, trained)
        }


def test_short_trainings_that_nobody_imported_are_asked_for_before_anything_runs(llmnas: Run, tmp_path: Path) -> None:
    done = llmnas(*QUICK, "--methods", "random+train", "--out", str(tmp_path / "out"), check=False)
    assert done.returncode == 1
    assert "Import one with columns arch_str and cifar10_valid_12" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.thorough
def test_a_bench_can_be_for_two_costs(llmnas: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    where = ("bench", "run", "--datasets", "cifar10", "--devices", "edgegpu", "--budgets", "20", "--seeds", "1")
    both = ("--objective", "latency", "--objective", "energy")
    llmnas(*where, *both, "--methods", "evolution,random,nsga2,exhaustive", "--out", str(out))
    found = rows(out)
    assert {row["objective"] for row in found} == {"latency and energy"}
    shares = {row["method"]: row["score_share"] for row in found}
    assert shares["exhaustive"] == 1
    assert all(0 < share <= 1 for share in shares.values())
    assert all(0 < row["share"] <= 1 and 0 < row["ranges"] <= 1 for row in found)
    assert all(row["curve"][-1][2] == row["share"] for row in found)
    assert "against the exact front in accuracy and latency and energy" in (out / "tables.md").read_text()


@pytest.mark.thorough
def test_a_bench_that_was_killed_goes_on_and_ends_as_if_it_had_not_been(llmnas: Run, tmp_path: Path) -> None:
    asked = (*QUICK, "--methods", "evolution,random", "--seeds", "4", "--processes", "1", "--out")
    llmnas(*asked, str(tmp_path / "whole"))
    out = tmp_path / "killed"
    process = begun(tmp_path, *asked, str(out))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 1 <= (out / "runs.jsonl").read_bytes().count(b"\n") < 8
    with (out / "runs.jsonl").open("a") as file:
        file.write('{"key": "cut of')
    llmnas(*asked, str(out))
    assert rows(out) == rows(tmp_path / "whole")


@pytest.mark.thorough
def test_ctrl_c_ends_a_bench_with_a_word_and_what_is_done_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = (*QUICK, "--methods", "evolution", "--seeds", "50", "--budgets", "400", "--out", str(out))
    process = begun(tmp_path, *asked)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=HUNG)[1]
    assert process.returncode == 130
    assert "Stopped. Nothing is lost: the same command goes on." in said
    assert "Traceback" not in said
    assert 1 <= len(rows(out)) < 50


@pytest.mark.thorough
def test_a_method_from_outside_is_one_among_others_and_its_failure_too(
    llmnas: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "def first(problem, seed):\n    problem.evaluate(problem.landscape.reference.genotypes)\n"
        "def broken(problem, seed):\n    1 / seed\n    problem.evaluate(problem.landscape.reference.genotypes)\n"
    )
    monkeypatch.chdir(tmp_path)
    done = llmnas(*QUICK, "--methods", "mine:broken,mine:first,random", "--out", "out", check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "1 of 6 runs failed. The same command tries them again." in done.stderr
    assert "Traceback" not in done.stderr
    assert [row["method"] for row in rows(tmp_path / "out")] == ["mine:broken", *["mine:first"] * 2, *["random"] * 2]


@pytest.mark.thorough
def test_a_method_that_quits_or_raises_what_cannot_be_sent_fails_alone(
    llmnas: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rude.py").write_text(
        "class Odd(Exception):\n    def __init__(self, a, b):\n        super().__init__(a)\n"
        "def quits(problem, seed):\n    raise SystemExit(3)\n"
        "def stops(problem, seed):\n    raise KeyboardInterrupt\n"
        "def odd(problem, seed):\n    raise Odd('odd', 2)\n"
    )
    monkeypatch.chdir(tmp_path)
    asked = ("--methods", "rude:quits,rude:stops,rude:odd,random", "--seeds", "1", "--out", "out")
    done = llmnas(*QUICK, *asked, check=False)
    assert done.returncode == 1
    assert {"SystemExit: 3", "KeyboardInterrupt: ", "Odd: odd"} <= {
        line.partition("-20-0: ")[2] for line in done.stderr.splitlines()
    }
    assert "3 of 4 runs failed" in done.stderr
    assert [row["method"] for row in rows(tmp_path / "out")] == ["random"]


@pytest.mark.thorough
def test_a_method_that_ends_its_process_fails_alone(
    llmnas: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ends.py").write_text("import os\ndef now(problem, seed):\n    os._exit(1)\n")
    monkeypatch.chdir(tmp_path)
    done = llmnas(*QUICK, "--methods", "ends:now,random", "--out", "out", check=False)
    assert done.returncode == 1
    assert "ends~now-20-0: Its process ended: it exited with 1." in done.stderr
    assert "2 of 4 runs failed" in done.stderr
    assert [row["method"] for row in rows(tmp_path / "out")] == ["random"] * 2


@pytest.mark.thorough
def test_runs_by_another_judge_are_not_put_beside_those_there_are(llmnas: Run, tmp_path: Path) -> None:
    asked = (*QUICK, "--methods", "random", "--out", str(tmp_path / "out"))
    llmnas(*asked, "--seeds", "1")
    (tmp_path / "mine.csv").write_text(f"arch_str,cifar10_test_200\n{SPACE.example},91.25\n")
    llmnas("data", "import", str(tmp_path / "mine.csv"))
    assert llmnas(*asked, "--seeds", "1").returncode == 0
    done = llmnas(*asked, check=False)
    assert done.returncode == 1
    assert "judged by fitted:nasbench201-accuracy, fitted:hwnasbench, now it is" in done.stderr
    assert len(rows(tmp_path / "out")) == 1


@pytest.mark.thorough
def test_a_table_that_cannot_be_written_is_told_and_the_runs_are_kept(llmnas: Run, tmp_path: Path) -> None:
    (tmp_path / "out" / "tables.md").mkdir(parents=True)
    done = llmnas(*QUICK, "--methods", "random", "--out", str(tmp_path / "out"), check=False)
    assert done.returncode == 1
    assert "cannot write tables.md" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(rows(tmp_path / "out")) == 2


@pytest.mark.thorough
def test_what_a_model_used_is_in_the_table_and_its_answers_are_kept(llmnas: Run, serve: Serve, tmp_path: Path) -> None:
    stub = serve(lambda _: Answer("no JSON"))
    out = tmp_path / "out"
    asked = (*QUICK, "--methods", "claude", "--seeds", "1", "--max-tokens", "100000", "--out", str(out))
    llmnas(*asked)
    (row,) = rows(out)
    assert row["calls"] == len(stub.requests) > 0
    assert row["input_tokens"] + row["output_tokens"] == len(stub.requests) * sum(USAGE.values())
    assert row["cost_usd"] > 0
    assert (out / "stores" / row["key"] / "llmnas.db").exists()


@pytest.mark.thorough
def test_a_model_that_runs_into_its_limit_is_a_failed_run(llmnas: Run, serve: Serve, tmp_path: Path) -> None:
    serve(lambda _: Answer("no JSON"))
    done = llmnas(
        *QUICK, "--methods", "claude,random", "--max-tokens", "10", "--out", str(tmp_path / "out"), check=False
    )
    assert done.returncode == 1
    assert "2 of 4 runs failed" in done.stderr
    assert "max-tokens" in done.stderr
    assert len(rows(tmp_path / "out")) == 2


@pytest.mark.thorough
def test_runs_that_cannot_be_compared_do_not_share_a_folder(llmnas: Run, tmp_path: Path) -> None:
    asked = (*QUICK, "--methods", "random", "--out", str(tmp_path / "out"))
    llmnas(*asked)
    done = llmnas(*asked, "--limits", "2,4", check=False)
    assert done.returncode == 1
    assert "cannot be compared" in done.stderr
    assert len(rows(tmp_path / "out")) == 2


def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(llmnas: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = llmnas(*QUICK, "--methods", "random", "--out", str(tmp_path / "file"), check=False)
    assert done.returncode == 1
    assert "Name a folder you can write to" in done.stderr
    assert "Traceback" not in done.stderr
