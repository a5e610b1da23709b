"""Instruments that need no search: what spaces and devices there are, what an architecture costs and scores."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from llmnas_mcp import results as r
from llmnas_mcp.devices import cost_models, cost_of, devices_of
from llmnas_mcp.devices.tables import imported_tables
from llmnas_mcp.errors import ArchitectureError, DataError, LabError, SpaceError, UnknownNameError
from llmnas_mcp.scoring import calibration_of, form_of, score_of
from llmnas_mcp.spaces import DATASETS, Dataset, Genotype, Space, dataset_shape, get_space, known_spaces, with_images

MOST_ARCHITECTURES = 1000
Progress = Callable[[int, int], None]


def list_spaces(data: Path) -> r.Spaces:
    """The search spaces, with their notation, and what their networks can be built for."""
    known, unavailable = known_spaces()
    try:
        images = with_images(data)
    except DataError as error:
        images, unavailable = with_images(None), {**unavailable, "images": str(error)}
    return r.Spaces(
        spaces=[
            r.SpaceInfo(
                space=space.name,
                title=space.title,
                size=space.size,
                choices=choices_of(space),
                encoding=space.encoding,
                example=space.example,
                short=space.short(space.parse(space.example)),
                datasets=list(dict.fromkeys([*(space.datasets or DATASETS), *_taken(space, images)])),
                score_of=[] if space.tokens is None else list(form_of(space, dataset_shape(space.dataset)).members),
                source=space.source,
            )
            for space in known
        ],
        unavailable=unavailable,
    )


def choices_of(space: Space) -> list[r.Choice]:
    """What may stand at each position; positions with the same values in one."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for position, words in zip(space.positions, space.words, strict=True):
        alike.setdefault(words, []).append(position)
    return [r.Choice(positions=positions, values=list(words)) for words, positions in alike.items()]


def list_devices(space: str, data: Path) -> r.Devices:
    """Every device, objective and dataset whose cost can be told, with source and error."""
    known = devices_of(data)
    return r.Devices(
        devices=[
            r.CostModelInfo(
                device=m.device,
                title=known[m.device].title,
                objective=m.objective,
                dataset=m.dataset,
                unit=m.unit,
                source=m.source,
                error=m.error,
                spearman=m.spearman,
                held_out=m.held_out,
                measured=m.measured,
            )
            for m in cost_models(get_space(space), data)
        ]
    )


def query_cost(
    architectures: Sequence[str],
    *,
    space: str,
    dataset: str | None,
    device: str | None,
    objective: r.Objective,
    data: Path,
) -> r.Costs:
    """What each architecture costs as written, dead operations included. Raises LabError for what it can't read."""
    where = get_space(space)
    genotypes = read_all(where, architectures)
    name = dataset or where.dataset
    costs = cost_of(where, genotypes, device=device, dataset=name, objective=objective, data=data)
    rows = zip(architectures, costs.values, costs.sources, costs.errors, costs.reasons, strict=True)
    return r.Costs(
        results=[
            r.Cost(
                architecture=architecture,
                value=finite(value),
                unit=costs.unit,
                source=source,
                error=finite(error),
                reason=reason,
            )
            for architecture, value, source, error, reason in rows
        ]
    )


def score_zero_cost(
    architectures: Sequence[str],
    *,
    space: str,
    dataset: str | None,
    data: Path,
    proxies: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> r.ZeroCostScores:
    """How good each architecture looks untrained. Parameters and MACs are those of the network as written."""
    where = get_space(space)
    shape = dataset_for(where, dataset, data)
    genotypes = read_all(where, architectures)
    scores = score_of(where, genotypes, dataset=shape, data=data, proxies=proxies or None, progress=progress)
    params, macs = where.params(genotypes, shape), where.macs(genotypes, shape)
    table = calibration_of(where, shape)
    return r.ZeroCostScores(
        results=[
            r.ZeroCostScore(
                architecture=architecture,
                score=float(scores.score[i]),
                params_m=params[i] / 1e6,
                macs_m=macs[i] / 1e6,
                proxies={name: float(v[i]) for name, v in scores.proxies.items() if v[i] == v[i]},
                source=scores.sources[i],
            )
            for i, architecture in enumerate(architectures)
        ],
        left_out=scores.left_out,
        members=list(form_of(where, shape).members),
        worth=[
            r.Worth(
                name=row.name,
                spearman=row.spearman,
                spearman_95=[row.spearman_low, row.spearman_high],
                kendall=row.kendall,
                kendall_95=[row.kendall_low, row.kendall_high],
            )
            for row in (table.rows if table else ())
            if row.name in ("score", "params", "macs")
        ],
        worth_of=table.grade if table else None,
        worth_source=f"{table.source}, {table.architectures:,} architectures"
        if table
        else f"not calibrated in this space: not compared with accuracies of {space} on {shape.name}",
    )


def name_of(space: Space, genotype: Genotype) -> str:
    """What the files of a network are called, without a suffix."""
    return f"{space.name}_{re.sub(r'[^A-Za-z0-9]+', '_', space.short(genotype))[:80]}"


def dataset_for(space: Space, name: str | None, data: Path) -> Dataset:
    """The dataset of that name: one of the space's, with images of the owner's, or of a table; by default its first.

    Raises UnknownNameError for another, and SpaceError where the space's networks take no such images.
    """
    name = name or space.dataset
    names = {*(space.datasets or DATASETS), *(t.dataset for t in imported_tables(data) if t.space == space.name)}
    if name not in names and name not in (images := with_images(data)):
        fix = f"Networks of {space.name} are for these: name one as dataset. Your own: llmnas data add NAME PATH"
        raise UnknownNameError("dataset", name, names | images.keys(), fix)
    shape = dataset_shape(name, data)
    space.check_dataset(shape)
    return shape


def _taken(space: Space, datasets: Mapping[str, Dataset]) -> list[str]:
    """Those of the datasets that a space's networks take."""
    found = []
    for name, dataset in datasets.items():
        with suppress(SpaceError):
            space.check_dataset(dataset)
            found.append(name)
    return found


def read_all(space: Space, architectures: Sequence[str]) -> list[Genotype]:
    """Parse a list of architectures; the error of the first malformed one names its place in the list."""
    check_count(architectures)
    genotypes = []
    for i, architecture in enumerate(architectures):
        try:
            genotypes.append(space.parse(architecture))
        except ArchitectureError as error:
            raise ArchitectureError(f"architectures[{i}]: {error}") from None
    return genotypes


def check_count(architectures: Sequence[str]) -> None:
    """Raise LabError for more architectures than one call takes."""
    if len(architectures) > MOST_ARCHITECTURES:
        raise LabError(
            f"{len(architectures):,} architectures in one call are too many: send at most {MOST_ARCHITECTURES:,}."
        )


def finite(value: float) -> float | None:
    """A number, or None for NaN, which must not reach a client."""
    return None if value != value else float(value)
