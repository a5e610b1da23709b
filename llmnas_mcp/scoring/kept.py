"""What was measured live, kept as it comes: a line of JSON per architecture in the folder of tables.

So a call that is cancelled, or a process that is killed, loses only the architecture it was at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from llmnas_mcp.spaces import Genotype


class Kept:
    """The measurements in one file. Safe to use from several threads, and by several processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[Genotype, dict[str, float]] = {}
        with suppress(OSError):
            for line in path.read_text("utf-8", errors="replace").splitlines():
                self._read(line)

    def _read(self, line: str) -> None:
        # A line that is not as we write them was cut off by a kill, or edited: what it held is measured again.
        with suppress(ValueError, TypeError, AttributeError, KeyError):
            row = json.loads(line)
            values = {str(name): float(value) for name, value in row["values"].items()}
            if all(map(math.isfinite, values.values())):
                self._values.setdefault(tuple(map(int, row["genotype"])), {}).update(values)

    def get(self, genotype: Genotype, proxies: Iterable[str]) -> tuple[float, ...] | None:
        """These proxies of a canonical genotype, where all of them are kept."""
        values = self._values.get(genotype, {})
        try:
            return tuple(values[name] for name in proxies)
        except KeyError:
            return None

    def add(self, genotype: Genotype, values: dict[str, float]) -> None:
        """Keep what was measured; in memory only where the folder cannot be written."""
        self._values[genotype] = {**self._values.get(genotype, {}), **values}
        line = json.dumps({"genotype": genotype, "values": values})
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"\n{line}")  # the break comes first, so that a line cut off spoils no other


@lru_cache(maxsize=32)
def kept_in(path: Path) -> Kept:
    """The measurements in a file, which is read once per process."""
    return Kept(path)
