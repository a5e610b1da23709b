"""Work that another process does (score, measure, train): one small interface, with engines behind it."""

from llmnas_mcp.jobs.base import Engine, Failed, Job
from llmnas_mcp.jobs.processes import Processes, shared

__all__ = ["Engine", "Failed", "Job", "Processes", "shared"]
