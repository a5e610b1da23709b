"""Tables of trained accuracy that a user imported: one file per space, dataset and length of training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.benchmarks.importers import FINAL, Found, read_accuracies
from llmnas_mcp.benchmarks.nats import is_nats
from llmnas_mcp.devices import layers
from llmnas_mcp.devices.importers import Tables, read_tables
from llmnas_mcp.devices.tables import ImportedTable, imported_tables, remove_tables, store_tables
from llmnas_mcp.errors import DataError, NotFoundError, UnknownNameError
from llmnas_mcp.measured import DATASET_NAME, NoColumnsError, joined, load_arrays, save_arrays, table_name
from llmnas_mcp.spaces import Space

PREFIX, SHORT = "accuracy", "training"  # of the files: whole trainings, and shorter ones


@dataclass(frozen=True)
class AccuracyTable:
    """Top-1 accuracies in % in the order of `space.genotypes()`: NaN where not in the table."""

    values: NDArray[np.float64]
    name: str


@dataclass(frozen=True)
class ImportedAccuracies:
    """The imported accuracies of a dataset: how many cells they are, and after how many epochs of training.

    Those after FINAL epochs are on test data, and judge; those of a shorter training are on validation data, and are
    what `+train` of a bench pays for.
    """

    space: str
    dataset: str
    name: str
    cells: int
    epochs: int = FINAL


def import_accuracies(path: Path, space: Space, data: Path, dataset: str | None = None) -> list[ImportedAccuracies]:
    """Import trained accuracies into the folder `data`, of all datasets in a file or the one named.

    A CSV, plain or gzipped, has `arch_str` and columns like `cifar10_test_200`: top-1 test accuracy in % after 200
    epochs, mean over training seeds; or like `cifar10_valid_12`, of a shorter training. NATS-Bench's own files are read
    with its package. Cells imported before stay unless the file has them. Raises DataError that names file, row, value
    and fix; then nothing of it is imported.
    """
    return _store(read_accuracies(path, space, dataset), path, space, data)


def import_measured(
    path: Path, space: Space, data: Path, dataset: str | None = None
) -> tuple[list[ImportedTable], list[ImportedAccuracies]]:
    """Import what a file has, costs of devices (`devices.tables.import_table`) or accuracies or both; or nothing of it.

    Of FBNet, whose costs are sums over layers, also a table of these. Raises DataError that names file, row, value and
    fix.
    """
    if space.name == layers.SPACE and layers.holds_layers(path):
        return layers.import_layers(path, data, dataset), []
    costs: Tables = {}
    accuracies: Found = {}
    without: list[str] = []
    try:
        costs = {} if is_nats(path) else read_tables(path, space, dataset)
    except NoColumnsError as error:
        without.append(str(error))
    try:
        accuracies = read_accuracies(path, space, dataset)
    except NoColumnsError as error:
        without.append(str(error))
    if not costs and not accuracies:
        raise DataError("\n".join(without))
    return store_tables(costs, space, data), _store(accuracies, path, space, data)


def imported_accuracies(data: Path) -> list[ImportedAccuracies]:
    """Every table of accuracies in the folder, by space and dataset; raises DataError for a damaged file."""
    return [_describe(*_load(path)) for path in _files(data)]


def remove_measured(name: str, data: Path) -> tuple[list[ImportedTable], list[ImportedAccuracies]]:
    """Remove all costs and accuracies of that table name from the folder `data`; returns what they were.

    Raises NotFoundError where nothing was imported, UnknownNameError, with the names there are, for another name.
    """
    costs = [*imported_tables(data), *layers.imported_layers(data)]
    names = {t.name for t in costs} | {t.name for t in imported_accuracies(data)}
    if not names:
        raise NotFoundError("There is no table to remove: none was imported.")
    if name not in names:
        merged = ", ".join(sorted(other for other in names if name in other.split("+")))
        fix = f"What has rows of {name} and of others is removed by their name together: {merged}." if merged else ""
        raise UnknownNameError("table", name, names, fix)
    return [*remove_tables(name, data), *layers.remove_layers(name, data)], _remove(name, data)


def _remove(name: str, data: Path) -> list[ImportedAccuracies]:
    removed = []
    for path in _files(data):
        space, dataset, epochs, table = _load(path)
        if table.name == name:
            path.unlink()
            removed.append(_describe(space, dataset, epochs, table))
    return removed


def accuracy_table(space: Space, dataset: str, data: Path, epochs: int = FINAL) -> AccuracyTable | None:
    """The imported accuracies of a space and dataset after so many epochs; None when there are none."""
    path = _file(space, dataset, epochs, data)
    if not DATASET_NAME.fullmatch(dataset) or not path.exists():
        return None
    _, _, _, table = _load(path)
    if table.values.shape != (space.size,):
        raise DataError(f"{path} is not of {space.name}. Delete it and import the table again.")
    return table


def _file(space: Space, dataset: str, epochs: int, data: Path) -> Path:
    short = "" if epochs == FINAL else f"{epochs}."
    return data / f"{SHORT if short else PREFIX}.{space.name}.{dataset}.{short}npz"


def _files(data: Path) -> list[Path]:
    return [path for prefix in (PREFIX, SHORT) for path in sorted(data.glob(f"{prefix}.*.npz"))]


def _describe(space: str, dataset: str, epochs: int, table: AccuracyTable) -> ImportedAccuracies:
    return ImportedAccuracies(space, dataset, table.name, int((~np.isnan(table.values)).sum()), epochs)


def _store(found: Found, path: Path, space: Space, data: Path) -> list[ImportedAccuracies]:
    name = table_name(path)
    merged = {of: _merge(accuracy_table(space, of[0], data, of[1]), AccuracyTable(v, name)) for of, v in found.items()}
    for (dataset, epochs), table in merged.items():
        arrays = {"space": np.array(space.name), "dataset": np.array(dataset), "epochs": np.array(epochs)}
        saved = arrays | {"name": np.array(table.name), "values": table.values}
        save_arrays(_file(space, dataset, epochs, data), saved)
    return [_describe(space.name, *of, table) for of, table in merged.items()]


def _merge(old: AccuracyTable | None, new: AccuracyTable) -> AccuracyTable:
    if old is None:
        return new
    given = ~np.isnan(new.values)
    kept = (~np.isnan(old.values) & ~given).any()
    return AccuracyTable(np.where(given, new.values, old.values), joined(old.name, new.name) if kept else new.name)


def _load(path: Path) -> tuple[str, str, int, AccuracyTable]:
    stat = path.stat()
    return _load_version(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _load_version(path: Path, _mtime: int, _size: int) -> tuple[str, str, int, AccuracyTable]:
    """What a file held at that time; a new import changes the time."""
    return load_arrays(path, _table_in)


def _table_in(file: dict[str, Any]) -> tuple[str, str, int, AccuracyTable]:
    table = AccuracyTable(file["values"], str(file["name"]))
    return str(file["space"]), str(file["dataset"]), int(file["epochs"]) if "epochs" in file else FINAL, table
