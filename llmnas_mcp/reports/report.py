"""The report of a search: one HTML file that holds all it needs and asks no network for anything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from llmnas_mcp.reports.telling import tell
from llmnas_mcp.search.instruments import Progress
from llmnas_mcp.search.service import Laboratory

# In the order they run: later ones use what earlier ones define.
_SCRIPTS = (
    "vendor/d3.min.js",
    "vendor/plot.umd.min.js",
    "core.js",
    "cell.js",
    "chain.js",
    "transformer.js",
    "front.js",
    "table.js",
    "accuracy.js",
    "curves.js",
    "lineage.js",
    "knowledge.js",
    "report.js",
)


def html_report(lab: Laboratory, search_id: str, progress: Progress | None = None) -> str:
    """The page: the front to look into, its table, what the method added, where designs come from, what was learnt.

    Raises NotFoundError for a search that is not there. What a language model was used for is not known here: whoever
    knows it puts its JSON in place of the `null` in the element `ledger`.

    progress: is told how many of the runs that the search is held against are done, of how many.
    """
    told = tell(lab, search_id, progress)
    scripts = _scripts()
    parts = {
        # Nothing is fetched, and no script runs but these: not even one that text of a model could have brought in.
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none';"
        f" form-action 'none'; script-src {' '.join(_hash(script) for script in scripts)}",
        "title": escape(told["title"]),
        "answer": escape(told["answer"]),
        "style": _read("report.css"),
        "data": as_json(told),
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    # In one pass, so that what is filled in is never taken for a place to fill.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read("report.html"))


def as_json(value: Any) -> str:
    """JSON that can stand in an element of a page, whatever text is in it.

    >>> as_json("</script>")
    '"\\\\u003c/script>"'
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


@cache
def _read(name: str) -> str:
    return files("llmnas_mcp.reports").joinpath("page", name).read_text(encoding="utf-8")


@cache
def _scripts() -> tuple[str, ...]:
    return tuple(_read(name) for name in _SCRIPTS)


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
