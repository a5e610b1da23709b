"""Pictures of searches."""

from llmnas_mcp.reports.plot import plot_front

__all__ = ["plot_front"]
