"""What the laboratory says is wrong, told to clients that call no tool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR

from llmnas_mcp.errors import LabError


@contextmanager
def readable() -> Iterator[None]:
    """Make a LabError one of the protocol with the same text; the library keeps back what others say."""
    try:
        yield
    except LabError as error:
        raise MCPError(INTERNAL_ERROR, str(error)) from error
