"""Scores of architectures: looked up in an atlas where there is one, else computed."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import DataError, UnscorableError
from llmnas_mcp.scoring import aggregate, atlas, engine
from llmnas_mcp.scoring.engine import COUNTED, check_proxies
from llmnas_mcp.scoring.forms import form_of
from llmnas_mcp.scoring.kept import kept_in
from llmnas_mcp.scoring.workers import measure_all
from llmnas_mcp.spaces import Dataset, Genotype, Genotypes, Space
from llmnas_mcp.spaces.reference import SAMPLE, reference_of


@dataclass(frozen=True)
class Scores:
    """Scores of n architectures, in the order asked.

    score: (n,) in [0, 1], higher is better: the rank against the space or its reference.
    proxies: name -> (n,), higher is better, those of the canonical architecture; NaN where one cannot be told.
    sources: "atlas" or "computed", per architecture.
    left_out: name -> why it cannot be told of the first of the architectures that have none.
    """

    score: NDArray[np.float64]
    proxies: dict[str, NDArray[np.float64]]
    sources: tuple[str, ...]
    left_out: dict[str, str]


def has_atlas(space: Space, dataset: Dataset) -> bool:
    """Whether a shipped atlas serves this space and dataset: its resolution, colours and classes decide.

    >>> from llmnas_mcp.spaces import get_space
    >>> has_atlas(get_space("nasbench201"), Dataset("mine", 32, 10))
    True
    """
    return (atlas.SHIPPED / atlas.file_name(space, dataset)).exists()


def looked_up(space: Space, dataset: Dataset, data: Path) -> Mapping[Genotype, tuple[float, ...]]:
    """Canonical genotypes that are scored without measuring: those of the shipped atlas, else of the sample kept."""
    path = _atlas_path(space, dataset, data)
    return atlas.load(path).measured if path.exists() else {}


def score_of(
    space: Space,
    genotypes: Genotypes,
    *,
    dataset: Dataset,
    data: Path,
    proxies: Iterable[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """The aggregate score of each genotype and the proxies asked for (default: those that the space's form has).

    `aggregate` has the formula, `forms` what it is applied to.

    genotypes: (n, positions); each is scored as its canonical form, because what it computes is what is scored.
    What no atlas knows is computed on all cores, a few tenths of a second an architecture, with `progress(done, total)`
    after each, which may raise to stop: what was measured until then is kept in the folder `data`, and not measured
    again. The first call for a dataset without atlas also measures the space's reference, or SAMPLE of it, to rank
    against. Raises UnknownNameError for a proxy there is not, UnscorableError for an architecture that has no score.
    Of proxies beyond the form's, those that cannot be told are NaN, with the reason in `left_out`.
    """
    observed = form_of(space, dataset).observed
    names = check_proxies(COUNTED + observed if proxies is None else proxies)
    more = tuple(name for name in names if name not in COUNTED + observed)
    asked = [space.canonical(tuple(map(int, genotype))) for genotype in genotypes]
    cells = list(dict.fromkeys(asked))
    wanted = set(cells)
    path = _atlas_path(space, dataset, data)
    known = looked_up(space, dataset, data)

    sample = {} if known or not observed else _sample(space, dataset)
    if sample:
        _check_writable(data)
    todo = list(dict.fromkeys(cell for cell in [*sample, *cells] if cell not in known)) if observed else []
    steps = list(dict.fromkeys([*todo, *(cells if more else ())]))
    live, extra, done = dict[Genotype, tuple[Any, ...]](), dict[Genotype, tuple[float | str, ...]](), 0
    parts: dict[tuple[bool, tuple[str, ...]], list[Genotype]] = {}  # the sample first, then by what is to be measured
    for cell in steps:
        own, others = observed if cell not in known else (), more if cell in wanted else ()
        parts.setdefault((cell not in sample, own + others), []).append(cell)
    for (_, asked_for), part in sorted(parts.items(), key=lambda item: item[0][0]):
        step = _Steps(done, len(steps), progress)
        with closing(measure_all(space, part, dataset, asked_for, data, step)) as outcomes:
            for cell, values in outcomes:
                if isinstance(values, UnscorableError):
                    if cell in wanted:
                        raise UnscorableError(f"{space.format(cell)} {str(values).removeprefix('The network ')}")
                    sample.pop(cell)  # nothing to rank against
                    continue
                if cell not in known:
                    live[cell] = values[: len(observed)]
                extra[cell] = values[len(observed) if cell not in known else 0 :]
        if sample and sample.keys() <= live.keys() and not path.exists():
            atlas.make(sample, live).save(path)
        done += len(part)

    columns = _counts(space, cells, dataset)
    if observed:
        rows_of = np.array([live[cell] if cell in live else known[cell] for cell in cells]).reshape(-1, len(observed))
        columns |= dict(zip(observed, rows_of.T, strict=True))
    score = _aggregate(path, space, dataset).scores(columns)
    told = {name: [extra[cell][i] for cell in cells] for i, name in enumerate(more)}
    columns |= {
        name: np.array([np.nan if isinstance(value, str) else value for value in values])
        for name, values in told.items()
    }
    reasons = {name: [value for value in values if isinstance(value, str)] for name, values in told.items()}

    row_of = {cell: row for row, cell in enumerate(cells)}
    rows = np.array([row_of[cell] for cell in asked], dtype=int)
    return Scores(
        score=score[rows],
        proxies={name: columns[name][rows] for name in names},
        sources=tuple(
            "atlas" if cell in known and not more and path.parent == atlas.SHIPPED else "computed" for cell in asked
        ),
        left_out={name: why[0] for name, why in reasons.items() if why},
    )


def proxies_at_hand(
    space: Space, genotypes: Genotypes, names: Iterable[str], *, dataset: Dataset, data: Path
) -> dict[str, NDArray[np.float64]] | None:
    """These proxies of canonical genotypes, name -> (n,), higher is better; None where one would have to be measured.

    names: counted ones, and any that the space's form observes.
    """
    cells: list[Genotype] = [tuple(map(int, genotype)) for genotype in genotypes]
    wanted, observed = tuple(names), form_of(space, dataset).observed
    measured = [name for name in wanted if name not in COUNTED]
    columns = _counts(space, cells, dataset)
    if measured:
        known = looked_up(space, dataset, data)
        kept = kept_in((data / atlas.file_name(space, dataset)).with_suffix(".jsonl"))
        rows = [known.get(cell) or kept.get(cell, observed) for cell in cells]
        if any(row is None for row in rows):
            return None
        columns |= dict(zip(observed, np.array(rows, dtype=float).reshape(-1, len(observed)).T, strict=True))
    return {name: columns[name] for name in wanted}


class _Steps:
    """The steps of a part among those of all."""

    def __init__(self, before: int, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._before, self._total, self._progress = before, total, progress

    def __call__(self, done: int, _: int) -> None:
        if self._progress:
            self._progress(self._before + done, self._total)


def _atlas_path(space: Space, dataset: Dataset, data: Path) -> Path:
    """The atlas to look up in: the shipped one where there is one, else the sample in `data`, which may be to come."""
    return (atlas.SHIPPED if has_atlas(space, dataset) else data) / atlas.file_name(space, dataset)


@lru_cache(maxsize=32)
def _aggregate(path: Path, space: Space, dataset: Dataset) -> aggregate.Aggregate:
    """The score against all an atlas knows, or where nothing is measured against the reference."""
    reference, form = reference_of(space, dataset), form_of(space, dataset)
    if not form.observed:
        counts = _counts(space, reference.genotypes, dataset)
        return aggregate.Aggregate(form.members, counts, reference.weights, sample=not reference.complete)
    known = atlas.load(path)
    sample = not reference.complete or len(known.genotypes) < len(reference.genotypes)
    columns = _counts(space, known.genotypes, dataset) | known.proxies
    return aggregate.Aggregate(form.members, columns, known.weights, sample=sample)


def _counts(space: Space, genotypes: Genotypes, dataset: Dataset) -> dict[str, NDArray[np.float64]]:
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


def _sample(space: Space, dataset: Dataset) -> dict[Genotype, int]:
    """What to rank against: the reference, or where that is more than SAMPLE, as many drawn uniformly from it.

    Always the same canonical genotypes, each with how many it stands for.
    """
    reference = reference_of(space, dataset)
    members = dict(zip(reference.rows, reference.weights.tolist(), strict=True))
    if len(members) <= SAMPLE:
        return members
    rng = np.random.default_rng(engine.SEED)
    drawn = (space.canonical(tuple(row)) for row in space.sample(len(members), rng).tolist())
    return dict(Counter(list(islice((genotype for genotype in drawn if genotype in members), SAMPLE))))
