"""The processes of the system, as far as tests look at them: Linux tells."""

from __future__ import annotations

import os
import select
from collections.abc import Iterable
from pathlib import Path

from tests.thorough import HUNG


def children() -> set[int]:
    """The process ids of this process's children, those that have ended and were not waited for included."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # gone meanwhile
        if int(rest[1]) == os.getpid():
            found.add(int(stat.parent.name))
    return found


def wait_for_end(pids: Iterable[int]) -> None:
    """Wait until none of these runs, whoever's children they are."""
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            assert select.select([handle], [], [], HUNG)[0], f"{pid} still runs"
        finally:
            os.close(handle)
