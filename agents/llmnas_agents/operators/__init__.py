"""Operators: how a scientist gets from a niche's results to new architectures."""

from __future__ import annotations

from llmnas_agents.operators.base import Operator
from llmnas_agents.operators.evolution import EvolutionOperator
from llmnas_mcp.errors import UnknownNameError

OPERATORS: dict[str, type[Operator]] = {"evolution": EvolutionOperator}

__all__ = ["OPERATORS", "EvolutionOperator", "Operator", "get_operator"]


def get_operator(name: str) -> Operator:
    """An operator by its name; raises UnknownNameError with the names there are."""
    if name not in OPERATORS:
        raise UnknownNameError("operator", name, OPERATORS)
    return OPERATORS[name]()
