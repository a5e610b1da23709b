"""A thousand readings, prompts and completions over one session: valid, nearly so, hostile. Each ends well."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, PromptReference, ResourceTemplateReference

from tests.server.conftest import CELL, lasting_session

PARTS = ("", "/front", "/knowledge", "/report", "/front.svg")
TEMPLATES = tuple(f"llmnas://searches/{{search_id}}{part}" for part in PARTS)
FIXED = ("llmnas://spaces", "llmnas://devices")
PROMPTS = {"search_for_device": ("device", "dataset", "max_latency", "avoid"), "explain_front": ("search_id",)}
HERE = "here"  # stands for the id of a search that is there
HOSTILE = (
    *("", " ", "%00", "%2e%2e%2f", "../../etc/passwd", "'; DROP TABLE members; --", "\x1b[2J\x07", "x" * 50_000),
    *("{search_id}", "{}", "%s", "\ud7ff\U0010ffff\u202e", "nan", "-1", "1e999", "١٢"),
)
ODD = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20))
ARGUMENT = st.one_of(
    st.sampled_from([HERE, "raspi4", "raspi", "cifar10", "30", "0.5", "avg_pool_3x3", "avg_pool_3x3, none", ""]), ODD
)
NAME = st.one_of(st.sampled_from(sorted({name for names in PROMPTS.values() for name in names})), ODD)


def near(text: str) -> st.SearchStrategy[str]:
    """The text, or one that is almost it."""
    cut = st.integers(0, len(text)).flatmap(lambda i: ODD.map(lambda odd: text[:i] + odd[:30] + text[i:]))
    return st.one_of(st.just(text), st.just(text), st.just(text), cut)


@st.composite
def asked(draw: st.DrawFn) -> tuple[str, Any, Any]:
    """What is asked: its kind, what it is about, and with what."""
    kind = draw(st.sampled_from(["resource", "prompt", "completion"]))
    if kind == "resource":
        template = draw(st.sampled_from([*FIXED, *TEMPLATES]))
        # A picture is drawn for a third of a second: not often.
        search_id = draw(st.one_of(st.just(HERE), ODD) if not template.endswith(".svg") else ODD)
        return kind, draw(near(template.replace("{search_id}", search_id))), None
    name = draw(st.sampled_from(sorted(PROMPTS)))
    if kind == "prompt":
        given = draw(st.dictionaries(st.one_of(st.sampled_from(PROMPTS[name]), NAME), ARGUMENT, max_size=4))
        return kind, draw(near(name)), given
    template = draw(st.sampled_from(TEMPLATES))
    about = PromptReference(name=draw(near(name))), ResourceTemplateReference(uri=draw(near(template)))
    return kind, draw(st.sampled_from(about)), {"name": draw(NAME), "value": draw(ARGUMENT)}


class Session:
    """A session that lasts over all that is asked, with a search in the store."""

    def __init__(self, portal: BlockingPortal, client: Client, folder: Path) -> None:
        self._portal, self._client, self._folder = portal, client, folder
        begun = portal.call(client.call_tool, "start_search", {"device": "fpga", "evaluations": 10})
        self.search_id = begun.structured_content["search_id"]
        portal.call(client.call_tool, "submit_architectures", {"search_id": self.search_id, "architectures": [CELL]})
        self.seen: Counter[str] = Counter()

    def ask(self, kind: str, about: Any, given: Any) -> str:
        """The text of the answer."""
        match kind:
            case "resource":
                result = self._portal.call(self._client.read_resource, about.replace(HERE, self.search_id))
                return str(result.contents[0].text)
            case "prompt":
                given = {name: self.search_id if value == HERE else value for name, value in given.items()}
                result = self._portal.call(self._client.get_prompt, about, given)
                return str(result.messages[0].content.text)
        result = self._portal.call(self._client.complete, about, given)
        assert len(result.completion.values) <= 100
        return json.dumps(result.completion.values)

    @property
    def logged(self) -> str:
        return (self._folder / "stderr").read_text()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("server")
    with lasting_session(folder) as (portal, client):
        yield Session(portal, client, folder)


@pytest.mark.thorough
@settings(max_examples=1000, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked())
def test_a_generated_reading_ends_in_an_answer_or_a_readable_error(running: Session, one: tuple[str, Any, Any]) -> None:
    try:
        text, refused = running.ask(*one), None
    except MCPError as error:
        text, refused = error.error.message, error.error.code
    running.seen[f"{one[0]} {'error' if refused else 'answer'}"] += 1
    assert text
    if refused:
        assert refused == INVALID_PARAMS, text
        assert len(text) < 1000, text
        assert not re.search(r"Traceback|[\x00-\x08\x0b-\x1f\x7f]", text), repr(text)
        assert re.search(r"Allowed|Arguments|latest are|give", text), text


@pytest.mark.thorough
def test_the_server_has_answered_and_refused_some_of_each_kind_and_logged_nothing(running: Session) -> None:
    assert running.ask("resource", "llmnas://spaces", None)
    assert running.logged == ""
    kinds = {f"{kind} {ended}" for kind in ("resource", "prompt") for ended in ("answer", "error")}
    assert kinds | {"completion answer"} <= set(running.seen), running.seen
