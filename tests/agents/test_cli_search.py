"""`llmnas search` as a user runs it: a process, its output, the files it leaves."""

from __future__ import annotations

import importlib.metadata
import json
import select
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import warm
from tests.agents.conftest import Run, environment, parsed, timeless

QUICK = ("--device", "raspi4", "--evaluations", "90")

# Pinned so that a change of what a seed gives is seen and meant: first and last of the front of 90 evaluations, seed 0.
GOLDEN_SIZES = (17, 26)  # of the front, and with what is near it
GOLDEN_HYPERVOLUME = 0.891029
GOLDEN_ENDS = (
    "|none~0|+|skip_connect~0|none~1|+|skip_connect~0|none~1|skip_connect~2|",
    "|nor_conv_1x1~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|",
)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a quick search, and the front that it printed and nothing else."""
    folder = tmp_path_factory.mktemp("quick")
    done = warm.run(["search", *QUICK, "--json"], env=environment(folder), check=True)
    assert done.stderr == ""
    return folder, parsed(done)


@pytest.fixture(scope="module")
def for_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder of a quick search for two costs, with what it saved in `out`, and what it printed."""
    folder = tmp_path_factory.mktemp("for_two")
    asked = ["--objective", "latency", "--objective", "energy", "--device", "edgegpu", "--max-params", "1"]
    more = ["--evaluations", "60", "--out", str(folder / "out")]
    return folder, warm.run(["search", *asked, *more], env=environment(folder), check=True)


def searches(folder: Path) -> int:
    """How many searches a store holds; none where there is no store."""
    path = folder / "llmnas.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as store:
        return int(store.execute("select count(*) from searches").fetchone()[0])


def test_a_search_leaves_front_json_and_picture_as_the_design_says(llmnas: Run, tmp_path: Path) -> None:
    done = llmnas("search", *QUICK, "--out", str(tmp_path / "out"))
    front = json.loads((tmp_path / "out" / "front.json").read_text())
    assert list(front) == [
        "search_id",
        "space",
        "dataset",
        "device",
        "objectives",
        "units",
        "operator",
        "seed",
        "objective",
        "evaluations",
        "wall_s",
        "llm",
        "hypervolume",
        "front",
        "members",
        "rules",
    ]
    assert list(front["front"][0]) == [
        *("architecture", "short", "niche", "score", "cost", "unit", "source", "params_m", "near")
    ]
    assert front["llm"] == {"calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
    assert front["evaluations"] == front["members"] == 90
    assert front["rules"] > 0
    assert (tmp_path / "out" / "front.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "front.json",
        "front.png",
        "front.svg",
        "report.html",
    ]
    assert "<svg" in (tmp_path / "out" / "front.svg").read_text()
    assert front["search_id"] in (tmp_path / "out" / "report.html").read_text()
    assert "round 1: 17/90 evaluations, hypervolume" in done.stderr
    assert front["front"][0]["short"] in done.stdout
    assert "not an accuracy" in done.stderr


def test_the_front_rises_in_score_with_cost_and_what_is_near_it_is_marked(quick: tuple[Path, dict[str, Any]]) -> None:
    front = quick[1]["front"]
    costs, scores = [p["cost"] for p in front], [p["score"] for p in front if not p["near"]]
    assert costs == sorted(costs)
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)
    assert len(scores) < len(front)


@pytest.mark.thorough
def test_the_table_shows_the_front_alone_and_says_how_much_is_near_it(
    llmnas: Run, quick: tuple[Path, dict[str, Any]]
) -> None:
    shown = llmnas("search", *QUICK).stdout
    front = quick[1]["front"]
    near = [p for p in front if p["near"]]
    assert f": {len(front) - len(near)} architectures" in shown
    assert f"with {len(near)} more that are within error of it" in shown


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_front_and_another_seed_another(llmnas: Run, tmp_path: Path) -> None:
    one, same, other = (
        timeless(parsed(llmnas("search", *QUICK, "--seed", seed, "--json", folder=tmp_path / name)))
        for name, seed in (("one", "1"), ("same", "1"), ("other", "2"))
    )
    assert one == same
    assert one["front"] != other["front"]


