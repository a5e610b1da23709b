"""Pictures of searches."""

from llmnas_mcp.reports.coverage import Comparison, Spread, compare_coverage, plot_coverage
from llmnas_mcp.reports.picks import advised, to_train
from llmnas_mcp.reports.plot import plot_front
from llmnas_mcp.reports.report import html_report
from llmnas_mcp.reports.truth import Truth, judged, truth_of

__all__ = [
    "Comparison",
    "Spread",
    "Truth",
    "advised",
    "compare_coverage",
    "html_report",
    "judged",
    "plot_coverage",
    "plot_front",
    "to_train",
    "truth_of",
]
