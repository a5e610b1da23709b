"""The command `llmnas`."""

from llmnas_agents.cli.app import main

__all__ = ["main"]
