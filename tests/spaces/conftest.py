from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
import torch

from llmnas_mcp.spaces import Genotype, SearchSpace, get_space


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def space() -> SearchSpace:
    return get_space("nasbench201")


@pytest.fixture(scope="session")
def cells(space: SearchSpace) -> list[Genotype]:
    """All 15,625, in order."""
    return list(space.genotypes())


@pytest.fixture(scope="session")
def published(measured: Path) -> list[dict[str, str]]:
    """The rows of the published table of NAS-Bench-201."""
    with gzip.open(measured / "nb201_accuracy.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))
