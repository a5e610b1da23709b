from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from llmnas_mcp.spaces import SearchSpace, get_space


@pytest.fixture
def space() -> SearchSpace:
    return get_space("nasbench201")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of imported tables, not there yet."""
    return tmp_path / "tables"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows (dicts by column) as CSV, gzipped if the name says so."""

    def table(name: str, rows: list[dict[str, object]]) -> Path:
        path = tmp_path / name
        with gzip.open(path, "wt", newline="") if name.endswith(".gz") else path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return table


@pytest.fixture(scope="session")
def measured() -> Path:
    """The folder of the published tables, which the project does not carry."""
    folder = os.environ.get("LLMNAS_TEST_DATA")
    if not folder:
        pytest.skip("the measured tables are not here: set LLMNAS_TEST_DATA to their folder")
    return Path(folder)
