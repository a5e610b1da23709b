"""What an installed package brings, used from the command line as ours is."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.agents.conftest import Run

PACKAGE = """
from llmnas_agents.operators import EvolutionOperator
from llmnas_mcp.devices import Device
from llmnas_mcp.scoring import Proxy


class Chance(EvolutionOperator):
    name = "chance"

    async def reason(self, lab, brief, round_):
        return []


def first(problem, seed):
    problem.evaluate(problem.landscape.reference.genotypes)


def price(space, genotypes, dataset, objective):
    return [(1.0 + sum(genotype)) / (4 if objective == "memory" else 1) for genotype in genotypes]


ABACUS = Device("abacus", "An abacus", False, price=price, error=0.25, memory=True)
DEPTH = Proxy("depth", "how many modules there are", "this test", lambda seen: float(len(list(seen.network.modules()))))
"""
POINTS = """
[llmnas.devices]
abacus = brought:ABACUS
broken = brought:NOTHING
[llmnas.methods]
first = brought:first
[llmnas.operators]
chance = brought:Chance
[llmnas.proxies]
depth = brought:DEPTH
other = brought:DEPTH
"""
CELL = "3n3sn1"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with an entry point in every group."""
    info = tmp_path / "site" / "brought-0.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text(POINTS)
    (tmp_path / "site" / "brought.py").write_text(PACKAGE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), *sys.path]))


def test_a_device_of_a_package_prices_and_is_listed_and_a_broken_one_harms_nobody(llmnas: Run) -> None:
    (cost,) = json.loads(llmnas("latency", CELL, "--device", "abacus", "--json").stdout)["results"]
    assert (cost["value"], cost["source"], cost["error"]) == (1.0 + 3 + 3 + 1 + 2, "package:abacus", 0.25)
    asked = ("--device", "abacus", "--objective", "memory", "--json")
    (memory,) = json.loads(llmnas("latency", CELL, *asked).stdout)["results"]
    assert (memory["value"], memory["unit"]) == (cost["value"] / 4, "MB")
    refused = llmnas("latency", CELL, "--device", "raspi4", "--objective", "memory", check=False)
    assert "Devices with memory: abacus." in refused.stderr
    listed = json.loads(llmnas("devices", "--json").stdout)["devices"]
    assert {row["dataset"] for row in listed if row["device"] == "abacus"} >= {"cifar10", "cifar100"}
    assert {row["objective"] for row in listed if row["device"] == "abacus"} == {"latency", "memory"}
    assert "broken" not in {row["device"] for row in listed}
    done = llmnas("latency", CELL, "--device", "broken", check=False)
    assert done.returncode == 1
    assert "'broken' of the package brought 0.3 cannot be used: AttributeError" in done.stderr


def test_a_search_runs_by_an_operator_and_on_a_device_of_a_package(llmnas: Run, tmp_path: Path) -> None:
    asked = ("--device", "abacus", "--operator", "chance", "--evaluations", "40", "--out", str(tmp_path / "out"))
    llmnas("search", *asked)
    front = json.loads((tmp_path / "out" / "front.json").read_text())
    assert (front["operator"], front["device"], front["evaluations"], front["rules"]) == ("chance", "abacus", 40, 0)
    assert {point["source"] for point in front["front"]} == {"package:abacus"}


@pytest.mark.thorough
def test_a_proxy_of_a_package_is_measured_beside_ours(llmnas: Run) -> None:
    (row,) = json.loads(llmnas("score", CELL, "--proxies", "params,depth", "--json").stdout)["results"]
    assert row["proxies"]["depth"] > 50
    done = llmnas("score", CELL, "--proxies", "other", check=False)
    assert done.returncode == 1
    assert "its name is 'depth' there. Both names must be the same." in done.stderr


@pytest.mark.thorough
def test_a_bench_holds_a_method_of_a_package_against_ours(llmnas: Run, tmp_path: Path) -> None:
    quick = ("--datasets", "cifar10", "--devices", "fpga", "--budgets", "20", "--seeds", "1")
    llmnas("bench", "run", *quick, "--methods", "first,random", "--out", str(tmp_path / "out"))
    rows = [json.loads(line) for line in (tmp_path / "out" / "runs.jsonl").read_text().splitlines()]
    assert {row["method"] for row in rows} == {"first", "random"}
