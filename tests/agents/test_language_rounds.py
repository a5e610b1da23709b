"""What holds in a round by a language model: company, limits, rules of the round, what is refused, what is told."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from llmnas_agents.llm.prices import cost_of

from tests import warm
from tests.agents.conftest import environment, parsed
from tests.agents.scientist import is_design, question, rule, scientist
from tests.agents.stub_anthropic import Answer, Request, StubAnthropic
from tests.agents.test_language_search import SMALL, asked, exchanges, searched
from tests.thorough import HUNG

USAGE = {"input_tokens": 2000, "output_tokens": 3900, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


class Together:
    """Answers when three calls wait at once, or within so many seconds no third has come."""

    def __init__(self, usage: dict[str, int] = USAGE) -> None:
        self.barrier, self.usage = threading.Barrier(3, timeout=2), usage

    def __call__(self, request: Request) -> Answer:
        with suppress(threading.BrokenBarrierError):
            self.barrier.wait()
        return Answer(scientist(request).text, usage=self.usage)


def test_all_niches_of_a_round_are_asked_at_once(tmp_path: Path) -> None:
    calls, first_three = itertools.count(), threading.Barrier(3, timeout=HUNG)

    def together(request: Request) -> Answer:
        if next(calls) < 3:
            first_three.wait()
        return scientist(request)

    searched(together, tmp_path, "--rounds", "1")
    assert next(calls) >= 3
    assert not first_three.broken


@pytest.mark.thorough
@pytest.mark.parametrize("limit", [9_000, 13_000, 30_000])
def test_a_limit_on_tokens_holds_for_calls_at_once(limit: int, tmp_path: Path) -> None:
    with StubAnthropic(Together()) as stub:
        more = ("--max-tokens", str(limit), "--out", str(tmp_path / "out"))
        done = asked(stub, tmp_path, "search", *SMALL, "--operator", "claude", *more, check=False)
    front = json.loads((tmp_path / "out" / "front.json").read_text())
    assert f"limit of {limit:,}: go on with a higher --max-tokens" in done.stderr
    assert front["llm"]["input_tokens"] + front["llm"]["output_tokens"] <= limit
    assert front["llm"]["unanswered"] == 0


@pytest.mark.thorough
def test_a_limit_that_one_niche_meets_leaves_the_answers_of_the_others_and_what_came_of_them(tmp_path: Path) -> None:
    with StubAnthropic(Together()) as stub:
        more = ("--max-cost", "0.17", "--out", str(tmp_path / "out"))
        asked(stub, tmp_path, "search", *SMALL, "--operator", "claude", *more, check=False)
    front = json.loads((tmp_path / "out" / "front.json").read_text())
    assert front["llm"]["unanswered"] == 0
    assert front["llm"]["calls"] == len(stub.requests) >= 2
    assert front["evaluations"] > 0


@pytest.mark.thorough
def test_an_error_in_one_niche_loses_no_answer_of_another(tmp_path: Path) -> None:
    barrier = threading.Barrier(3)

    def one_fails(request: Request) -> Any:
        barrier.wait(HUNG)
        wrong = "niche 1" in question(request)
        return Answer("<html>", fault="cut") if wrong else scientist(request)

    with StubAnthropic(one_fails) as stub:
        done = asked(stub, tmp_path, "search", *SMALL, "--operator", "claude", "--rounds", "1", check=False)
    assert done.returncode == 1
    assert {row["niche"] for row in exchanges(tmp_path) if row["status"] == "answered"} == {0, 2}
    assert [row["niche"] for row in exchanges(tmp_path) if row["status"] == "sent"] == [1]


@pytest.mark.thorough
def test_a_connection_that_breaks_in_the_middle_of_a_search_is_tried_again(tmp_path: Path) -> None:
    dropped: list[Request] = []

    def breaks_once(request: Request) -> Answer:
        if not is_design(request) and not dropped:
            dropped.append(request)
            return Answer("{}", fault="drop")
        return scientist(request)

    front, requests = searched(breaks_once, tmp_path)
    assert dropped
    assert front["evaluations"] == 27
    assert front["llm"]["calls"] == len(requests) - 1


@pytest.mark.thorough
def test_a_deadline_ends_a_search_that_asks_nothing_too(tmp_path: Path) -> None:
    with StubAnthropic(scientist) as stub:
        arguments = ("search", *SMALL, "--operator", "claude", "--deadline", "0", "--json")
        done = asked(stub, tmp_path, *arguments, check=False)
    assert done.returncode == 1
    assert "The deadline has passed: go on with a later --deadline" in done.stderr
    assert "Nothing is evaluated yet" in done.stderr
    assert stub.requests == []


def test_a_rule_is_in_the_prompt_of_the_same_round_s_designs(tmp_path: Path) -> None:
    _, requests = searched(scientist, tmp_path, "--rounds", "2")
    designs = [str(r.body["messages"][0]["content"]) for r in requests if is_design(r)]
    second = [text for text in designs if text.startswith("Round 2")]
    assert len(second) >= 3
    assert all("A 3x3 convolution from input to output raises the score" in text for text in second)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"action": "revise", "rule_id": None}, "there is no rule None"),
        ({"action": "retire", "rule_id": "9.9"}, "there is no rule '9.9'"),
        ({"effect": 40.0}, "a score changes by -1 to 1"),
        ({"statement": " "}, "a rule needs a statement"),
        ({"evidence": [99]}, "there is no number 99"),
        ({"pattern": [{"position": "0->3", "value": "none"}] * 2}, "must have each position once"),
    ],
    ids=str,
)
def test_an_edit_that_is_refused_is_sent_back_with_the_reason_and_counted(
    wrong: dict[str, Any], told: str, tmp_path: Path
) -> None:
    def mends(request: Request) -> Answer:
        if is_design(request):
            return scientist(request)
        again = len(request.body["messages"]) > 1
        return Answer(json.dumps({"edits": [rule(**({} if again else wrong))]}))

    front, requests = searched(mends, tmp_path, "--rounds", "2")
    back = [question(r) for r in requests if not is_design(r) and len(r.body["messages"]) > 1]
    assert len(back) == 3
    assert all(told in text for text in back)
    assert front["rules"] == 3
    assert front["llm"]["rejected"] >= 3


@pytest.mark.thorough
def test_a_model_cannot_pass_for_what_was_bred(tmp_path: Path) -> None:
    def claims(request: Request) -> Answer:
        return Answer(scientist(request).text.replace("one change", "bred along the niche's rules"))

    front, _ = searched(claims, tmp_path)
    done = warm.run(
        ["bench", "coverage", front["search_id"], "--json"],
        env=environment(tmp_path),
        check=True,
    )
    assert json.loads(done.stdout)["searches"][0]["designs"] > 15


@pytest.mark.thorough
def test_the_ledger_after_a_kill_is_what_the_server_counted_times_the_price(tmp_path: Path) -> None:
    enough, gone = threading.Event(), threading.Event()

    def slow_from_the_eighth_on(request: Request) -> Answer:
        if len(stub.requests) >= 8 and not gone.is_set():
            enough.set()
            gone.wait(HUNG)
            return Answer(scientist(request).text, fault="drop")
        return Answer(scientist(request).text, usage=USAGE)

    with StubAnthropic(slow_from_the_eighth_on) as stub:
        arguments = ["search", *SMALL, "--operator", "claude"]
        env = environment(tmp_path) | stub.environment
        with warm.Popen(arguments, env=env, stderr=subprocess.PIPE, text=True) as process:
            assert enough.wait(HUNG)
            process.kill()
            search_id = process.stderr.readline().split()[1]
        gone.set()
        answered = len([row for row in exchanges(tmp_path) if row["status"] == "answered"])
        before = len(stub.requests)
        whole = parsed(asked(stub, tmp_path, "resume", search_id, "--json"))
    calls = answered + len(stub.requests) - before
    price = cost_of("claude-sonnet-5-5", input_tokens=2000, output_tokens=3900).usd
    assert whole["llm"]["calls"] == calls
    assert whole["llm"]["cost_usd"] == pytest.approx(float(calls * price), abs=0.005)


@pytest.mark.thorough
def test_who_may_not_run_a_search_changes_nothing_of_it(tmp_path: Path) -> None:
    asked_for, go = threading.Event(), threading.Event()

    def waits(request: Request) -> Answer:
        asked_for.set()
        go.wait(HUNG)
        return scientist(request)

    with StubAnthropic(waits) as stub:
        env = environment(tmp_path) | stub.environment
        arguments = ["search", *SMALL, "--operator", "claude", "--max-cost", "5", "--rounds", "1"]
        with warm.Popen(arguments, env=env, stderr=subprocess.PIPE, text=True) as process:
            assert asked_for.wait(HUNG)
            search_id = process.stderr.readline().split()[1]
            more = ("--max-cost", "999", "--model", "claude-opus-5-5")
            done = asked(stub, tmp_path, "resume", search_id, *more, check=False)
            go.set()
            process.communicate()
    assert "is being run by another process" in done.stderr
    assert "claude-opus" not in done.stderr
    assert {row["model"] for row in exchanges(tmp_path)} == {"claude-sonnet-5-5"}


@pytest.mark.thorough
def test_what_a_search_may_and_did_cost_is_told(tmp_path: Path) -> None:
    with StubAnthropic(Together()) as stub:
        done = asked(stub, tmp_path, "search", *SMALL, "--operator", "claude")
        other = asked(stub, tmp_path, "search", *SMALL, "--operator", "claude", "--model", "llama")
    estimate = next(line for line in done.stderr.splitlines() if line.startswith("model "))
    assert "about 18 calls for about $" in estimate
    assert "(prices of 20" in estimate
    assert "llama is not among them and counted at the dearest" in other.stderr
    most = float(estimate.split("at most $")[1].split()[0])
    told = next(line for line in done.stderr.splitlines() if line.startswith("Model: "))
    cost = sum(row["cost_microusd"] for row in exchanges(tmp_path) if row["model"] == "claude-sonnet-5-5") / 1e6
    assert f"${cost:.4f}" in told
    assert cost <= most
    assert all(word in told for word in ("from the cache", "written", "s of waiting", "rejected"))
