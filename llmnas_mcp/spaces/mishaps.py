"""What a user's code did wrong, in a line: the exception, and where in the user's file it came from."""

from __future__ import annotations

import inspect
import linecache
import traceback
from pathlib import Path

LONGEST = 300


def told(error: BaseException, file: str | Path | None = None) -> str:
    """The exception, and the last line of `file` that it passed through; of a syntax error, the line it is in.

    >>> try:
    ...     int("three")
    ... except ValueError as error:
    ...     print(told(error))
    ValueError: invalid literal for int() with base 10: 'three'
    """
    if isinstance(error, SyntaxError):
        text, number = error.msg, error.lineno
    else:
        frames = traceback.extract_tb(error.__traceback__) if file else []
        text, number = str(error), next((f.lineno for f in reversed(frames) if f.filename == str(file)), None)
    what = " ".join(f"{type(error).__name__}: {text}".removesuffix(": ").split())
    what = what if len(what) <= LONGEST else what[: LONGEST - 3] + "..."
    if file is None or not number:
        return what
    line = linecache.getline(str(file), number).strip()[:120]
    return f"{what} ({Path(file).name}, line {number}" + (f": {line})" if line else ")")


def file_of(kind: type) -> str | None:
    """The file in which a class is written, None where there is none."""
    try:
        return inspect.getsourcefile(kind)
    except (TypeError, OSError):
        return None