def test_a_seed_gives_what_it_always_gave(quick: tuple[Path, dict[str, Any]]) -> None:
    whole = quick[1]
    front = [point for point in whole["front"] if not point["near"]]
    assert whole["hypervolume"] == pytest.approx(GOLDEN_HYPERVOLUME, abs=1e-6)
    assert (len(front), len(whole["front"])) == GOLDEN_SIZES
    assert (front[0]["architecture"], front[-1]["architecture"]) == GOLDEN_ENDS


@pytest.mark.thorough
def test_a_search_stopped_anywhere_resumes_to_the_same_front(llmnas: Run, tmp_path: Path) -> None:
    arguments = ("search", "--device", "pixel3", "--evaluations", "500", "--seed", "5")
    whole = timeless(parsed(llmnas(*arguments, "--json", folder=tmp_path / "whole")))
    for kill in (signal.SIGKILL, signal.SIGINT):
        cut = tmp_path / kill.name
        assert stop_and_resume(llmnas, cut, kill, arguments, whole["search_id"]) == whole
        assert timeless(json.loads((cut / "out" / "front.json").read_text())) == whole


def stop_and_resume(
    llmnas: Run, cut: Path, kill: signal.Signals, arguments: tuple[str, ...], search_id: str
) -> dict[str, Any]:
    """The front of a search that was stopped in its second round and resumed."""
    process = warm.Popen(
        [*arguments, "--out", str(cut / "out")], env=environment(cut), stderr=subprocess.PIPE, text=True
    )
    with process:
        for line in process.stderr:
            if line.startswith("round 2"):
                process.send_signal(kill)
                break
        said = process.stderr.read()
    assert process.returncode != 0
    assert not (cut / "out").exists()
    listed = parsed(llmnas("searches", "--json", folder=cut))["searches"]
    assert 0 < listed[0]["used"] < 150
    if kill == signal.SIGINT:
        assert f"llmnas resume {search_id}" in said
        assert "Traceback" not in said
    return timeless(parsed(llmnas("resume", search_id, "--json", folder=cut)))


def test_ctrl_c_pressed_again_and_again_is_no_more_than_pressed_once(tmp_path: Path) -> None:
    arguments = ["search", "--device", "pixel3", "--evaluations", "2000"]
    with warm.Popen(arguments, env=environment(tmp_path), stderr=subprocess.PIPE, text=True) as process:
        assert any(line.startswith("round 1") for line in process.stderr)
        process.send_signal(signal.SIGINT)
        while not select.select([process.stderr], [], [], 0)[0]:  # until it says that it was stopped
            process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Stopped. Nothing is lost: llmnas resume pixel3-cifar10-" in said
    assert "Traceback" not in said


@pytest.mark.thorough
def test_resuming_a_finished_search_changes_nothing(llmnas: Run, quick: tuple[Path, dict[str, Any]]) -> None:
    folder, front = quick
    assert timeless(parsed(llmnas("resume", front["search_id"], "--json", folder=folder))) == timeless(front)


def test_a_limit_holds_in_the_front(llmnas: Run) -> None:
    front = parsed(llmnas("search", *QUICK, "--max-latency", "15", "--json"))
    assert front["front"]
    assert all(point["cost"] <= 15 for point in front["front"])


