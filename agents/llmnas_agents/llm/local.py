"""SmolLM2-135M-Instruct on this machine: no key, no network, no charge.

A very small model. Left to itself it does not write JSON, and it understands little of architectures. So what it may
write is held to the answer's schema, token by token (llguidance): every answer that ends is JSON of the schema, and a
string with a `pattern` matches it. It runs the whole way of a language model for real; it is no scientist.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from pydantic import BaseModel

from llmnas_agents.llm.base import LanguageModel, Prompt, Reply, Usage
from llmnas_agents.llm.engine import load, weights
from llmnas_agents.llm.errors import ModelError

# What a schema leaves open is bounded, for a model this small does not come to an end by itself.
MAX_CHARACTERS = 200  # of a string without maxLength
MAX_ITEMS = 8  # of a list or an object without its own limit
STEP = 0.001  # between numbers without multipleOf: else digits go on and on

LEAST = 0.1  # see pick()


class Local(LanguageModel):
    """The model on this machine. The same prompt gives the same answer, whatever was asked before.

    That holds for one kind of processor: sums in another order can make another token the likeliest.

    temperature: 0 takes the likeliest token; above it tokens are drawn, seeded with the prompt and `seed`. Calls are
    worked on one after the other, in a thread that all objects of the class share. Input tokens are counted in full,
    also where the shared part had been read before. Raises ModelError where packages are missing.
    """

    name = "SmolLM2-135M-Instruct"
    _thread = ThreadPoolExecutor(1, "local-model")

    answer_tokens = 700

    def __init__(self, temperature: float = 1.0, seed: int = 0) -> None:
        self.temperature, self.seed = temperature, seed
        weights()

    async def complete(self, prompt: Prompt, answer: type[BaseModel], max_tokens: int) -> Reply:
        """See LanguageModel. A prompt is never shortened: one that leaves no room for max_tokens is a ModelError."""
        stop = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, self._answer, prompt, answer.model_json_schema(), max_tokens, stop
            )
        finally:
            stop.set()  # when nobody waits any more, the thread is free within a block

    def most_cost(self, prompt: Prompt, max_tokens: int) -> float:  # noqa: ARG002
        """Nothing is charged."""
        return 0.0

    def _answer(self, prompt: Prompt, schema: dict[str, Any], max_tokens: int, stop: threading.Event) -> Reply:
        start = time.monotonic()
        engine = load()
        parts = (str(self.seed), prompt.shared, prompt.own, prompt.answer or "", prompt.error or "")
        seed = int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8])
        shared, own = engine.tokens_of(prompt)
        room = engine.context - max_tokens
        if len(shared) + len(own) > room:
            raise ModelError(
                f"The prompt has {len(shared) + len(own):,} tokens; {self.name} takes {room:,} at most and"
                f" {max_tokens:,} for the answer. Make rounds smaller (--offspring), or choose another operator."
            )
        draw = functools.partial(pick, temperature=self.temperature, generator=np.random.default_rng(seed))
        written, ended = engine.write(shared, own, bounded(schema), max_tokens, draw, stop)
        usage = Usage(len(shared) + len(own), len(written), seconds=time.monotonic() - start)
        return Reply(engine.text_of(written), "done" if ended else "length", usage)


def bounded(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema in which no object has keys of its own and nothing is endless, in the words that llguidance knows.

    >>> bounded({"type": "array", "items": {"type": "string"}})
    {'type': 'array', 'items': {'type': 'string', 'maxLength': 200}, 'maxItems': 8}
    """
    new = {key: value for key, value in schema.items() if key not in ("title", "description", "default")}
    for key in ("properties", "patternProperties", "$defs"):
        if key in new:
            new[key] = {name: bounded(part) for name, part in new[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(new.get(key), dict):
            new[key] = bounded(new[key])
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in new:
            new[key] = [bounded(part) for part in new[key]]
    names = new.pop("propertyNames", {}).get("enum")
    if names and "properties" not in new:  # dict[Literal[...], ...]: each name at most once, in this order
        new["properties"] = dict.fromkeys(names, new.pop("additionalProperties", {}))
    if "properties" in new:
        new.setdefault("additionalProperties", False)
        new = {key: value for key, value in new.items() if key not in ("minProperties", "maxProperties")}
    elif new.get("type") == "object":
        new.setdefault("maxProperties", MAX_ITEMS)
    elif new.get("type") == "array":
        new.setdefault("maxItems", MAX_ITEMS)
    elif new.get("type") == "number":
        new.setdefault("multipleOf", STEP)
    elif new.get("type") == "string" and not new.keys() & {"pattern", "enum", "const", "format"}:
        new.setdefault("maxLength", MAX_CHARACTERS)
    return new


def pick(logits: Any, temperature: float, generator: np.random.Generator) -> int:
    """The number of a token: the likeliest at temperature 0, else drawn in proportion to exp(logit / temperature).

    Tokens less than LEAST times as likely as the likeliest are never drawn (min-p, arXiv 2407.01082).
    """
    if temperature == 0:
        return int(np.argmax(logits))
    likely = np.exp((logits - logits.max()) / temperature, dtype=np.float64)
    ends = np.cumsum(np.where(likely < LEAST, 0.0, likely))
    return int(np.searchsorted(ends, generator.random() * ends[-1], side="right"))
