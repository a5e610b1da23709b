"""A network leaves the laboratory with what is known of it; for a chat, into the server's own folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from llmnas_mcp import results as r
from llmnas_mcp.devices import cost_of
from llmnas_mcp.errors import DataError, LabError, NotFoundError
from llmnas_mcp.exporting import Subject, Trained, export, format_of, read_weights
from llmnas_mcp.images import load_images
from llmnas_mcp.search.instruments import dataset_for, finite, name_of
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import Dataset, Genotype, Space, get_space

if TYPE_CHECKING:
    from llmnas_mcp.exporting.card import Card


FOLDER = "exports"  # within the data folder: the files that chats asked for
MOST_FILES = 20  # of these that are kept, the newest
SCHEME = "llmnas://exports/"


def export_file(
    architecture: str,
    *,
    space: str,
    dataset: str | None,
    format: str,  # noqa: A002 - the name it has everywhere
    data: Path,
    say: Callable[[str], None],
) -> r.Exported:
    """Write an untrained network into the server's own folder; it is read as a resource. say(what is done now)."""
    where = get_space(space)
    genotype = where.parse(architecture)
    shape = dataset_for(where, dataset, data)
    told = hashlib.sha256(f"{where.format(genotype)} {shape}".encode()).hexdigest()[:8]
    file = data / FOLDER / f"{name_of(where, genotype)}_{told}{format_of(format).suffix}"
    card = export(Subject(where, genotype, shape), format, file, force=True, say=say)
    for old in sorted(_files(data), key=lambda path: path.stat().st_mtime)[:-MOST_FILES]:
        for path in (old, Path(f"{old}.json"), Path(f"{old}.md")):
            path.unlink(missing_ok=True)
    return r.Exported(
        architecture=architecture,
        filename=file.name,
        uri=SCHEME + file.name,
        bytes=card["file"]["bytes"],
        sha256=card["file"]["sha256"],
        next=f"Read the resource {SCHEME}{file.name} (with .md behind it the card), or find it in {FOLDER} of the"
        f" server's LLMNAS_DATA. In {card['checked']['runtime']} its outputs are torch's. It is untrained: time it on"
        " the device. llmnas export --weights writes it with trained weights.",
    )


def exported_file(name: str, data: Path) -> bytes:
    """What is in a file that a chat had written, or in its card; raises NotFoundError with those there are."""
    files = _files(data)
    known = {path.name: path for file in files for path in (file, Path(f"{file}.json"), Path(f"{file}.md"))}
    if name not in known:
        there = ", ".join(sorted(path.name for path in files)) or "none"
        raise NotFoundError(f"There is no exported file {name[:200]!r}. Files: {there}. export_architecture makes one.")
    return known[name].read_bytes()


def _files(data: Path) -> list[Path]:
    folder = data / FOLDER
    return [path for path in folder.glob("[!.]*") if path.suffix not in (".json", ".md")] if folder.is_dir() else []


def subject_of(
    architecture: str,
    *,
    space: str | None,
    dataset: str | None,
    weights: Path | None,
    images: str | None,
    device: str | None,
    search_id: str | None,
    settings: Settings,
) -> Subject:
    """What is to be exported, with its weights and what is known of it.

    space, dataset: by default those of the weights, else of the search. images: by their name or path. device: to tell
    its latency there. Raises LabError where two of these say different things.
    """
    trained = read_weights(weights) if weights else None
    search, costs = _told_by(search_id, architecture, settings) if search_id else ({}, [])
    named = space or (trained.card.space if trained else search.get("space", "nasbench201"))
    where = get_space(named)
    genotype = where.parse(architecture)
    shown = load_images(images, settings.data) if images else None
    if trained:
        _check_weights(trained, where, genotype, dataset)
        shape = trained.card.shape
        if shown and _sizes(shown.shape) != _sizes(shape):
            raise DataError(
                f"{images} has {_said(shown.shape)}, and the weights are for {_said(shape)}: name the images they were"
                " trained on."
            )
    elif shown:
        shape = shown.shape
    else:
        shape = dataset_for(where, dataset or search.get("dataset"), settings.data)
    if device:
        costs = [*costs, _cost(where, genotype, device, shape, settings.data)]
    return Subject(where, genotype, shape, trained, shown, costs, search)


def _check_weights(trained: Trained, space: Space, genotype: Genotype, dataset: str | None) -> None:
    card = trained.card
    for what, asked, theirs in (
        ("space", space.name, card.space),
        ("dataset", dataset or card.dataset, card.dataset),
    ):
        if asked != theirs:
            raise DataError(f"{trained.path}: its weights are for the {what} {theirs!r}, not {asked!r}.")
    if space.parse(card.architecture) != genotype:
        raise DataError(
            f"{trained.path}: its weights are those of {card.architecture[:300]}, not of"
            f" {space.format(genotype)[:300]}. Export that one, or name its own weights."
        )


def _sizes(shape: Dataset) -> tuple[int, int, int]:
    return shape.resolution, shape.channels, shape.classes


def _said(shape: Dataset) -> str:
    return f"{shape.classes} classes of {shape.resolution} x {shape.resolution} x {shape.channels}"


def _told_by(search_id: str, architecture: str, settings: Settings) -> tuple[Card, list[Card]]:
    """What a card tells of a search and of its member, and what the member costs."""
    lab = Laboratory(settings)
    try:
        handle, members = lab.members(search_id)
    finally:
        lab.close()
    genotype = handle.space.canonical(handle.space.parse(architecture))
    member = next((m for m in members if handle.space.canonical(m.genotype) == genotype), None)
    if member is None:
        raise LabError(
            f"{architecture[:300]} is none of the {len(members)} networks that search {search_id} has evaluated."
        )
    row = handle.row
    search = {
        **{name: row[name] for name in ("search_id", "space", "dataset", "device", "operator", "seed", "limits")},
        **{"evaluations": len(members), "score": member.score, "niche": member.niche},
    }
    errors = handle.landscape.costs([member.genotype]).errors[0]
    rows = zip(handle.objectives, member.costs, handle.units, member.cost_sources, errors.tolist(), strict=True)
    return search, [
        _row(
            objective,
            row["device"] or "",
            row["dataset"],
            value,
            unit,
            source,
            None if source.startswith("host:") else error,
        )
        for objective, value, unit, source, error in rows
    ]


def _cost(space: Space, genotype: Genotype, device: str, dataset: Dataset, data: Path) -> Card:
    costs = cost_of(space, [genotype], device=device, dataset=dataset.name, objective="latency", data=data)
    value, error = float(costs.values[0]), float(costs.errors[0])
    return _row("latency", device, dataset.name, value, costs.unit, costs.sources[0], error, costs.reasons[0])


def _row(
    objective: str,
    device: str,
    dataset: str,
    value: float,
    unit: str,
    source: str,
    error: float | None,
    reason: str | None = None,
) -> Card:
    return {
        **{
            "objective": objective,
            "device": device,
            "dataset": dataset,
            "value": finite(value),
            "unit": unit,
            "source": source,
        },
        **{"error": None if error is None else finite(error), "reason": reason},
    }
