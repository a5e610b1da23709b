"""Language models, asked within limits and remembered."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from llmnas_agents.llm.base import LanguageModel
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
        kept = exchanges.options(now)
        model = model_of(operator, kept.get("model"))
        exchanges.options({"model": kept.get("model") or model.name})
        yield Correspondent(
            model, exchanges, Limits(**{name: kept.get(name) for name in ("max_cost", "max_tokens", "deadline")})
        )
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
    """The model an operator asks; raises ModelError, with the fix, where it cannot be asked."""
    if operator == "local" or name == "local":
        from llmnas_agents.llm.local import Local

        return Local()
    from llmnas_agents.llm.claude import Claude

    return Claude(name)
