"""Proxies measured once and kept: those of a space's distinct architectures for inputs and classes of one kind.

An atlas is a .npz without pickles: `genotypes` (m, positions), canonical and ascending; `weights` (m,), how many
architectures each stands for; a float64 array (m,) per measured proxy; `meta`, a JSON text on how it was made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import DataError
from llmnas_mcp.scoring import engine
from llmnas_mcp.scoring.engine import OBSERVED
from llmnas_mcp.spaces import Dataset, Genotype, Space

SHIPPED = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Atlas:
    """Known genotypes, how many architectures each stands for, and their measured proxies: name -> (m,)."""

    genotypes: NDArray[np.int_]
    weights: NDArray[np.int64]
    proxies: dict[str, NDArray[np.float64]]
    meta: dict[str, object]

    @cached_property
    def measured(self) -> dict[Genotype, tuple[float, ...]]:
        """What `engine.measure_genotype` said of each genotype."""
        rows = zip(*(self.proxies[name].tolist() for name in OBSERVED), strict=True)
        return dict(zip(map(tuple, self.genotypes.tolist()), rows, strict=True))

    def save(self, path: Path) -> None:
        """Write to `path` in one step, so that no reader ever sees half a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        meta = np.array(json.dumps(self.meta))
        arrays: dict[str, NDArray[Any]] = {"genotypes": self.genotypes.astype(np.int8), "weights": self.weights}
        part = path.with_name(f"{path.name}.{uuid4().hex}.part")
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, meta=meta, **arrays, **self.proxies)
        part.replace(path)


def make(members: Mapping[Genotype, int], measured: Mapping[Genotype, tuple[float, ...]]) -> Atlas:
    """An atlas of canonical genotypes: how many architectures each stands for, and what `engine` measured of each."""
    genotypes = sorted(members)
    columns = np.array([measured[genotype] for genotype in genotypes]).T
    return Atlas(
        genotypes=np.array(genotypes),
        weights=np.array([members[genotype] for genotype in genotypes]),
        proxies=dict(zip(OBSERVED, columns, strict=True)),
        meta=engine.settings(),
    )


@lru_cache(maxsize=32)
def load(path: Path) -> Atlas:
    """Read an atlas, once per process. Raises DataError, with the fix, for a damaged file."""
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            proxies = {name: file[name] for name in OBSERVED}
            return Atlas(file["genotypes"].astype(int), file["weights"], proxies, json.loads(str(file["meta"])))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise DataError(f"{path} cannot be read ({error}). Delete it: what it held is measured again.") from error


def file_name(space: Space, dataset: Dataset) -> str:
    """The name of an atlas file; with `engine.VERSION`, so that values measured otherwise are not taken for these.

    With the edition of a space that its user wrote, too: what was measured before its file was edited may be another's.

    >>> from llmnas_mcp.spaces import get_space
    >>> file_name(get_space("nasbench201"), Dataset("cifar10", 32, 10))
    'nasbench201-32px-10classes-v2.npz'
    """
    edition = f"-{space.edition}" if space.edition else ""
    colours = "" if dataset.channels == 3 else f"-{dataset.channels}ch"
    return f"{space.name}{edition}-{dataset.resolution}px{colours}-{dataset.classes}classes-v{engine.VERSION}.npz"
