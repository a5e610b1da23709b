"""Claude, by the API of Anthropic or of any server that speaks it (ANTHROPIC_BASE_URL)."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from llmnas_agents.llm.base import LanguageModel, Prompt, Reply, Usage
from llmnas_agents.llm.errors import ModelError
from llmnas_agents.llm.prices import DEFAULT_MODEL, cost_of, most_cost_of, price_of

if TYPE_CHECKING:  # loading it takes seconds: only who asks Claude waits for it
    from anthropic import APIStatusError, AsyncAnthropic
    from anthropic.types import Message, MessageParam, OutputConfigParam

TIMEOUT_S = 600  # of one try
CONNECT_S = 10
ADDED_TOKENS = 2_000  # room for what the API adds to a prompt: roles and the schema of the answer
MOST_QUOTED = 300  # characters of a server's own words
OTHERWISE = "or use --operator evolution or local, which need none"
CARRY_ON = "`llmnas resume` carries on where the search stopped"
ENDS: dict[str | None, Literal["done", "length", "refusal"]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


class Claude(LanguageModel):
    """Claude by API: the model is LLMNAS_MODEL unless said, key and address are ANTHROPIC_API_KEY and _BASE_URL.

    `max_retries` of one call, for rate limits, overload and lost connections, as far apart as the server asks.
    Models think by default: that counts as output and within max_tokens.
    A model that the price table lacks is counted at the dearest price, and `price` says so.

    Raises ModelError at once where there is no key.
    """

    def __init__(self, name: str | None = None, *, max_retries: int = 4) -> None:
        self.name = name or os.environ.get("LLMNAS_MODEL") or DEFAULT_MODEL
        self.max_retries = max_retries
        price, known = price_of(self.name)
        lacking = "" if known else f"; {self.name} is not among them and counted at the dearest"
        self.price = f"prices of {price.looked_up}{lacking}"
        self._client()

    def __repr__(self) -> str:
        return f"Claude({self.name!r})"

    async def complete(self, prompt: Prompt, answer: type[BaseModel], max_tokens: int) -> Reply:
        """Ask for JSON of that schema, at most max_tokens long, thinking included."""
        import anthropic

        started = time.monotonic()
        config: OutputConfigParam = {"format": {"type": "json_schema", "schema": anthropic.transform_schema(answer)}}
        client = self._client()  # one a call: nothing to close later, and it runs in any event loop
        secrets = [secret for secret in (client.api_key, client.auth_token) if secret]
        problem, charged = "", False
        try:
            async with client:
                message = await client.messages.create(
                    model=self.name,
                    max_tokens=max_tokens,
                    system=[{"type": "text", "text": prompt.shared, "cache_control": {"type": "ephemeral"}}],
                    messages=_turns(prompt),
                    output_config=config,
                )
            return self._reply(message, time.monotonic() - started)
        except anthropic.APIStatusError as error:
            problem = self._status(error, secrets)
        except anthropic.APITimeoutError:
            charged = True
            problem = f"{_host(client)} gave no answer within {TIMEOUT_S} s: try later; {CARRY_ON}."
        except anthropic.APIConnectionError:
            charged = True  # it may have broken off after the answer was made
            problem = f"Cannot reach {_host(client)}: check the network and ANTHROPIC_BASE_URL; {CARRY_ON}."
        except anthropic.AnthropicError:  # a profile or token file of the SDK's that cannot be used
            problem = f"No credentials can be had for Claude: set ANTHROPIC_API_KEY, {OTHERWISE}."
        except (ValueError, TypeError, AttributeError):  # no JSON, or not that of a message
            charged = True
            problem = f"{_host(client)} does not answer as Anthropic's Messages API does: check ANTHROPIC_BASE_URL."
        # Raised out here so that it does not carry the SDK's error, whose request holds the key.
        raise ModelError(problem, charged=charged)

    def most_cost(self, prompt: Prompt, max_tokens: int) -> float:
        """The most such a call can cost, US dollars, if it is answered once.

        A token is at least a byte. Cells are written in signs and digits, which make many tokens: a third of the
        characters, right for prose, would be too few.
        """
        texts = (prompt.shared, prompt.own, prompt.answer or "", prompt.error or "")
        tokens = sum(len(text.encode("utf-8", "replace")) for text in texts) + ADDED_TOKENS
        return float(most_cost_of(self.name, tokens, max_tokens).usd)

    def _client(self) -> AsyncAnthropic:
        import anthropic

        try:
            client = anthropic.AsyncAnthropic(
                max_retries=self.max_retries, timeout=anthropic.Timeout(TIMEOUT_S, connect=CONNECT_S)
            )
        except anthropic.AnthropicError:
            raise ModelError(f"No credentials can be had for Claude: set ANTHROPIC_API_KEY, {OTHERWISE}.") from None
        headers = {name.lower() for name in client.default_headers}
        if not client.credentials and not headers & {"authorization", "x-api-key"}:
            raise ModelError(f"Claude needs a key: set ANTHROPIC_API_KEY, {OTHERWISE}.")
        if not re.fullmatch(r"[!-~]*", (client.api_key or "") + (client.auth_token or "")):
            raise ModelError("The key holds a space, a line break or a sign no key has: set ANTHROPIC_API_KEY again.")
        return client

    def _reply(self, message: Message, seconds: float) -> Reply:
        """A message as a reply; servers are not all Anthropic's, so what should be there may be missing."""
        tokens = {
            "input_tokens": int(message.usage.input_tokens),
            "output_tokens": int(message.usage.output_tokens),
            "cache_write_tokens": int(message.usage.cache_creation_input_tokens or 0),
            "cache_read_tokens": int(message.usage.cache_read_input_tokens or 0),
        }
        text = "".join(block.text for block in message.content if block.type == "text")
        text = text.encode("utf-8", "replace").decode()  # half a surrogate pair can be neither stored nor sent back
        cost = float(cost_of(self.name, **tokens).usd)
        return Reply(text, ENDS.get(message.stop_reason, "done"), Usage(**tokens, cost_usd=cost, seconds=seconds))

    def _status(self, error: APIStatusError, secrets: list[str]) -> str:
        """One sentence for an HTTP error, with what to do."""
        status, tries = error.status_code, f"after {self.max_retries + 1} tries"
        if status == 401:
            return f"Claude refuses the key: set ANTHROPIC_API_KEY to a valid one, {OTHERWISE}."
        if status == 403:
            return f"The key may not use {self.name}: set LLMNAS_MODEL to another model, or use another key."
        if status == 404:
            return (
                f"There is no model {self.name} at {error.request.url.host}: set LLMNAS_MODEL to one there is, such as"
                f" {DEFAULT_MODEL}, or check ANTHROPIC_BASE_URL."
            )
        if status == 429:
            return f"Claude's rate limit is reached, still {tries}: wait, or use fewer niches; {CARRY_ON}."
        if status >= 500 or status in (408, 409):
            return f"Claude is overloaded or out of order ({status}), still {tries}: try later; {CARRY_ON}."
        said = error.api_message if isinstance(error.api_message, str) else ""
        for secret in secrets:
            said = said.replace(secret, "***")
        said = " ".join("".join(sign if sign.isprintable() else " " for sign in said).split())[:MOST_QUOTED]
        return f"Claude does not take the request ({status}); mend what it says: {said or 'nothing'!r}"


def _turns(prompt: Prompt) -> list[MessageParam]:
    """The conversation: what is asked, and after a bad answer that answer and what is wrong with it."""
    if prompt.answer and prompt.answer.strip():
        return [
            {"role": "user", "content": prompt.own},
            {"role": "assistant", "content": prompt.answer},
            {"role": "user", "content": prompt.error or "The answer does not fit the schema."},
        ]
    # An empty answer is no turn: the API refuses it.
    own = f"{prompt.own}\n\n{prompt.error}" if prompt.error else prompt.own
    return [{"role": "user", "content": own}]


def _host(client: AsyncAnthropic) -> Any:
    """Where requests go, without what an address may hold of a password."""
    return client.base_url.host or "ANTHROPIC_BASE_URL"
