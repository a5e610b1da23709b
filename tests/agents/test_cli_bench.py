"""`llmnas bench` as a user runs it."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

from tests.agents.asking import Serve
from tests.agents.conftest import Run, parsed
from tests.agents.scientist import FORM, question
from tests.agents.stub_anthropic import Answer, Request
from tests.agents.test_cli_lookups import made_up_table

pytestmark = pytest.mark.usefixtures("no_credentials")


def search(llmnas: Run, operator: str, *more: str) -> str:
    arguments = ("search", "--device", "raspi4", "--operator", operator, "--evaluations", "42", "--json")
    return str(parsed(llmnas(*arguments, *more))["search_id"])


@pytest.mark.thorough
def test_a_model_that_only_knows_large_cells_is_seen_beside_a_search_in_niches(
    llmnas: Run, serve: Serve, tmp_path: Path
) -> None:
    cells = product(("nor_conv_3x3", "nor_conv_1x1"), repeat=6)

    def large(request: Request) -> Answer:
        count = int(re.search(r"Propose (\d+)", question(request))[1])
        rest = {"operator": "fresh", "parents": [], "reason": "strong"}
        offspring = [{"architecture": FORM.format(*cell), **rest} for cell, _ in zip(cells, range(count), strict=False)]
        return Answer(json.dumps({"offspring": offspring}))

    serve(large)
    plain, evolution = search(llmnas, "plain-prompt"), search(llmnas, "evolution")
    found = parsed(llmnas("bench", "coverage", plain, evolution, "--json"))
    biased, even = found["searches"]
    assert (biased["search_id"], biased["operator"], biased["designs"], biased["bred"]) == (
        plain,
        "plain-prompt",
        42,
        0,
    )
    assert (even["search_id"], even["operator"], even["designs"], even["bred"]) == (evolution, "evolution", 42, 0)
    (edges,), (biased_ranges,), (even_ranges,) = found["range_edges"], biased["ranges"], even["ranges"]
    assert len(edges) == 11
    assert len(biased_ranges["counts"]) == 10
    assert len(biased["niches"]["counts"]) == len(found["niche_edges"]) - 1
    assert biased_ranges["reached"] < even_ranges["reached"]
    assert biased["niches"]["reached"] < even["niches"]["reached"] == len(even["niches"]["counts"])

    shown = llmnas("bench", "coverage", plain, evolution, "--out", str(tmp_path / "new" / "coverage.png"))
    assert all(name in shown.stdout for name in (plain, evolution, "plain-prompt"))
    assert f"{biased_ranges['reached']}/10 {10 * biased_ranges['reached']} %" in shown.stdout
    with Image.open(tmp_path / "new" / "coverage.png") as picture:
        assert picture.size == (1600, 880)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["coverage.png"]


@pytest.mark.thorough
def test_a_model_whose_answers_are_of_no_use_has_reached_nothing(llmnas: Run, serve: Serve) -> None:
    serve(lambda _: Answer('{"offspring": [{"architecture": "|conv~0|"}]}'))
    plain = search(llmnas, "plain-prompt")
    found = parsed(llmnas("bench", "coverage", plain, "--json"))["searches"][0]
    assert (found["designs"], found["bred"], found["ranges"][0]["reached"]) == (0, 42, 0)
    shown = llmnas("bench", "coverage", plain).stdout
    assert "0/10 0 %" in shown
    assert "bred in" in shown


@pytest.mark.thorough
def test_the_store_can_be_named(llmnas: Run, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/other.db"
    other = search(llmnas, "evolution", "--store", store)
    assert llmnas("bench", "coverage", other, check=False).returncode == 1
    done = llmnas("bench", "coverage", other, "--store", store, "--json")
    assert parsed(done)["searches"][0]["designs"] == 42
    assert done.stderr == ""


def test_bench_alone_shows_what_there_is(llmnas: Run) -> None:
    assert "coverage" in llmnas("bench", check=False).stdout
    assert "--out" in llmnas("bench", "coverage", "--help").stdout


@pytest.mark.thorough
def test_mistakes_end_in_one_line_that_names_the_fix(llmnas: Run, tmp_path: Path) -> None:
    one, other = search(llmnas, "evolution"), search(llmnas, "evolution", "--dataset", "cifar100")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("mine")
    llmnas("data", "import", str(made_up_table(tmp_path / "mine.csv")), "--dataset", "cifar10")
    measured = search(llmnas, "evolution", "--seed", "1")
    there = sorted(tmp_path.iterdir())
    for arguments, said in (
        (["nowhere"], f"There is no search 'nowhere'. The latest are {measured}"),
        ([one, one], f"{one} is named more than once"),
        ([one, other], f"differ in dataset: {one} has cifar10, {other} has cifar100"),
        ([one, measured], "tables of costs"),
        ([one, "--out", str(tmp_path / "picture.jpg")], "FILE.png"),
        ([one, "--out", str(tmp_path)], "FILE.png"),
        ([one, "--out", str(tmp_path / "folder.png")], "Name another file"),
        ([one, "--out", str(tmp_path / "file" / "picture.png")], "Name another file"),
        ([one, "--store", "nonsense"], "sqlite:///"),
    ):
        done = llmnas("bench", "coverage", *arguments, check=False)
        assert done.returncode == 1
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
    assert sorted(tmp_path.iterdir()) == there
    assert list((tmp_path / "folder.png").iterdir()) == []
    assert (tmp_path / "file").read_text() == "mine"
