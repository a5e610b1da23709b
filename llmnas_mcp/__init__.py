"""llmnas-mcp: a laboratory for hardware-aware neural architecture search (method of arXiv 2510.01472)."""

__version__ = "0.1.0"
