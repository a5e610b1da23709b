"""Pictures of searches."""

from llmnas_mcp.reports.coverage import Comparison, Spread, compare_coverage, plot_coverage
from llmnas_mcp.reports.plot import plot_front

__all__ = ["Comparison", "Spread", "compare_coverage", "plot_coverage", "plot_front"]
