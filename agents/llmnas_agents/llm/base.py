"""What a language model is to us: it gets a prompt and the schema of the answer, and gives text and what it used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel


@dataclass(frozen=True)
class Prompt:
    """What is asked. `shared` is the same in every call of a role (providers cache it), `own` is this call's part.

    After an answer that does not validate, `answer` is that answer and `error` what is wrong with it.
    """

    shared: str
    own: str
    answer: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Usage:
    """Tokens by kind, cost in US dollars (0 where nothing is charged) and seconds of one call."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Reply:
    """What came back. The text is data: it is parsed and validated, never followed or executed.

    end: "done", "length" (cut off at max_tokens) or "refusal".
    """

    text: str
    end: Literal["done", "length", "refusal"]
    usage: Usage


class LanguageModel(ABC):
    """A model that can be asked; several calls may wait at once. `answer_tokens` is the room for one answer."""

    name: str
    answer_tokens: int = 4000
    price: str = ""  # where the price comes from, to be told with an estimate

    @abstractmethod
    async def complete(self, prompt: Prompt, answer: type[BaseModel], max_tokens: int) -> Reply:
        """Ask for JSON of that schema, at most max_tokens long.

        Raises ModelError, with the fix, when no answer can be had: no key, no network, no credit, refused for good.
        """

    @abstractmethod
    def most_cost(self, prompt: Prompt, max_tokens: int) -> float:
        """The most such a call can cost, US dollars: known before it is made."""
