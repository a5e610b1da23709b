"""What a model reads of an answer: all of its structured form, in a fraction of the tokens.

Programs read the structured form, in which architectures are in the notation of their space. The text beside it has
them in short form, which every tool reads as well, and no white space.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from llmnas_mcp.errors import ArchitectureError
from llmnas_mcp.spaces import Space

NAMED = frozenset({"architecture", "architectures", "tried", "parents", "evidence"})  # fields that hold architectures


def text_of(answer: dict[str, Any], space: Space | None) -> str:
    """An answer as compact JSON, the architectures of `space` in short form; what is none of these stays as it is.

    >>> from llmnas_mcp.spaces import get_space
    >>> space = get_space("nasbench201")
    >>> text_of({"architecture": space.example, "score": 0.5, "short": "as above"}, space)
    '{"architecture":"3n3sn1","score":0.5}'
    >>> text_of({"architecture": "not one", "score": None}, space)
    '{"architecture":"not one","score":null}'
    """
    told = answer if space is None else _shortened(answer, space)
    return to_json(told).decode()


def _shortened(part: Any, space: Space, name: str = "") -> Any:
    if isinstance(part, list):
        return [_shortened(item, space, name) for item in part]
    if isinstance(part, str) and name in NAMED:
        return _short(part, space)
    if not isinstance(part, dict):
        return part
    short = {key: _shortened(value, space, key) for key, value in part.items()}
    if "architecture" in part:
        short.pop("short", None)  # it would be there twice
    elif "example" in part:
        short["short"] = _short(part["example"], space)  # which shows how the two forms correspond
    return short


def _short(architecture: str, space: Space) -> str:
    try:
        return space.short(space.parse(architecture))
    except ArchitectureError:
        return architecture
