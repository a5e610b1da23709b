"""One question to Claude, for tests of what is sent, what comes back and what goes wrong."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable

import pytest
from llmnas_agents.llm.base import LanguageModel, Prompt, Reply
from llmnas_agents.llm.errors import ModelError
from pydantic import BaseModel, ConfigDict, Field

from tests.agents.stub_anthropic import KEY, Request, Script, StubAnthropic

PROMPT = Prompt(shared="You design cells.", own="Niche 2: propose one.")
Serve = Callable[[Iterable[Script] | Callable[[Request], Script]], StubAnthropic]


class Design(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cells: list[str] = Field(min_length=1, max_length=4)
    reason: str = Field(max_length=200)


GOOD = '{"cells": ["|none~0|"], "reason": "small"}'


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
