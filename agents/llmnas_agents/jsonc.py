"""JSON as people keep it: read with comments and trailing commas, changed without touching any other character."""

from __future__ import annotations

import json
import re
from typing import Any

STRING = r'"(?:[^"\\]|\\.)*"'
COMMENT = re.compile(STRING + r"|//[^\n]*|/\*.*?\*/", re.DOTALL)
TRAILING_COMMA = re.compile(STRING + r"|,(?=\s*[}\]])", re.DOTALL)
SPACE = re.compile(r"\s*")


def loads(text: str) -> Any:
    """The value of a text; raises JSONDecodeError, whose line and column are those of the text.

    >>> loads('{"a": [1, 2,], // one\\n "b": "/* no comment */"}')
    {'a': [1, 2], 'b': '/* no comment */'}
    """
    return json.loads(_without_trailing_commas(_without_comments(text)))


def put(text: str, keys: tuple[str, ...], value: Any) -> str:
    """A text in which `value` is under those keys, each in the object before; objects that miss are made.

    >>> print(put('{"a": 1, // mine\\n}', ("b", "c"), 2))
    {"a": 1, // mine
      "b": {
        "c": 2
      }
    }
    """
    uncommented = _without_comments(text)
    found = re.match(r'\s*\{\s*\n([ \t]+)"', uncommented)
    return _put(text, uncommented.index("{"), 1, keys, value, found[1] if found else "  ")


def _put(text: str, opened: int, depth: int, keys: tuple[str, ...], value: Any, indent: str) -> str:
    uncommented = _without_comments(text)
    members, closed = _members(_without_trailing_commas(uncommented), opened)
    key, *rest = keys
    if key in members and rest:
        return _put(text, members[key][0], depth + 1, tuple(rest), value, indent)
    for outer in reversed(rest):
        value = {outer: value}
    line = "\r\n" if "\r\n" in text else "\n"
    new = json.dumps(value, indent=indent, ensure_ascii=False).replace("\n", line + depth * indent)
    if key in members:
        begin, end = members[key]
        return text[:begin] + new + text[end:]
    last = max((end for _, end in members.values()), default=opened + 1)
    comma = "," if members and "," not in uncommented[last:closed] else ""
    before = text[:last] + comma + text[last:closed].rstrip() + line + depth * indent
    return f"{before}{json.dumps(key)}: {new}{line}{(depth - 1) * indent}{text[closed:]}"


def _members(text: str, opened: int) -> tuple[dict[str, tuple[int, int]], int]:
    """Where the values of the object that opens there begin and end, by key, and where the object closes."""
    decoder, members = json.JSONDecoder(), {}
    at = _skip(text, opened + 1)
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        begin = _skip(text, _skip(text, at) + 1)
        _, end = decoder.raw_decode(text, begin)
        members[key] = (begin, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return members, at


def _skip(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


def _without_comments(text: str) -> str:
    """Spaces where the comments were, so that every other character stays at its place."""
    return COMMENT.sub(lambda m: m[0] if m[0][0] == '"' else re.sub(r"[^\n]", " ", m[0]), text)


def _without_trailing_commas(text: str) -> str:
    return TRAILING_COMMA.sub(lambda m: " " if m[0] == "," else m[0], text)
