"""Language models, asked within limits and remembered."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from llmnas_agents.llm.base import LanguageModel
from llmnas_agents.llm.correspondent import Correspondent, Limits
from llmnas_agents.llm.errors import LimitError, ModelError
from llmnas_agents.llm.exchanges import Exchanges, Ledger

__all__ = ["Correspondent", "LimitError", "Limits", "ModelError", "correspondence"]


@contextmanager
def correspondence(operator: str, run: str, store: str, given: Mapping[str, Any]) -> Iterator[Correspondent]:
    """What an operator asks its model through, for one run: a search in one store.

    given: model ("local" or the name of a Claude model), max_cost, max_tokens, deadline (seconds from now), of which
    those that are not None replace what the run was begun with.
    """
    options = dict(given)
    if options.get("deadline") is not None:
        options["deadline"] += time.time()
    if operator == "local":
        options["model"] = "local"
    exchanges = Exchanges(store, run)
    try:
        model = _model(exchanges.limits({}).get("model") if options.get("model") is None else options["model"])
        options["model"] = model.name if options.get("model") != "local" else "local"
        kept = exchanges.limits(options)
        limits = Limits(**{name: kept.get(name) for name in ("max_cost", "max_tokens", "deadline")})
        yield Correspondent(model, exchanges, limits)
    finally:
        exchanges.close()


@contextmanager
def recorded(run: str, store: str) -> Iterator[Correspondent]:
    """The same from the recordings of a run: no model is asked."""
    exchanges = Exchanges(store, run)
    try:
        yield Correspondent(None, exchanges, Limits())
    finally:
        exchanges.close()


def ledger_of(run: str, store: str) -> Ledger:
    """What a run has used."""
    exchanges = Exchanges(store, run)
    try:
        return exchanges.ledger()
    finally:
        exchanges.close()


def _model(name: str | None) -> LanguageModel:
    if name == "local":
        from llmnas_agents.llm.local import Local

        return Local()
    from llmnas_agents.llm.claude import Claude

    return Claude(name)
