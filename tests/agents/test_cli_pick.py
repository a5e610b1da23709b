"""`llmnas pick` as a user runs it: one network within limits, by the best that is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmnas_mcp.benchmarks.tables import import_measured
from llmnas_mcp.spaces import get_space
from tests import warm
from tests.agents.conftest import Run, environment, parsed

SPACE = get_space("nasbench201")
SEARCH = ("search", "--device", "raspi4", "--evaluations", "60", "--json")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a quick search, and its front."""
    folder = tmp_path_factory.mktemp("searched")
    return folder, parsed(warm.run([*SEARCH], env=environment(folder), check=True))


def test_within_a_limit_it_is_the_one_with_the_highest_estimated_accuracy_and_it_says_how_far_that_is_off(
    llmnas: Run, searched: tuple[Path, dict[str, Any]]
) -> None:
    folder, front = searched
    asked = ("pick", front["search_id"], "--max-latency", "20")
    found = parsed(llmnas(*asked, "--top", "4", "--json", folder=folder))
    assert found["limits"] == {"latency": 20}
    first, *others = found["picks"]
    assert len(others) == 3
    assert all(one["cost"] <= 20 and one["grade"] == "estimated" for one in found["picks"])
    assert first["accuracy"] == max(one["accuracy"] for one in found["picks"])
    assert first["accuracy_source"] == "fitted:nasbench201-accuracy"
    assert first["accuracy_error"] > 0
    shown = llmnas(*asked, folder=folder).stdout
    assert shown.startswith(
        f"Within 20 ms: take {first['short']} at {first['cost']:.3g} ms, with the highest estimated"
    )
    assert "off by 0.28 points on average" in shown


def test_without_a_limit_it_is_the_cheapest_within_error_of_the_best(
    llmnas: Run, searched: tuple[Path, dict[str, Any]]
) -> None:
    folder, front = searched
    found = parsed(llmnas("pick", front["search_id"], "--top", "50", "--json", folder=folder))
    first, *others = found["picks"]
    near = [one for one in others if one["accuracy"] >= max(o["accuracy"] for o in others) - first["accuracy_error"]]
    assert near
    assert all(first["cost"] <= one["cost"] for one in near)
    assert found["why"].startswith("With no limit: take ")


def test_designs_of_a_shortlist_differ_at_two_edges_at_least(
    llmnas: Run, searched: tuple[Path, dict[str, Any]]
) -> None:
    folder, front = searched
    picks = parsed(llmnas("pick", front["search_id"], "--json", folder=folder))["picks"]
    cells = [SPACE.parse(one["architecture"]) for one in picks]
    assert len(cells) == 5
    assert all(sum(a != b for a, b in zip(x, y, strict=True)) >= 2 for x in cells for y in cells if x is not y)


def test_a_limit_may_be_on_a_cost_that_was_no_objective(llmnas: Run, searched: tuple[Path, dict[str, Any]]) -> None:
    folder, front = searched
    found = parsed(llmnas("pick", front["search_id"], "--max-params", "0.3", "--json", folder=folder))
    assert all(one["params_m"] <= 0.3 for one in found["picks"])


def test_what_nothing_is_within_is_told_with_the_least_there_is(
    llmnas: Run, searched: tuple[Path, dict[str, Any]]
) -> None:
    folder, front = searched
    done = llmnas("pick", front["search_id"], "--max-latency", "0.1", check=False, folder=folder)
    assert done.returncode == 1
    assert f"No network of search {front['search_id']} has at most 0.1 ms; the least there is: " in done.stderr
    assert "Traceback" not in done.stderr
    assert (
        "--max-latency -1"
        in llmnas("pick", front["search_id"], "--max-latency", "-1", check=False, folder=folder).stderr
    )
    assert (
        "No energy was published for raspi4"
        in llmnas("pick", front["search_id"], "--max-energy", "1", check=False, folder=folder).stderr
    )
    assert "There is no search 'none'" in llmnas("pick", "none", check=False, folder=folder).stderr


def test_what_was_trained_comes_before_what_is_estimated_whatever_its_accuracy(llmnas: Run, tmp_path: Path) -> None:
    front = parsed(llmnas(*SEARCH))
    one, other = front["front"][3]["architecture"], front["front"][4]["architecture"]
    (tmp_path / "mine.csv").write_text(f"arch_str,cifar10_test_200\n{one},55\n{other},54.5\n")
    import_measured(tmp_path / "mine.csv", SPACE, tmp_path / "tables")
    found = parsed(llmnas("pick", front["search_id"], "--max-latency", "100", "--json", "--top", "3"))
    assert [pick["grade"] for pick in found["picks"]].count("trained") >= 1
    first = found["picks"][0]
    assert (first["architecture"], first["accuracy"], first["accuracy_source"]) == (one, 55, "table:mine")
    assert first["accuracy_error"] is None
    assert "trained accuracy 55.00 % (table:mine) of the 2 trained of " in found["why"]
    assert "estimated" in [pick["grade"] for pick in found["picks"]]


def test_of_a_search_that_may_go_on_no_accuracy_is_told(llmnas: Run) -> None:
    front = parsed(llmnas("search", "--device", "raspi4", "--evaluations", "18", "--json"))  # too few to be judged
    found = parsed(llmnas("pick", front["search_id"], "--json"))
    assert {(pick["grade"], pick["accuracy"]) for pick in found["picks"]} == {("score", None)}
    assert "a rank without training, not an accuracy" in found["why"]


def test_the_headline_of_a_search_speaks_of_its_own_limits(llmnas: Run) -> None:
    shown = llmnas("search", "--device", "raspi4", "--evaluations", "60", "--max-latency", "10").stdout
    assert shown.startswith("Within 10 ms: take ")
    assert " llmnas pick raspi4-cifar10-" in shown
