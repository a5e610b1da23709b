from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from llmnas_mcp.spaces import Genotype, Space, get_space, registry
from tests.spaces.own import MINE, Write


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def space() -> Space:
    return get_space("nasbench201")


@pytest.fixture(scope="session")
def cells(space: Space) -> list[Genotype]:
    """All 15,625, in order."""
    return list(space.genotypes())


@pytest.fixture(scope="session")
def published(measured: Path) -> list[dict[str, str]]:
    """The rows of the published table of NAS-Bench-201."""
    with gzip.open(measured / "nb201_accuracy.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of tables of this test's own, where added spaces are remembered; it leaves none behind."""
    monkeypatch.setenv("LLMNAS_DATA", str(tmp_path / "tables"))
    yield tmp_path / "tables"
    registry._of_process.clear()


@pytest.fixture
def write_space(own_folder: Path) -> Write:
    """Writes a space to a file of its own, and gives its FILE.py:CLASS."""

    def own(text: str = MINE, file: str = "mine.py", kind: str = "Mine") -> str:
        (own_folder.parent / file).write_text(text, encoding="utf-8")
        return f"{own_folder.parent / file}:{kind}"

    return own
