"""Pictures of searches."""

from llmnas_mcp.reports.coverage import Comparison, Spread, compare_coverage, plot_coverage
from llmnas_mcp.reports.plot import plot_front
from llmnas_mcp.reports.report import html_report

__all__ = ["Comparison", "Spread", "compare_coverage", "html_report", "plot_coverage", "plot_front"]
