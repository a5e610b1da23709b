"""How asking a language model can end."""

from __future__ import annotations

from llmnas_mcp.errors import LabError


class ModelError(LabError):
    """No answer can be had of the model; the text says why and what to do. `charged`: the call may still cost."""

    def __init__(self, why: str, *, charged: bool = False) -> None:
        super().__init__(why)
        self.charged = charged


class LimitError(LabError):
    """A limit that the user set ends the run."""
