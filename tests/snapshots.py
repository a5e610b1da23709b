"""What is to be seen in review when it changes: texts kept beside the tests."""

from __future__ import annotations

import os
from pathlib import Path


def check(path: Path, text: str) -> None:
    """Compare with what is kept; with LLMNAS_UPDATE_SNAPSHOTS=1, keep it."""
    if os.environ.get("LLMNAS_UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "if it is meant to change: LLMNAS_UPDATE_SNAPSHOTS=1"
