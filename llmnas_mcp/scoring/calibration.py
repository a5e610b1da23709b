"""What a score is worth: how it ranks a space against accuracies, where these were published.

They are of networks trained each by itself, or with weights inherited from one that holds all of a space. The figures
were computed by scripts/calibrate.py and scripts/calibrate_autoformer.py and are only shown: no score depends on them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from llmnas_mcp.spaces import Dataset, Space

FILE = Path(__file__).parent / "data" / "calibration.json"


@dataclass(frozen=True)
class Calibration:
    """Rank correlation of the score, or of a proxy, with test accuracy over a space.

    spearman, kendall: in [-1, 1], 1 the best, each with a 95 % bootstrap interval (architectures that compute the same
    are drawn together).
    """

    name: str
    spearman: float
    spearman_low: float
    spearman_high: float
    kendall: float
    kendall_low: float
    kendall_high: float


@dataclass(frozen=True)
class Table:
    """Calibrations against one published table. grade: what its accuracies are, "trained" or "inherited"."""

    source: str
    grade: Literal["trained", "inherited"]
    architectures: int
    rows: tuple[Calibration, ...]


def calibration_of(space: Space, dataset: Dataset) -> Table | None:
    """The score's calibration and, to compare, that of the counts and of proxies; None without a table.

    >>> from llmnas_mcp.spaces import DATASETS, get_space
    >>> table = calibration_of(get_space("nasbench201"), DATASETS["cifar10"])
    >>> [row.name for row in table.rows][:3], table.architectures
    (['score', 'params', 'macs'], 15625)
    >>> calibration_of(get_space("nasbench201"), DATASETS["ImageNet16-120"]) is None
    True
    """
    found = _read().get(space.name, {}).get(dataset.name)
    if found is None:
        return None
    return Table(
        found["source"],
        found.get("grade", "trained"),
        found["architectures"],
        tuple(Calibration(**row) for row in found["rows"]),
    )


@lru_cache(maxsize=1)
def _read() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return read
