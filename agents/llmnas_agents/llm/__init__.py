"""Language models, asked within limits and remembered."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from llmnas_agents.llm.base import LanguageModel
from llmnas_agents.llm.claude import Claude
from llmnas_agents.llm.correspondent import Correspondent, Limits
from llmnas_agents.llm.errors import LimitError, ModelError
from llmnas_agents.llm.exchanges import Exchanges

__all__ = ["Correspondent", "LimitError", "Limits", "ModelError", "correspondence", "model_of", "replayed"]


@contextmanager
def correspondence(operator: str, run: str, store: str, given: Mapping[str, Any]) -> Iterator[Correspondent]:
    """What an operator asks its model through, for one run: a search in one store.

    given: model ("local" or the name of a Claude model), max_cost, max_tokens, deadline (seconds from now), of which
    those that are not None replace what the run was begun with.
    """
    now = dict(given)
    if now.get("deadline") is not None:
        now["deadline"] += time.time()
    exchanges = Exchanges(store, run)
    try:
        model = model_of(operator, exchanges.options(now).get("model"))
        kept = exchanges.options({"model": model.name if isinstance(model, Claude) else "local"})
        limits = Limits(**{name: kept.get(name) for name in ("max_cost", "max_tokens", "deadline")})
        yield Correspondent(model, exchanges, limits)
    finally:
        exchanges.close()


@contextmanager
def replayed(recorded: Iterable[Mapping[str, Any]], store: str) -> Iterator[Correspondent]:
    """The same from recorded exchanges, which are put into a store: no model is asked."""
    exchanges = Exchanges(store, "replay")
    try:
        exchanges.put(recorded)
        yield Correspondent(None, exchanges, Limits())
    finally:
        exchanges.close()


def model_of(operator: str, name: str | None) -> LanguageModel:
    """The model an operator asks: `name`, or what LLMNAS_MODEL says; raises ModelError where it cannot be asked."""
    name = name or os.environ.get("LLMNAS_MODEL")
    if operator.partition("+")[0] == "local" or name == "local":
        from llmnas_agents.llm.local import Local

        return Local()
    return Claude(name)
