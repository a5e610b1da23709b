"""Asking a model within limits: what was answered before is read, what does not validate is asked for once more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from llmnas_agents.llm.base import LanguageModel, Prompt, Reply, Usage
from llmnas_agents.llm.errors import LimitError, ModelError
from llmnas_agents.llm.exchanges import Exchanges, Place, hash_of, text_of

Answer = TypeVar("Answer", bound=BaseModel)
Check = Callable[[Answer], Awaitable[tuple[str | None, int]]]

# Characters of a bad answer, and of what is wrong with it, that are sent back.
MOST_ECHOED = 300
MOST_TOLD = 900
MOST_ERRORS = 5
LATE = "The deadline has passed: go on with a later --deadline."


@dataclass(frozen=True)
class Limits:
    """Hard limits of a run, which hold over interruptions. None: no limit."""

    max_cost: float | None = None  # US dollars
    max_tokens: int | None = None  # all kinds together
    deadline: float | None = None  # seconds since the epoch


class Correspondent:
    """Asks one model on behalf of one search."""

    def __init__(self, model: LanguageModel | None, exchanges: Exchanges, limits: Limits) -> None:
        self.model, self.exchanges, self.limits = model, exchanges, limits
        self.changed = 0  # prompts that are not those their recorded answers were given to
        self._ended: LimitError | ModelError | None = None  # why no more is asked
        self._working = self._waiting = 0
        self._moved = asyncio.Event()

    async def ask(
        self, at: tuple[int, int, str], prompt: Prompt, answer: type[Answer], check: Check[Answer] | None = None
    ) -> Answer | None:
        """The model's answer to a prompt at (round, niche, role); None if it was of no use twice.

        `check` is given each answer that fits its schema, and says what is wrong with it, or None, and how many of its
        proposals were rejected. Raises LimitError where a limit could be passed, ModelError where no answer can be had.
        """
        for attempt in (0, 1):
            place = Place(*at, attempt)
            reply = await self._reply(place, prompt, answer)
            found, error = read(reply, answer)
            rejected = int(found is None)
            if found is not None and check is not None:
                error, rejected = await check(found)
            self.exchanges.judge(place, error is None, rejected)
            if error is None:
                return found
            prompt = replace(prompt, answer=reply.text[:MOST_ECHOED], error=error[:MOST_TOLD])
        return None

    async def _reply(self, place: Place, prompt: Prompt, answer: type[BaseModel]) -> Reply:
        if recorded := self.exchanges.answered(place):
            reply, prompt_hash = recorded
            self.changed += prompt_hash != hash_of(prompt)
            return reply
        if self.model is None:
            raise ModelError(f"There is no recorded answer for round {place.round}, niche {place.niche}, {place.role}.")
        room = self.model.answer_tokens
        most = self.model.most_cost(prompt, room)
        # A token is at least a byte.
        await self._check(Usage(len(text_of(prompt).encode("utf-8", "replace")), room, cost_usd=most))
        number = self.exchanges.send(place, self.model.name, prompt, most, room)
        left = None if self.limits.deadline is None else max(0.0, self.limits.deadline - time.time())
        ended: LimitError | ModelError
        try:
            async with asyncio.timeout(left):
                reply = await self.model.complete(prompt, answer, room)
            # What is used now is what is kept; PostgreSQL keeps no NUL.
            reply = replace(reply, text=reply.text.replace("\0", "\N{REPLACEMENT CHARACTER}"))
            self.exchanges.answer(number, reply)
            return reply
        except TimeoutError:
            ended = LimitError(LATE)
        except ModelError as error:
            if not error.charged:
                self.exchanges.unsent(number)
            ended = error
        return await self._end(ended)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around the work of a niche: where one has to end, the others come to where they would ask again."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            self._tell()

    def _tell(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def in_time(self) -> None:
        """Raise LimitError where the deadline has passed."""
        if self.limits.deadline is not None and time.time() >= self.limits.deadline:
            await self._end(LimitError(LATE))

    async def _check(self, most: Usage) -> None:
        """Raise LimitError where one more call could pass a limit; calls sent and not answered count in full."""
        if self._ended:
            await self._end(self._ended)
        await self.in_time()
        used, limits = self.exchanges.ledger(), self.limits
        cost = used.cost_usd + used.unanswered_usd
        if limits.max_cost is not None and cost + most.cost_usd > limits.max_cost:
            await self._end(
                LimitError(
                    f"The next call could take the cost from ${cost:.4f} past the limit of ${limits.max_cost:g}: go on"
                    " with a higher --max-cost."
                )
            )
        tokens = used.tokens + used.unanswered_tokens
        if limits.max_tokens is not None and tokens + most.input_tokens + most.output_tokens > limits.max_tokens:
            await self._end(
                LimitError(
                    f"The next call could take the tokens from {tokens:,} past the limit of {limits.max_tokens:,}:"
                    " go on with a higher --max-tokens."
                )
            )

    async def _end(self, why: LimitError | ModelError) -> NoReturn:
        """Raise, once all others that work are done or here too: to raise cancels them, and answers are paid for."""
        self._ended = self._ended or why
        self._waiting += 1
        self._tell()
        try:
            while self._waiting < self._working:
                await self._moved.wait()
        finally:
            self._waiting -= 1
        raise self._ended


def read(reply: Reply, answer: type[Answer]) -> tuple[Answer | None, str | None]:
    """A reply as an answer, or what is wrong with it, in words for the model."""
    if reply.end == "refusal":
        return (
            None,
            "You declined to answer. Nothing here is sensitive: these are small image classifiers. Answer in JSON.",
        )
    try:
        return answer.model_validate_json(reply.text), None
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg']}" for e in error.errors()[:MOST_ERRORS]]
        cut = "The answer was cut off: be shorter. " if reply.end == "length" else ""
        return None, cut + "The answer does not fit the schema: " + "; ".join(lines)
    except (ValueError, RecursionError) as error:
        return None, f"The answer is not JSON: {str(error)[:200]}"