def test_a_search_for_two_costs_leaves_a_front_a_table_and_pictures_of_both(
    llmnas: Run, for_two: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    folder, done = for_two
    whole = json.loads((folder / "out" / "front.json").read_text())
    assert (whole["objectives"], whole["units"], whole["objective"]) == (["latency", "energy"], ["ms", "mJ"], "latency")
    assert (whole["device"], whole["evaluations"], whole["members"]) == ("edgegpu", 60, 60)
    for point in whole["front"]:
        assert list(point["costs"]) == ["latency", "energy"]
        assert (point["costs"]["latency"], "ms") == (point["cost"], point["unit"])
        assert point["params_m"] <= 1
        assert point["source"] == "fitted:hwnasbench"
    front = [point for point in whole["front"] if not point["near"]]
    ranked = [(-point["score"], *point["costs"].values()) for point in front]
    for one in ranked:
        assert [other for other in ranked if all(a <= b for a, b in zip(other, one, strict=True))] == [one]
    assert "latency (ms)" in done.stdout
    assert "energy (mJ)" in done.stdout
    assert "latency and energy from fitted:hwnasbench" in " ".join(done.stdout.split())
    best = max(front, key=lambda point: point["score"])
    (line,) = (line for line in done.stdout.splitlines() if line.strip().startswith(best["short"]))
    told = [f"{best['score']:.4f}", *(f"{cost:.3f}" for cost in best["costs"].values()), f"{best['params_m']:.3f}"]
    assert line.split()[2:] == told
    with Image.open(folder / "out" / "front.png") as picture:
        assert picture.size == (4800, 1000)
    assert "--objective latency --objective energy" in (folder / "out" / "report.html").read_text()
    (listed,) = parsed(llmnas("searches", "--json", folder=folder))["searches"]
    assert listed["objectives"] == ["latency", "energy"]
    assert "latency, energy" in llmnas("searches", folder=folder).stdout


def test_the_report_of_a_search_for_two_costs_is_drawn_and_its_pairs_can_be_chosen(
    for_two: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    pytest.importorskip("playwright", reason="playwright is not here: pip install playwright")
    from tests import browser

    program = browser.binary()
    if program is None:
        pytest.skip("Chromium is not here: apt-get install chromium")
    with (
        browser.browser(program) as running,
        browser.opened(running, for_two[0] / "out" / "report.html") as page,
    ):
        names = page.locator("#pairs button").all_text_contents()
        assert names == ["latency and score", "energy and score", "latency and energy"]
        for name in reversed(names):
            page.locator("#pairs").get_by_role("button", name=name, exact=True).click()
            assert page.locator("#pairs button[aria-pressed=true]").all_text_contents() == [name]
            assert page.locator(".field [class^=layer-niche] path, .field [class^=layer-niche] circle").count() == 60


@pytest.mark.thorough
def test_a_search_for_two_costs_is_the_same_with_the_same_seed_over_a_server_and_when_resumed(
    llmnas: Run, tmp_path: Path
) -> None:
    asked = ("search", "--objective", "energy", "--objective", "macs", "--device", "edgegpu", "--evaluations", "60")
    one = parsed(llmnas(*asked, "--json", folder=tmp_path / "one"))
    there = parsed(llmnas(*asked, "--json", "--server", "stdio", folder=tmp_path / "there"))
    assert timeless(one) == timeless(there)
    again = parsed(llmnas("resume", one["search_id"], "--json", folder=tmp_path / "one"))
    assert timeless(again) == timeless(one)


@pytest.mark.thorough
def test_energy_is_an_objective_where_it_was_published(llmnas: Run) -> None:
    front = parsed(llmnas("search", "--device", "eyeriss", "--objective", "energy", "--evaluations", "60", "--json"))
    assert {point["unit"] for point in front["front"]} == {"mJ"}
    refused = llmnas("search", "--device", "raspi4", "--objective", "energy", check=False)
    assert refused.returncode == 1
    assert "eyeriss" in refused.stderr


@pytest.mark.thorough
def test_a_search_for_few_parameters_needs_no_device(llmnas: Run, tmp_path: Path) -> None:
    arguments = ("--space", "nasbench201", "--objective", "params", "--max-macs", "100", "--evaluations", "40")
    done = llmnas("search", *arguments, "--out", str(tmp_path / "out"))
    front = json.loads((tmp_path / "out" / "front.json").read_text())
    assert (front["device"], front["objective"], front["evaluations"]) == (None, "params", 40)
    assert {point["unit"] for point in front["front"]} == {"M"}
    assert all(point["cost"] == pytest.approx(point["params_m"]) for point in front["front"])
    assert "params (M)" in done.stdout
    asked = ("--objective", "macs", "--json")
    costs = parsed(llmnas("latency", *(point["architecture"] for point in front["front"]), *asked))["results"]
    assert max(cost["value"] for cost in costs) <= 100
    (line,) = parsed(llmnas("searches", "--json"))["searches"]
    assert line["device"] is None
    assert "None" not in llmnas("searches").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--device", "raspi4", "--objective", "macs"), "device"),
        (("--objective", "latency"), "device"),
        (("--objective", "speed"), "macs"),
        (("--objective", "macs", "--max-latency", "3"), "latency depends on the device: give one of"),
        (("--objective", "params", "--max-params", "0.01"), "at most 0.01 M parameters (the least there is: 0.07"),
        (("--device", "raspi4", "--max-macs", "0"), "--max-macs 0.0 is out of range: choose a positive number"),
        (("--device", "raspi4", "--max-memory", "4"), "No memory was published for raspi4"),
        (("--device", "raspi4", "--max-energy", "4"), "No energy was published for raspi4"),
        (("--device", "raspi4", "--objective", "latency", "--objective", "energy"), "No energy was published"),
        (("--device", "raspi4", "--objective", "latency", "--objective", "latency"), "one or two different ones"),
        (
            ("--device", "edgegpu", *("--objective", "latency"), *("--objective", "energy"), *("--objective", "macs")),
            "objective=latency, energy, macs: give one or two different ones",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_no_search_can_go_by_is_refused_with_what_can(
    llmnas: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = llmnas("search", *arguments, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert searches(tmp_path) == 0


@pytest.mark.thorough
def test_niches_rounds_and_offspring_can_be_set(llmnas: Run) -> None:
    front = parsed(llmnas("search", *QUICK, "--niches", "3", "--rounds", "2", "--offspring", "5", "--json"))
    assert front["evaluations"] == 2 * 3 * 5
    assert {point["niche"] for point in front["front"]} <= {0, 1, 2}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--device", "rasp4"), "Did you mean 'raspi4'?"),
        (("--device", "fpga", "--dataset", "svhn"), "Allowed: ImageNet16-120, cifar10, cifar100, digits."),
        (("--device", "fpga", "--operator", "magic"), "evolution"),
        (("--device", "fpga", "--space", "darts"), "nasbench201"),
        (("--device", "fpga", "--objective", "area"), "latency"),
        (("--device", "fpga", "--max-latency", "0.1"), "Raise the limit"),
        (("--device", "raspi4", "--max-energy", "1"), "Devices with energy: edgegpu"),
        (("--device", "fpga", "--evaluations", "0"), "evaluations=0"),
        (("--device", "fpga", "--niches", "99"), "niches=99"),
        (("--device", "fpga", "--store", "nonsense"), "sqlite:///"),
        (("--device", "fpga", "--server", "nonsense"), "http://"),
    ],
)
def test_a_mistake_ends_in_one_line_that_names_the_fix(
    llmnas: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = llmnas("search", *arguments, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert searches(tmp_path) == 0


@pytest.mark.thorough
def test_a_search_in_a_space_with_an_atlas_never_imports_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from llmnas_agents.cli import main\n"
        "try: main()\n"
        "except SystemExit: print('torch' in sys.modules, file=sys.stderr)"
    )
    arguments = ["search", *QUICK, "--json", "--out", str(tmp_path / "out")]
    cold = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(cold, env=environment(tmp_path), capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "False"


@pytest.mark.thorough
def test_a_search_runs_through_a_server_of_its_own_over_stdio(llmnas: Run, quick: tuple[Path, dict[str, Any]]) -> None:
    there = parsed(llmnas("search", *QUICK, "--json", "--server", "stdio"))
    assert timeless(there) == timeless(quick[1])


@pytest.mark.parametrize("option", [("--model", "local"), ("--max-cost", "1"), ("--deadline", "5")])
def test_what_only_a_model_understands_is_refused_by_an_operator_that_asks_none(
    llmnas: Run, tmp_path: Path, option: tuple[str, str]
) -> None:
    done = llmnas("search", *QUICK, *option, check=False)
    assert done.returncode == 1
    assert f"{option[0]} is for operators that ask a language model" in done.stderr
    assert "evolution asks none: leave it out. --evaluations and --rounds limit any search." in done.stderr
    assert searches(tmp_path) == 0


@pytest.mark.thorough
def test_a_search_says_where_the_whole_front_is(llmnas: Run, tmp_path: Path) -> None:
    assert f"is in {tmp_path / 'out'}/front.json." in llmnas("search", *QUICK, "--out", str(tmp_path / "out")).stdout
    assert "is saved by --out DIR and printed by --json." in llmnas("search", *QUICK).stdout


def test_the_version_is_that_of_the_package(llmnas: Run) -> None:
    assert llmnas("--version").stdout == f"llmnas {importlib.metadata.version('llmnas-mcp')}\n"
