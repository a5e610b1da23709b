"""The paper's ablations, each one flag of `llmnas search`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.agents.asking import Serve
from tests.agents.conftest import Run, parsed, timeless
from tests.agents.stub_anthropic import Answer

QUICK = ("--device", "raspi4", "--evaluations", "90", "--json")


def listed(llmnas: Run) -> dict[str, str]:
    return {s["search_id"]: s["operator"] for s in parsed(llmnas("searches", "--json"))["searches"]}


@pytest.mark.thorough
def test_without_a_partition_there_is_one_niche(llmnas: Run) -> None:
    front = parsed(llmnas("search", *QUICK, "--no-partition"))
    assert {point["niche"] for point in front["front"]} == {0}
    assert timeless(front) == timeless(parsed(llmnas("search", *QUICK, "--niches", "1"))) | {
        "search_id": front["search_id"]
    }


def test_without_a_knowledge_base_no_rule_is_written_and_the_search_says_so(llmnas: Run) -> None:
    front = parsed(llmnas("search", *QUICK, "--no-knowledge-base"))
    assert front["rules"] == 0
    assert front["operator"] == "evolution+no-knowledge-base"
    assert front["evaluations"] == 90


@pytest.mark.thorough
def test_a_resumed_ablation_stays_one(llmnas: Run) -> None:
    front = parsed(llmnas("search", *QUICK, "--no-knowledge-base"))
    again = parsed(llmnas("resume", front["search_id"], "--json"))
    assert timeless(again) == timeless(front)


@pytest.mark.thorough
def test_without_zero_cost_scores_the_number_of_parameters_is_the_score(llmnas: Run) -> None:
    front = parsed(llmnas("search", *QUICK, "--no-zero-cost"))
    assert front["scored_by"] == "params"
    sizes = [point["params_m"] for point in front["front"]]
    scores = [point["score"] for point in front["front"]]
    assert sorted(range(len(sizes)), key=lambda i: (sizes[i], scores[i])) == sorted(
        range(len(sizes)), key=lambda i: (scores[i], sizes[i])
    )
    told = llmnas("search", "--device", "fpga", "--evaluations", "10", "--no-zero-cost")
    assert "not an accuracy" not in told.stderr


@pytest.mark.thorough
def test_without_a_language_model_evolution_takes_its_place(llmnas: Run) -> None:
    front = parsed(llmnas("search", *QUICK, "--operator", "claude", "--no-llm"))
    assert front["operator"] == "evolution"
    assert front["llm"]["calls"] == 0
    assert timeless(front) == timeless(parsed(llmnas("search", *QUICK))) | {"search_id": front["search_id"]}


@pytest.mark.thorough
def test_a_model_without_a_knowledge_base_is_only_asked_for_designs(
    llmnas: Run,
    serve: Serve,
    tmp_path: Path,
    no_credentials: None,  # noqa: ARG001
) -> None:
    serve(lambda _: Answer("no JSON"))
    front = parsed(
        llmnas(
            *("search", "--device", "raspi4", "--evaluations", "18", "--operator", "claude", "--no-knowledge-base"),
            *("--niches", "3", "--json", "--out", str(tmp_path / "out")),
        )
    )
    assert front["rules"] == 0
    exchanges = json.loads((tmp_path / "out" / "recording.json").read_text())["exchanges"]
    assert {exchange["role"] for exchange in exchanges} == {"design"}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--no-partition", "--niches", "3"), "leave one of them out"),
        (("--operator", "plain-prompt", "--no-knowledge-base"), "has no knowledge base"),
        (("--no-llm", "--max-cost", "1"), "evolution asks none"),
        (("--operator", "evolutoin", "--no-llm"), "Did you mean 'evolution'"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_fix(llmnas: Run, flags: tuple[str, ...], told: str) -> None:
    done = llmnas("search", *QUICK, *flags, check=False)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert listed(llmnas) == {}
