"""Which to keep: fronts and their quality."""

from llmnas_mcp.pareto.fronts import (
    front_of,
    hypervolume,
    igd,
    igd_plus,
    near_front_of,
    ranks_of,
    spread_order,
    unit_hypervolume,
)
from llmnas_mcp.pareto.gains import hypervolume_gains

__all__ = [
    "front_of",
    "hypervolume",
    "hypervolume_gains",
    "igd",
    "igd_plus",
    "near_front_of",
    "ranks_of",
    "spread_order",
    "unit_hypervolume",
]
