"""What both commands set for their process before they import anything large."""

from __future__ import annotations

import atexit
import gc
import os


def prepare() -> None:
    """Settings of the interpreter and of libraries that must come first; what the environment says stays."""
    # Importing makes many objects and little garbage: with Python's default, collections take a fifth of the start.
    gc.set_threshold(50_000, 20, 50)
    # All that is left at the end goes with the process: to look through it for garbage would take half a second.
    atexit.register(gc.freeze)
    # The matrices here are small: threads in BLAS only get in each other's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A link into a library's manual is no help to a model or a user.
    os.environ.setdefault("PYDANTIC_ERRORS_INCLUDE_URL", "0")
