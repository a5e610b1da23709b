"""A network leaves the laboratory: as a file in the format a device runs, checked, with a card beside it."""

from llmnas_mcp.exporting.formats import FORMATS, Format, format_of
from llmnas_mcp.exporting.trained import Trained, read_weights
from llmnas_mcp.exporting.writing import Subject, export

__all__ = ["FORMATS", "Format", "Subject", "Trained", "export", "format_of", "read_weights"]
