"""Operators: how a scientist gets from a niche's results to new architectures."""

from __future__ import annotations

from llmnas_agents.llm.correspondent import Correspondent
from llmnas_agents.operators.base import Operator
from llmnas_agents.operators.evolution import EvolutionOperator
from llmnas_agents.operators.language import LanguageOperator
from llmnas_agents.operators.plain import LatencyPromptOperator, PlainPromptOperator
from llmnas_agents.operators.small import SmallModelOperator
from llmnas_mcp.errors import UnknownNameError

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
OPERATORS = (EvolutionOperator.name, EvolutionOperator.name + NO_KNOWLEDGE_BASE, *LANGUAGE)
WITHOUT_NICHES = ("plain-prompt", "latency-prompt")

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
    found: Operator = EvolutionOperator()
    if correspondent is not None and name in LANGUAGE:
        found = LANGUAGE[name](name, correspondent)
    found.learns = not name.endswith(NO_KNOWLEDGE_BASE)
    return found
