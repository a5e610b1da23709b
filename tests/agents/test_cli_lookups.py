"""The commands that look something up, and those on data files."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.agents.conftest import Run, parsed

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def made_up_table(path: Path) -> Path:
    """A table of the whole space with made-up latencies in the layout of the published CSV files."""
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.1, 3.0, size=(6, 5))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "arch_str", "raspi4_latency"])
        for i, (a, b, c, d, e, f) in enumerate(product(range(5), repeat=6)):
            op = [OPERATIONS[k] for k in (a, b, c, d, e, f)]
            text = f"|{op[0]}~0|+|{op[1]}~0|{op[2]}~1|+|{op[3]}~0|{op[4]}~1|{op[5]}~2|"
            writer.writerow([i, text, f"{1 + weight[range(6), (a, b, c, d, e, f)].sum():.6f}"])
    return path


def tables(llmnas: Run) -> dict[str, Any]:
    """What was imported, without the images there are."""
    listed = parsed(llmnas("data", "list", "--json"))
    return {name: rows for name, rows in listed.items() if name != "images"}


def test_latency_shows_value_error_and_source(llmnas: Run) -> None:
    done = llmnas("latency", CELL, "--device", "raspi4")
    assert CELL in done.stdout
    assert "fitted:" in done.stdout
    assert "±" in done.stdout
    assert " ms" in done.stdout
    found = parsed(llmnas("latency", CELL, CELL, "--device", "raspi4", "--json"))["results"]
    assert len(found) == 2
    assert found[0] == found[1]


def test_devices_and_spaces_tell_what_there_is(llmnas: Run) -> None:
    devices = llmnas("devices").stdout
    assert all(name in devices for name in ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga", "held out"))
    spaces = llmnas("spaces").stdout
    assert all(word in spaces for word in ("nasbench201", "15,625", "nor_conv_3x3", "|op~0|"))


@pytest.mark.thorough
def test_an_imported_table_takes_precedence_and_is_listed(llmnas: Run, tmp_path: Path) -> None:
    before = parsed(llmnas("latency", CELL, "--device", "raspi4", "--json"))["results"][0]
    llmnas("data", "import", str(made_up_table(tmp_path / "mine.csv")), "--dataset", "cifar10")
    after = parsed(llmnas("latency", CELL, "--device", "raspi4", "--json"))["results"][0]
    assert before["source"].startswith("fitted:")
    assert after["source"] == "table:mine"
    assert after["error"] is None
    assert after["value"] != before["value"]
    listed = parsed(llmnas("data", "list", "--json"))["tables"]
    assert [(t["dataset"], t["device"], t["cells"]) for t in listed] == [("cifar10", "raspi4", 15625)]


@pytest.mark.thorough
def test_accuracies_are_imported_beside_costs_and_both_are_listed(llmnas: Run, tmp_path: Path) -> None:
    path = tmp_path / "both_cifar10.csv"
    path.write_text(f"arch_str,raspi4_latency,cifar10_test_200,cifar100_test_200\n{CELL},3.5,93.25,70\n")
    imported = parsed(llmnas("data", "import", str(path), "--json"))
    assert [(t["dataset"], t["device"], t["cells"]) for t in imported["tables"]] == [("cifar10", "raspi4", 1)]
    assert [(t["dataset"], t["cells"]) for t in imported["accuracies"]] == [("cifar10", 1), ("cifar100", 1)]
    assert tables(llmnas) == imported
    shown = llmnas("data", "list").stdout
    assert "costs" in shown
    assert "test accuracies" in shown


@pytest.mark.thorough
def test_a_dataset_nobody_knew_is_searched_once_its_table_is_imported(llmnas: Run, tmp_path: Path) -> None:
    done = llmnas("data", "import", str(made_up_table(tmp_path / "mine.csv")), "--dataset", "flowers")
    assert "32x32" in done.stderr
    front = parsed(llmnas("search", "--device", "raspi4", "--dataset", "flowers", "--evaluations", "60", "--json"))
    assert front["dataset"] == "flowers"
    assert {point["source"] for point in front["front"]} == {"table:mine"}


def test_a_device_of_a_table_is_listed_prices_and_is_gone_once_the_table_is_removed(
    llmnas: Run, tmp_path: Path
) -> None:
    path = tmp_path / "mine_cifar10.csv"
    path.write_text(f"arch_str,my-board_latency\n{CELL},3.5\n")
    imported = parsed(llmnas("data", "import", str(path), "--json"))
    (row,) = [d for d in parsed(llmnas("devices", "--json"))["devices"] if d["device"] == "my-board"]
    assert (row["title"], row["source"], row["error"]) == ("my-board (imported table)", "table:mine_cifar10", None)
    (cost,) = parsed(llmnas("latency", CELL, "--device", "my-board", "--json"))["results"]
    assert cost["value"] == 3.5
    refused = llmnas("data", "remove", "yours", check=False)
    assert refused.returncode == 1
    assert "Unknown table 'yours'. Allowed: mine_cifar10." in refused.stderr
    assert parsed(llmnas("data", "remove", "mine_cifar10", "--json")) == imported
    assert tables(llmnas) == {"tables": [], "accuracies": []}
    gone = llmnas("latency", CELL, "--device", "my-board", check=False)
    assert "Unknown device 'my-board'" in gone.stderr


def test_a_table_that_is_none_is_refused_with_the_reason(llmnas: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("arch_str,raspi4_latency\n|nor_conv_3x3~0|,12\n")
    done = llmnas("data", "import", str(bad), "--dataset", "cifar10", check=False)
    assert done.returncode == 1
    assert "bad.csv" in done.stderr
    assert "Traceback" not in done.stderr
    missing = llmnas("data", "import", str(tmp_path / "nowhere.csv"), check=False)
    assert missing.returncode == 1
    assert "nowhere.csv" in missing.stderr
    assert tables(llmnas) == {"tables": [], "accuracies": []}


def test_help_lists_the_commands(llmnas: Run) -> None:
    done = llmnas("--help")
    assert all(name in done.stdout for name in ("search", "resume", "searches", "latency", "score", "devices", "data"))
