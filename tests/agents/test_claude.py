"""Claude against a server that speaks Anthropic's API over real HTTP."""

from __future__ import annotations

import inspect
import json
import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from llmnas_agents.llm.base import LanguageModel, Prompt, Reply, Usage
from llmnas_agents.llm.claude import ADDED_TOKENS, Claude
from llmnas_agents.llm.errors import ModelError
from llmnas_agents.llm.prices import DEAREST, DEFAULT_MODEL, PRICES, cost_of, most_cost_of, price_of
from pydantic import BaseModel, ConfigDict, Field

from tests.agents.stub_anthropic import HIDDEN, KEY, Answer, Failure, Raw, Request, Script, StubAnthropic

pytestmark = pytest.mark.anyio

PROMPT = Prompt(shared="You design cells.", own="Niche 2: propose one.")
Serve = Callable[[Iterable[Script] | Callable[[Request], Script]], StubAnthropic]


class Design(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cells: list[str] = Field(min_length=1, max_length=4)
    reason: str = Field(max_length=200)


GOOD = '{"cells": ["|none~0|"], "reason": "small"}'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own counts: no key, no address, no profile."""
    for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("LLMNAS_MODEL", raising=False)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path / "anthropic"))


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterable[Serve]:
    """Starts a server with a script; what is asked from then on goes there."""
    with ExitStack() as stack:

        def start(script: Iterable[Script] | Callable[[Request], Script]) -> StubAnthropic:
            stub = stack.enter_context(StubAnthropic(script))
            for name, value in stub.environment.items():
                monkeypatch.setenv(name, value)
            return stub

        yield start


async def ask(model: LanguageModel, prompt: Prompt = PROMPT, max_tokens: int = 700) -> Reply:
    return await model.complete(prompt, Design, max_tokens)


async def problem(model: LanguageModel) -> str:
    """What a call that has no answer says, after a look whether the key is anywhere near it."""
    with pytest.raises(ModelError) as caught:
        await ask(model)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    return str(caught.value)


# What is asked


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


async def test_how_much_to_think_is_sent_only_if_it_is_said(serve: Serve) -> None:
    stub = serve([Answer(GOOD)])
    await ask(Claude(effort="low"))
    assert stub.requests[0].body["output_config"]["effort"] == "low"


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
    together = threading.Barrier(4, timeout=60)

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


# What goes wrong


@pytest.mark.parametrize("wait", [{"retry-after": "0.001"}, {"retry-after-ms": "1"}], ids=["seconds", "milliseconds"])
@pytest.mark.parametrize("status", [429, 500, 529])
async def test_what_passes_is_tried_again_when_the_server_says(serve: Serve, status: int, wait: dict[str, str]) -> None:
    failure = Failure(status, headers=wait, at_once=False)
    stub = serve([failure, failure, Answer(GOOD)])
    assert (await ask(Claude())).text == GOOD
    assert len(stub.requests) == 3
    assert len({json.dumps(request.body) for request in stub.requests}) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (429, "rate limit is reached, still after 3 tries: wait, or use fewer niches; `llmnas resume`"),
        (529, "overloaded or out of order (529), still after 3 tries: try later; `llmnas resume`"),
        (500, "overloaded or out of order (500), still after 3 tries: try later; `llmnas resume`"),
    ],
)
async def test_what_does_not_pass_ends_after_the_retries(serve: Serve, status: int, words: str) -> None:
    stub = serve(lambda _: Failure(status, KEY))
    assert words in await problem(Claude(max_retries=2))
    assert len(stub.requests) == 3


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refuses the key: set ANTHROPIC_API_KEY to a valid one, or use --operator evolution or local"),
        (403, "may not use claude-opus-9: set LLMNAS_MODEL to another model"),
        (404, f"no model claude-opus-9 at 127.0.0.1: set LLMNAS_MODEL to one there is, such as {DEFAULT_MODEL}"),
        (400, "(400); mend what it says: 'credit of *** too low, buy more'"),
        (402, "(402); mend what it says: 'credit of *** too low, buy more'"),
        (413, "(413); mend what it says: 'credit of *** too low, buy more'"),
    ],
)
async def test_what_will_not_pass_ends_at_once_with_the_fix(serve: Serve, status: int, words: str) -> None:
    stub = serve(lambda _: Failure(status, f"credit of {KEY}\n\x1b too low, buy more"))
    assert words in await problem(Claude("claude-opus-9"))
    assert len(stub.requests) == 1


async def test_a_long_error_is_quoted_in_part_and_never_ends_within_the_key(serve: Serve) -> None:
    serve([Failure(400, "x" * (300 - len(KEY) // 2) + KEY + "y" * 10_000)])
    said = await problem(Claude())
    assert len(said) < 400
    assert KEY[:8] not in said


async def test_a_dropped_connection_is_tried_again(serve: Serve) -> None:
    stub = serve([Answer(GOOD, fault="drop"), Answer(GOOD)])
    assert (await ask(Claude(max_retries=1))).text == GOOD
    assert len(stub.requests) == 2


async def test_a_connection_that_drops_for_good_names_the_network(serve: Serve) -> None:
    serve([Answer(GOOD, fault="drop")])
    assert "Cannot reach 127.0.0.1: check the network and ANTHROPIC_BASE_URL" in await problem(Claude(max_retries=0))


async def test_no_server_names_the_network(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    serve([])
    with socket.socket() as nobody:  # bound, not listening: a connection is refused
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://user:password@127.0.0.1:{nobody.getsockname()[1]}")
        said = await problem(Claude(max_retries=0))
    assert "Cannot reach 127.0.0.1:" in said
    assert "password" not in said


@pytest.mark.parametrize(
    "reply",
    [
        Answer(GOOD, fault="cut"),
        Raw("<html>Log in</html>"),
        Raw("[]", "application/json"),
        Raw("null", "application/json"),
        Raw('{"choices": []}', "application/json"),
        Raw('{"content": "text", "usage": {"input_tokens": 1, "output_tokens": 1}}', "application/json"),
        Raw('{"content": [{"type": "text", "text": "{}"}]}', "application/json"),
        Raw('{"content": [{"type": "text"}], "usage": {"input_tokens": 1, "output_tokens": 1}}', "application/json"),
        Raw('{"content": [], "usage": {"input_tokens": "many", "output_tokens": 1}}', "application/json"),
    ],
    ids=["half", "page", "list", "null", "other API", "text", "no usage", "no text", "no number"],
)
async def test_what_is_not_a_message_names_the_address(serve: Serve, reply: Script) -> None:
    serve([reply])
    assert "does not answer as Anthropic's Messages API does: check ANTHROPIC_BASE_URL" in await problem(Claude())


# The key


def test_without_a_key_it_says_what_to_set_and_what_needs_none() -> None:
    with pytest.raises(
        ModelError, match=r"set ANTHROPIC_API_KEY, or use --operator evolution or local, which need none"
    ):
        Claude()


@pytest.mark.parametrize("key", [f"{KEY}\n", f" {KEY}", f"{KEY}…"], ids=["line break", "space", "dots"])
def test_a_key_that_was_copied_badly_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    with pytest.raises(ModelError, match="set ANTHROPIC_API_KEY again") as caught:
        Claude()
    assert KEY not in str(caught.value)


def test_the_key_is_nowhere_in_the_model(serve: Serve) -> None:
    serve([])
    model = Claude()
    assert repr(model) == f"Claude({DEFAULT_MODEL!r})"
    assert KEY not in repr(vars(model))


def test_a_profile_that_cannot_be_read_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_PROFILE", "missing")
    with pytest.raises(ModelError, match="set ANTHROPIC_API_KEY"):
        Claude()


# Prices


def test_every_price_has_its_date_and_its_page() -> None:
    for model, price in PRICES.items():
        assert price.looked_up >= "2026-11-24", model
        assert price.source.startswith("https://platform.claude.com/docs/en/"), model
        assert price.cache_read < price.input < price.cache_write < price.output, model
    assert DEFAULT_MODEL in PRICES


def test_costs_add_up_exactly() -> None:
    assert sum(cost_of("claude-haiku-5-5", 1, 1, 1, 1).usd for _ in range(10_000)) == Decimal("0.00735")


def test_a_long_prompt_costs_more_where_the_price_says_so_with_what_the_cache_held() -> None:
    assert cost_of("claude-haiku-5-5", 50_000, 1_000, 25_000, 25_000).usd == Decimal("0.008875")
    assert cost_of("claude-haiku-5-5", 50_001, 1_000, 25_000, 25_000).usd == 5 * Decimal("0.0088751")
    assert most_cost_of("claude-haiku-5-5", 100_001, 0).usd == 5 * Decimal("0.012500125")


def test_an_unknown_model_costs_as_much_as_the_dearest_and_says_so(serve: Serve) -> None:
    serve([])
    assert price_of("llama") == (DEAREST, False)
    assert not cost_of("llama", 1).known
    for model in PRICES:
        assert cost_of("llama", 1, 1, 1, 1).usd >= cost_of(model, 1, 1, 1, 1).usd
    assert not Claude("llama").price_known
    assert Claude("claude-haiku-4-5-20251001").price_known


@pytest.mark.parametrize("model", [*PRICES, "llama"])
def test_no_call_costs_more_than_was_said_before(serve: Serve, model: str) -> None:
    serve([])
    prompt = Prompt("|nor_conv_3x3~0|" * 50, "建筑", answer="{", error="no")
    size = 16 * 50 + 6 + 1 + 2 + ADDED_TOKENS  # bytes: as many tokens at most
    said = Claude(model).most_cost(prompt, 700)
    for kinds in [(size, 0, 0), (0, size, 0), (0, 0, size), (size // 2, size // 2, 1)]:
        fresh, written, read = kinds
        assert float(cost_of(model, fresh, 700, written, read).usd) <= said


# Loading


def test_claude_is_loaded_only_by_who_asks_it() -> None:
    code = "import sys, llmnas_agents.llm.claude, llmnas_agents.llm.prices; sys.exit('anthropic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_keeps_the_interface_of_every_model() -> None:
    for name in ("complete", "most_cost"):
        assert _signature(getattr(Claude, name)) == _signature(getattr(LanguageModel, name))


def _signature(function: Callable[..., Any]) -> str:
    return str(inspect.signature(function))
