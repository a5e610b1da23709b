"""Pictures of searches."""

from llmnas_mcp.reports.coverage import Comparison, Spread, compare_coverage, plot_coverage
from llmnas_mcp.reports.picks import advice_on, advised
from llmnas_mcp.reports.plot import plot_front
from llmnas_mcp.reports.report import html_report
from llmnas_mcp.reports.truth import Truth, judged, truth_of

__all__ = [
    "Comparison",
    "Spread",
    "Truth",
    "advice_on",
    "advised",
    "compare_coverage",
    "html_report",
    "judged",
    "plot_coverage",
    "plot_front",
    "truth_of",
]
