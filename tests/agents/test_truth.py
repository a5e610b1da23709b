"""What a search is in truth, told when it is done and tables are imported, and not before."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from llmnas_agents.laboratory import open_laboratory

from llmnas_mcp import results as r
from llmnas_mcp.benchmarks import Judge
from llmnas_mcp.benchmarks.tables import import_measured
from llmnas_mcp.spaces import get_space
from tests.agents.conftest import Run, parsed

pytestmark = pytest.mark.anyio
SPACE = get_space("nasbench201")
CONVOLUTIONS = (2, 3)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A made-up table of the whole space: convolutions cost, and the later ones are worth more."""
    lines = ["arch_str,raspi4_latency,cifar10_test_200"]
    for genotype in SPACE.genotypes():
        cost = 1 + sum(3 * (op == 3) + (op == 2) for op in genotype)
        accuracy = 50 + sum((i + op) * (op in CONVOLUTIONS) for i, op in enumerate(genotype))
        lines.append(f"{SPACE.format(genotype)},{cost},{accuracy}")
    (tmp_path / "made_up.csv").write_text("\n".join(lines) + "\n")
    import_measured(tmp_path / "made_up.csv", SPACE, tmp_path / "tables", "cifar10")
    return tmp_path / "tables"


@pytest.mark.thorough
def test_a_finished_search_is_told_its_share_of_the_exact_front_and_that_of_random(llmnas: Run, tables: Path) -> None:
    done = llmnas("search", "--device", "raspi4", "--evaluations", "60", "--json")
    front = parsed(done)
    judge = Judge.of(SPACE, "cifar10", "raspi4", ["latency"], tables)
    asked = [SPACE.parse(point["architecture"]) for point in front["front"]]
    assert front["truth"]["share"] == pytest.approx(judge.verdict(asked).share)
    assert 0 < front["truth"]["random"] < 1
    assert front["truth"]["judge"] == "table:made_up"
    said = llmnas("resume", front["search_id"]).stderr
    assert f"In truth {front['truth']['share']:.4f} of the exact front's hypervolume, random" in said


def test_without_a_table_of_accuracies_nothing_is_said_of_the_truth(llmnas: Run) -> None:
    front = parsed(llmnas("search", "--device", "raspi4", "--evaluations", "20", "--json"))
    assert "truth" not in front


@pytest.mark.parametrize("budget", [20, 19])
async def test_a_search_under_way_or_of_a_few_networks_sees_nothing_of_the_truth(
    tables: Path, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    monkeypatch.setenv("LLMNAS_DATA", str(tables))
    async with open_laboratory(store=f"sqlite:///{tables}/llmnas.db") as lab:
        started = await lab.start_search(device="raspi4", evaluations=budget, niches=1)
        cells = [SPACE.format(tuple(cell)) for cell in SPACE.distinct()[1000 : 1000 + budget].tolist()]
        seen = []
        for part in (cells[:-1], cells[-1:]):
            await lab.call(
                "submit_architectures", r.Submission, search_id=started.search_id, architectures=part, niche=0
            )
            seen.append(await lab.compute_pareto_front(started.search_id))
    assert (seen[0].true_share, seen[0].true_share_random, seen[0].judge) == (None, None, None)
    assert (seen[1].true_share is not None) == (budget == 20)
    assert seen[1].judge == ("table:made_up" if budget == 20 else None)


def told(page: Path) -> dict[str, Any]:
    """The values that a report's page is drawn from."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.thorough
def test_a_report_judges_by_tables_where_there_are_any_and_else_calls_it_an_estimate(
    llmnas: Run, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    asked = ("search", "--device", "raspi4", "--evaluations", "42", "--json", "--out")
    llmnas(*asked, str(tmp_path / "estimated"))
    request.getfixturevalue("tables")
    front = parsed(llmnas(*asked, str(tmp_path / "measured")))
    estimated, measured = (told(tmp_path / name / "report.html") for name in ("estimated", "measured"))
    assert estimated["truth"]["estimated"]
    assert estimated["truth"]["error"] > 0
    assert all(point["accuracy_error"] > 0 for point in estimated["front"])
    assert measured["truth"]["estimated"] is False
    assert measured["truth"]["share"] == pytest.approx(front["truth"]["share"], rel=1e-5)
    judge = Judge.of(SPACE, "cifar10", "raspi4", ["latency"], tmp_path / "tables")
    for point in measured["front"]:
        cell = SPACE.parse(measured["members"]["architecture"][point["member"]])
        assert point["accuracy"] == judge.values([cell])[0, 0]
        assert point["accuracy_error"] is None
