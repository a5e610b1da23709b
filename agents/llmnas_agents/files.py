"""Files that are whole or not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def write_whole(path: Path, content: bytes, private: bool = False) -> None:
    """Write a file that is whole or not there, in a folder that is made where it is missing. Raises OSError.

    A file that was there keeps its permissions, and a link to one stays a link; a new one that is `private` can be
    read by its owner alone.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if private or path.exists():
            part.touch(0o600)  # what others may not read is at no time open to them
        part.write_bytes(content)
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
