"""What goes wrong with Claude, told with its fix and without the key."""

from __future__ import annotations

import json
import socket

import pytest
from llmnas_agents.llm.claude import Claude
from llmnas_agents.llm.errors import ModelError
from llmnas_agents.llm.prices import DEFAULT_MODEL

from tests.agents.asking import GOOD, Serve, ask, problem
from tests.agents.stub_anthropic import KEY, Answer, Failure, Raw, Script

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_credentials")]


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
