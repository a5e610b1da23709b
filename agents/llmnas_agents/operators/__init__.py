"""Operators: how a scientist gets from a niche's results to new architectures."""

from __future__ import annotations

from llmnas_agents.llm.correspondent import Correspondent
from llmnas_agents.operators.base import Operator
from llmnas_agents.operators.evolution import EvolutionOperator
from llmnas_agents.operators.language import LanguageOperator
from llmnas_agents.operators.plain import LatencyPromptOperator, PlainPromptOperator
from llmnas_agents.operators.small import SmallModelOperator
from llmnas_mcp.errors import UnknownNameError
from llmnas_mcp.plugins import Catalogue

NO_KNOWLEDGE_BASE = "+no-knowledge-base"  # after an operator's name: it learns no rules, for comparison
# Those that ask a language model, by name.
LANGUAGE: dict[str, type[LanguageOperator]] = {
    "claude": LanguageOperator,
    "claude" + NO_KNOWLEDGE_BASE: LanguageOperator,
    "local": SmallModelOperator,
    "local" + NO_KNOWLEDGE_BASE: SmallModelOperator,
    "plain-prompt": PlainPromptOperator,
    "latency-prompt": LatencyPromptOperator,
}
WITHOUT_NICHES = ("plain-prompt", "latency-prompt")


def _of_package(name: str, found: object) -> type[Operator]:
    if not isinstance(found, type) or not issubclass(found, Operator):
        raise ValueError("it is no subclass of llmnas_agents.operators.Operator.")
    if missing := sorted(getattr(found, "__abstractmethods__", ())):
        raise ValueError(f"it has no {' and no '.join(missing)}.")
    if found.name != name:
        raise ValueError(f"its name is {found.name!r} there. Both names must be the same.")
    return found


# All by name; those of packages are made without arguments, as evolution is.
OPERATORS: Catalogue[type[Operator]] = Catalogue(
    "llmnas.operators",
    {"evolution": EvolutionOperator, "evolution" + NO_KNOWLEDGE_BASE: EvolutionOperator, **LANGUAGE},
    _of_package,
)

__all__ = [
    "LANGUAGE",
    "NO_KNOWLEDGE_BASE",
    "OPERATORS",
    "WITHOUT_NICHES",
    "EvolutionOperator",
    "Operator",
    "check_operator",
    "get_operator",
]


def check_operator(name: str) -> None:
    """Raise UnknownNameError with the names there are."""
    if name not in OPERATORS:
        raise UnknownNameError("operator", name, OPERATORS)


def get_operator(name: str, correspondent: Correspondent | None = None) -> Operator:
    """An operator by its name; those in LANGUAGE ask through the correspondent. Raises UnknownNameError."""
    check_operator(name)
    if name in LANGUAGE:
        found: Operator = LANGUAGE[name](name, correspondent) if correspondent else EvolutionOperator()
    else:
        found = OPERATORS[name]()
    found.learns = not name.endswith(NO_KNOWLEDGE_BASE)
    return found
