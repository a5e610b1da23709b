"""A network leaves the laboratory with what is known of it; for a chat, into the server's own folder."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmnas_mcp import results as r
from llmnas_mcp.devices import cost_of
from llmnas_mcp.errors import DataError, LabError, NotFoundError
from llmnas_mcp.exporting import Subject, Trained, export, format_of, read_weights
from llmnas_mcp.images import load_images
from llmnas_mcp.search.instruments import dataset_for, finite, name_of
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.search.store import Store
from llmnas_mcp.search.trained import kept_weights
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import Dataset, Genotype, Space, get_space

if TYPE_CHECKING:
    from llmnas_mcp.exporting.card import Card


FOLDER = "exports"  # within the data folder: the files that chats asked for
MOST_FILES = 20  # of these that are kept, the newest
SCHEME = "llmnas://exports/"


def export_architecture(
    architecture: str,
    *,
    space: str,
    dataset: str | None,
    format: str,  # noqa: A002 - the name it has everywhere
    store: Store,
    data: Path,
    say: Callable[[str], None],
) -> r.Exported:
    """A network for a chat: a Python module that needs torch and nothing of ours (format torch), or a checked file.

    With the weights of its training here on that dataset, or by default on any; without one it is untrained. Files are
    in the server's own folder, and are read as resources. say(what is done now).
    """
    where = get_space(space)
    genotype = where.parse(architecture)
    if trained := trained_here(store, where, dataset, genotype, data):
        subject = Subject(where, where.canonical(genotype), trained.card.shape, trained)
        weights = f"It has the weights of its training here on {trained.card.told}."
        if subject.genotype != genotype:
            weights += " It is written in its canonical form, which computes the same."
    else:
        subject = Subject(where, genotype, dataset_for(where, dataset, data))
        other = trained_here(store, where, None, genotype, data)
        weights = "It is untrained: " + (
            f"it was trained here on {other.card.told}, which dataset={json.dumps(other.card.dataset)} exports."
            if other
            else "train it, with train_architectures or elsewhere."
        )
    made = _source(subject, data) if format == "torch" else _file(subject, format, data, say)
    return r.Exported(
        architecture=architecture,
        trained=trained.card.told if trained else None,
        **made | {"next": f"{made['next']} {weights} Time it on the device."},
    )


def trained_here(store: Store, space: Space, dataset: str | None, genotype: Genotype, data: Path) -> Trained | None:
    """The weights that trainings here left of a network, on data of that name or for None on any.

    None without them, and where the file of its space is another since.
    """
    path = kept_weights(store, space, dataset, genotype, data)
    found = read_weights(path) if path else None
    return found if found and found.card.edition == space.edition else None


def _source(subject: Subject, data: Path) -> dict[str, Any]:
    """A network as a Python module, and its weights, where it has any, as a file."""
    name = f"{name_of(subject.space, subject.genotype)}.py"
    made = {
        "filename": name,
        "code": subject.space.source_code(subject.genotype, subject.dataset),
        "next": f"Save code as {name}; its build() gives the network, as initialised.",
    }
    if subject.trained is None:
        return made
    file = _place(subject, ".pt", data)
    content = subject.trained.path.read_bytes()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".llmnas-", dir=file.parent) as folder:
            Path(folder, file.name).write_bytes(content)
            Path(folder, file.name).replace(file)
    except OSError as error:
        raise DataError(
            f"{file}: cannot be written ({error.strerror or error}). Make room, or set LLMNAS_DATA."
        ) from None
    _make_room(data)
    told = f"{_reading(file)} torch.load(FILE, weights_only=True)['state_dict'] is for its load_state_dict."
    return made | _told(file, hashlib.sha256(content).hexdigest()) | {"next": f"{made['next']} {told}"}


def _file(subject: Subject, format: str, data: Path, say: Callable[[str], None]) -> dict[str, Any]:  # noqa: A002
    """A network as a file of a format, with its card."""
    file = _place(subject, format_of(format).suffix, data)
    card = export(subject, format, file, force=True, say=say)
    _make_room(data)
    told = f"{_reading(file)} With .md behind its name it is the card. In {card['checked']['runtime']} its outputs are"
    return {"filename": file.name, **_told(file, card["file"]["sha256"]), "next": f"{told} torch's."}


def _place(subject: Subject, suffix: str, data: Path) -> Path:
    """Where the file of a network belongs, another for other weights."""
    weights = subject.trained and (subject.trained.path.name, subject.trained.card.epochs)
    told = hashlib.sha256(f"{subject.space.format(subject.genotype)} {subject.dataset} {weights}".encode())
    return data / FOLDER / f"{name_of(subject.space, subject.genotype)}_{told.hexdigest()[:8]}{suffix}"


def _told(file: Path, sha256: str) -> dict[str, Any]:
    return {"uri": SCHEME + file.name, "bytes": file.stat().st_size, "sha256": sha256}


def _reading(file: Path) -> str:
    return f"Read the resource {SCHEME}{file.name}, or find it in {FOLDER} of the server's LLMNAS_DATA."


def _make_room(data: Path) -> None:
    for old in sorted(_files(data), key=lambda path: path.stat().st_mtime)[:-MOST_FILES]:
        for path in (old, Path(f"{old}.json"), Path(f"{old}.md")):
            path.unlink(missing_ok=True)


def exported_file(name: str, data: Path) -> bytes:
    """What is in a file that a chat had written, or in its card; raises NotFoundError with those there are."""
    files = _files(data)
    known = {path.name: path for file in files for path in (file, Path(f"{file}.json"), Path(f"{file}.md"))}
    if name not in known or not known[name].is_file():
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

    weights: by default those of a training here, on the dataset or the images that are named, else on those of the
    search, else on any; without one it is as initialised. space, dataset: by default those of the weights, else of the
    search. images: by their name or path. device: to tell its latency there. Raises LabError where two of these say
    different things.
    """
    trained = read_weights(weights) if weights else None
    search, costs = _told_by(search_id, architecture, settings) if search_id else ({}, [])
    named = space or (trained.card.space if trained else search.get("space", "nasbench201"))
    where = get_space(named)
    genotype = where.parse(architecture)
    shown = load_images(images, settings.data) if images else None
    if trained:
        _check_weights(trained, where, genotype, dataset)
        if shown and _sizes(shown.shape) != _sizes(trained.card.shape):
            raise DataError(
                f"{images} has {_said(shown.shape)}, and the weights are for {_said(trained.card.shape)}: name the"
                " images they were trained on."
            )
    else:
        asked = dataset or (shown.shape.name if shown else None)
        trained = _trained_here(settings, where, [asked] if asked else [search.get("dataset"), None], genotype)
        if trained and shown and _sizes(shown.shape) != _sizes(trained.card.shape):
            trained = None  # other images of the same name
        genotype = where.canonical(genotype) if trained else genotype
    if trained:
        shape = trained.card.shape
    elif shown:
        shape = shown.shape
    else:
        shape = dataset_for(where, dataset or search.get("dataset"), settings.data)
    if device:
        costs = [*costs, _cost(where, genotype, device, shape, settings.data)]
    return Subject(where, genotype, shape, trained, shown, costs, search)


def _trained_here(
    settings: Settings, space: Space, datasets: Sequence[str | None], genotype: Genotype
) -> Trained | None:
    """As `trained_here`, on the first of the datasets that it was trained on."""
    store = Store(settings.store)
    try:
        each = (trained_here(store, space, dataset, genotype, settings.data) for dataset in datasets)
        return next((found for found in each if found), None)
    finally:
        store.close()


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
