"""Scores of architectures: looked up in an atlas where there is one, else computed."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import DataError
from llmnas_mcp.scoring import aggregate, atlas, engine
from llmnas_mcp.scoring.engine import COUNTED, DEFAULT, OBSERVED, check_proxies
from llmnas_mcp.scoring.kept import kept_in
from llmnas_mcp.spaces import Dataset, Genotype, Genotypes, SearchSpace

SAMPLE = 100  # architectures that stand for the space where no atlas does


@dataclass(frozen=True)
class Scores:
    """Scores of n architectures, in the order asked.

    score: (n,) in [0, 1], higher is better: the rank against the whole space.
    proxies: name -> (n,), finite, higher is better, those of the canonical architecture.
    sources: "atlas" or "computed", per architecture.
    """

    score: NDArray[np.float64]
    proxies: dict[str, NDArray[np.float64]]
    sources: tuple[str, ...]


def has_atlas(space: SearchSpace, dataset: Dataset) -> bool:
    """Whether a shipped atlas serves this space and dataset: its resolution and number of classes decide.

    >>> from llmnas_mcp.spaces import get_space
    >>> has_atlas(get_space("nasbench201"), Dataset("mine", 32, 10))
    True
    """
    return (atlas.SHIPPED / atlas.file_name(space, dataset)).exists()


def looked_up(space: SearchSpace, dataset: Dataset, data: Path) -> Mapping[Genotype, tuple[float, ...]]:
    """Canonical genotypes that are scored without measuring: those of the shipped atlas, else of the sample kept."""
    path = _atlas_path(space, dataset, data)
    return atlas.load(path).measured if path.exists() else {}


def score_of(
    space: SearchSpace,
    genotypes: Genotypes,
    *,
    dataset: Dataset,
    data: Path,
    proxies: Iterable[str] = DEFAULT,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """The aggregate score of each genotype and the proxies asked for; `aggregate` has the formula.

    genotypes: (n, positions); each is scored as its canonical form, because what it computes is what is scored.
    What no atlas knows is computed, a few tenths of a second an architecture on one core, with `progress(done, total)`
    after each, which may raise to stop: what was measured until then is kept in the folder `data`, and not measured
    again. The first call for a dataset without atlas also measures SAMPLE architectures, the distribution to rank
    against. Raises UnknownNameError for a proxy there is not.
    """
    names = check_proxies(proxies)
    more = tuple(name for name in names if name not in COUNTED + OBSERVED)
    asked = [space.canonical(tuple(map(int, genotype))) for genotype in genotypes]
    cells = list(dict.fromkeys(asked))
    wanted = set(cells)
    path = _atlas_path(space, dataset, data)
    known = looked_up(space, dataset, data)

    sample = {} if known else _sample(space)
    if sample:
        _check_writable(data)
    todo = list(dict.fromkeys(cell for cell in [*sample, *cells] if cell not in known))
    steps = list(dict.fromkeys([*todo, *(cells if more else ())]))
    live, extra = {}, {}
    for done, cell in enumerate(steps, start=1):
        own = OBSERVED if cell not in known else ()
        values = _measured(space, cell, dataset, own + (more if cell in wanted else ()), data)
        if own:
            live[cell] = values[: len(own)]
        extra[cell] = values[len(own) :]
        if done == len(sample):
            atlas.make(sample, live).save(path)
        if progress:
            progress(done, len(steps))

    observed = np.array([live[cell] if cell in live else known[cell] for cell in cells]).reshape(-1, len(OBSERVED)).T
    columns = _counts(space, cells, dataset) | dict(zip(OBSERVED, observed, strict=True))
    score = _aggregate(path, space, dataset).scores(columns)
    columns |= {name: np.array([extra[cell][i] for cell in cells]) for i, name in enumerate(more)}

    row_of = {cell: row for row, cell in enumerate(cells)}
    rows = np.array([row_of[cell] for cell in asked], dtype=int)
    return Scores(
        score=score[rows],
        proxies={name: columns[name][rows] for name in names},
        sources=tuple(
            "computed" if more or cell in live or path.parent != atlas.SHIPPED else "atlas" for cell in asked
        ),
    )


def _atlas_path(space: SearchSpace, dataset: Dataset, data: Path) -> Path:
    """The atlas to look up in: the shipped one where there is one, else the sample in `data`, which may be to come."""
    return (atlas.SHIPPED if has_atlas(space, dataset) else data) / atlas.file_name(space, dataset)


def _measured(
    space: SearchSpace, cell: Genotype, dataset: Dataset, proxies: tuple[str, ...], data: Path
) -> tuple[float, ...]:
    """These proxies of a canonical genotype: those kept in `data`, else measured now and kept."""
    kept = kept_in((data / atlas.file_name(space, dataset)).with_suffix(".jsonl"))
    values = kept.get(cell, proxies)
    if values is None:
        values = engine.measure_genotype(space, cell, dataset, proxies)
        kept.add(cell, dict(zip(proxies, values, strict=True)))
    return values


@lru_cache(maxsize=32)
def _aggregate(path: Path, space: SearchSpace, dataset: Dataset) -> aggregate.Aggregate:
    """The score against all an atlas knows."""
    known = atlas.load(path)
    return aggregate.Aggregate(_counts(space, known.genotypes, dataset) | known.proxies, known.weights)


def _counts(space: SearchSpace, genotypes: Genotypes, dataset: Dataset) -> dict[str, NDArray[np.float64]]:
    counts = {"params": space.params(genotypes, dataset), "macs": space.macs(genotypes, dataset)}
    return {name: count.astype(np.float64) for name, count in counts.items()}


def _check_writable(data: Path) -> None:
    """Raise DataError now, not after the sample has been measured for it."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data):
            pass
    except OSError as error:
        raise DataError(
            f"A sample of scores is to be kept in {data}, which cannot be written ({error.strerror}): set LLMNAS_DATA"
            " to a folder you can write to."
        ) from error


def _sample(space: SearchSpace) -> dict[Genotype, int]:
    """Canonical genotypes of SAMPLE architectures drawn uniformly, always the same, and how often each was drawn."""
    rng = np.random.default_rng(engine.SEED)
    return Counter(space.canonical(tuple(row)) for row in space.sample(SAMPLE, rng).tolist())
