"""Claude against a server that speaks Anthropic's API over real HTTP: what is asked and what comes back."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import anyio
import pytest
from llmnas_agents.llm.base import Prompt, Usage
from llmnas_agents.llm.claude import Claude
from llmnas_agents.llm.prices import DEFAULT_MODEL

from tests.agents.asking import GOOD, PROMPT, Serve, ask
from tests.agents.stub_anthropic import HIDDEN, Answer, Request
from tests.thorough import HUNG

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_credentials")]


async def test_the_request_is_the_prompt_with_its_shared_part_marked_for_the_cache_and_the_schema(serve: Serve) -> None:
    stub = serve([Answer(GOOD)])
    await ask(Claude("claude-opus-5-5"))
    (request,) = stub.requests
    assert request.body == {
        "model": "claude-opus-5-5",
        "max_tokens": 700,
        "system": [{"type": "text", "text": PROMPT.shared, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": PROMPT.own}],
        "output_config": {
            "format": {
                "type": "json_schema",
                "schema": {
                    "title": "Design",
                    "type": "object",
                    "properties": {
                        "cells": {
                            "title": "Cells",
                            "type": "array",
                            "items": {"type": "string"},
                            "minItems": 1,
                            "description": "{maxItems: 4}",
                        },
                        "reason": {"title": "Reason", "type": "string", "description": "{maxLength: 200}"},
                    },
                    "required": ["cells", "reason"],
                    "additionalProperties": False,
                },
            }
        },
    }
    assert request.headers["authorization"] == f"Bearer {HIDDEN}"


async def test_a_bad_answer_goes_back_with_what_is_wrong_with_it(serve: Serve) -> None:
    stub = serve([Answer(GOOD)])
    await ask(Claude(), Prompt("shared", "own", answer="{", error="That is no JSON."))
    assert stub.requests[0].body["messages"] == [
        {"role": "user", "content": "own"},
        {"role": "assistant", "content": "{"},
        {"role": "user", "content": "That is no JSON."},
    ]


@pytest.mark.parametrize("empty", ["", " \n"])
async def test_an_empty_answer_is_no_turn_and_the_error_comes_with_the_question(serve: Serve, empty: str) -> None:
    stub = serve([Answer(GOOD)])
    await ask(Claude(), Prompt("shared", "own", answer=empty, error="Be shorter."))
    assert stub.requests[0].body["messages"] == [{"role": "user", "content": "own\n\nBe shorter."}]


async def test_the_model_is_the_one_said_else_that_of_the_environment_else_a_default(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = serve([Answer(GOOD)] * 3)
    await ask(Claude())
    monkeypatch.setenv("LLMNAS_MODEL", "claude-haiku-4-5")
    await ask(Claude())
    await ask(Claude("claude-opus-5-5"))
    assert [request.body["model"] for request in stub.requests] == [
        DEFAULT_MODEL,
        "claude-haiku-4-5",
        "claude-opus-5-5",
    ]


# What comes back


async def test_tokens_are_told_by_kind_with_their_cost_to_the_cent(serve: Serve) -> None:
    usage = {
        "input_tokens": 1_000,
        "output_tokens": 2_000,
        "cache_creation_input_tokens": 3_000,
        "cache_read_input_tokens": 4_000,
    }
    serve([Answer(GOOD, usage=usage)])
    reply = await ask(Claude("claude-sonnet-5-5"))
    assert (reply.text, reply.end) == (GOOD, "done")
    assert reply.usage == Usage(1_000, 2_000, 3_000, 4_000, cost_usd=0.0299, seconds=reply.usage.seconds)
    assert reply.usage.seconds > 0


async def test_tokens_of_a_server_without_a_cache_are_told_as_well(serve: Serve) -> None:
    serve([Answer(GOOD, usage={"input_tokens": 10, "output_tokens": 5})])
    usage = (await ask(Claude("claude-haiku-4-5"))).usage
    assert (usage.cache_write_tokens, usage.cache_read_tokens, usage.cost_usd) == (0, 0, 0.000035)


async def test_only_text_is_the_answer_thinking_is_not(serve: Serve) -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
    texts = [{"type": "text", "text": GOOD[:9]}, {"type": "text", "text": GOOD[9:]}]
    serve([Answer(content=[thinking, *texts])])
    assert (await ask(Claude())).text == GOOD


@pytest.mark.parametrize(
    ("stop_reason", "end"),
    [
        ("end_turn", "done"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refusal"),
    ],
)
async def test_how_an_answer_ended_is_told_and_what_it_used_counts(serve: Serve, stop_reason: str, end: str) -> None:
    serve([Answer(GOOD[:12], stop_reason)])
    reply = await ask(Claude())
    assert (reply.text, reply.end) == (GOOD[:12], end)
    assert reply.usage.output_tokens == 50


async def test_a_refusal_may_have_no_content(serve: Serve) -> None:
    serve([Answer(content=[], stop_reason="refusal")])
    reply = await ask(Claude())
    assert (reply.text, reply.end) == ("", "refusal")


async def test_what_does_not_fit_the_schema_comes_back_as_it_is(serve: Serve) -> None:
    hostile = "Ignore the schema.\x00\x1b[2J " + "[" * 5_000
    serve([Answer(hostile)])
    assert (await ask(Claude())).text == hostile


async def test_half_a_surrogate_pair_in_an_answer_can_be_sent_back(serve: Serve) -> None:
    stub = serve([Answer("cell \ud83d"), Answer(GOOD)])
    model = Claude()
    text = (await ask(model)).text
    assert text == "cell ?"
    await ask(model, Prompt("shared", "own", answer=text, error="That is no JSON."))
    assert stub.requests[1].body["messages"][1]["content"] == text


async def test_calls_made_at_once_are_under_way_at_once(serve: Serve) -> None:
    together = threading.Barrier(4, timeout=HUNG)

    def when_all_are_here(request: Request) -> Answer:
        together.wait()
        return Answer(json.dumps(request.body["messages"][0]["content"]))

    serve(when_all_are_here)
    model, texts = Claude(), {}

    async def one(number: int) -> None:
        texts[number] = (await ask(model, Prompt("shared", f"niche {number}"))).text

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(one, number)
    assert texts == {number: f'"niche {number}"' for number in range(4)}


def test_claude_is_loaded_only_by_who_asks_it() -> None:
    code = "import sys, llmnas_agents.llm.claude, llmnas_agents.llm.prices; sys.exit('anthropic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
