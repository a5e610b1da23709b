"""What it really scores: trained accuracies, imported or estimated, to judge searches by and never to search with."""

from llmnas_mcp.benchmarks.accuracy import Accuracies, accuracy_of
from llmnas_mcp.benchmarks.judge import Judge, Verdict
from llmnas_mcp.benchmarks.tables import accuracy_table, import_accuracies, imported_accuracies

__all__ = [
    "Accuracies",
    "Judge",
    "Verdict",
    "accuracy_of",
    "accuracy_table",
    "import_accuracies",
    "imported_accuracies",
]
