"""Tables of measured costs that a user imported: one file per space and dataset in the folder of tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from llmnas_mcp.devices.catalogue import Objective, cost_columns
from llmnas_mcp.devices.importers import Column, Tables, read_tables
from llmnas_mcp.errors import DataError
from llmnas_mcp.measured import DATASET_NAME, joined, load_arrays, save_arrays
from llmnas_mcp.spaces import Space

PREFIX = "devices"


@dataclass(frozen=True)
class ImportedTable:
    """One imported column: how many cells it has a cost for, and how many it marks as unable to run."""

    space: str
    dataset: str
    device: str
    objective: Objective
    name: str
    cells: int
    cannot_run: int


def import_table(path: Path, space: Space, data: Path, dataset: str | None = None) -> list[ImportedTable]:
    """Import a table of HW-NAS-Bench's pickle or CSV layout into the folder `data`; returns the columns it brought.

    A CSV is for one dataset, named or read off the end of its file name; of a pickle, all datasets or the one named.
    Cells and columns imported before for that space and dataset stay unless the file has them. Raises DataError
    that names file, row, value and fix; then nothing of the file is imported.
    """
    return store_tables(read_tables(path, space, dataset), space, data)


def store_tables(new: Tables, space: Space, data: Path) -> list[ImportedTable]:
    """Add what was read to the folder `data`; returns the columns as they now are."""
    old = {name: load_columns(space, name, data) for name in new}
    merged = {name: {t: _merge(old[name].get(t), c) for t, c in columns.items()} for name, columns in new.items()}
    for name, columns in merged.items():
        _save(_file(space.name, name, data), space.name, name, old[name] | columns)
    return [_describe(space.name, name, t, c) for name, columns in merged.items() for t, c in columns.items()]


def imported_tables(data: Path) -> list[ImportedTable]:
    """Every column in the folder, by space and dataset; raises DataError for a damaged file."""
    found = []
    for path in sorted(data.glob(f"{PREFIX}.*.npz")):
        space, dataset, columns = _load(path)
        found += [_describe(space, dataset, title, column) for title, column in columns.items()]
    return found


def load_columns(space: Space, dataset: str, data: Path) -> dict[str, Column]:
    """The imported columns of a space and dataset by name (`raspi4_latency`); empty when there are none."""
    path = _file(space.name, dataset, data)
    if not DATASET_NAME.fullmatch(dataset) or not path.exists():
        return {}
    _, _, columns = _load(path)
    if any(len(column.values) != space.size for column in columns.values()):
        raise DataError(f"{path} is not of {space.name}. Delete it and import the table again.")
    return columns


def _file(space: str, dataset: str, data: Path) -> Path:
    return data / f"{PREFIX}.{space}.{dataset}.npz"


def _describe(space: str, dataset: str, title: str, column: Column) -> ImportedTable:
    device, objective = cost_columns()[title]
    cells, marked = int((~np.isnan(column.values)).sum()), int(column.cannot_run.sum())
    return ImportedTable(space, dataset, device, objective, column.name, cells, marked)


def _merge(old: Column | None, new: Column) -> Column:
    if old is None:
        return new
    given = new.cannot_run | ~np.isnan(new.values)
    values, marked = np.where(given, new.values, old.values), np.where(given, new.cannot_run, old.cannot_run)
    kept = ((old.cannot_run | ~np.isnan(old.values)) & ~given).any()
    return Column(joined(old.name, new.name) if kept else new.name, values, marked)


def _save(path: Path, space: str, dataset: str, columns: dict[str, Column]) -> None:
    arrays = {"space": np.array(space), "dataset": np.array(dataset), "columns": np.array(list(columns))}
    for title, column in columns.items():
        arrays[f"{title}.name"] = np.array(column.name)
        arrays[f"{title}.values"], arrays[f"{title}.cannot_run"] = column.values, column.cannot_run
    save_arrays(path, arrays)


def _load(path: Path) -> tuple[str, str, dict[str, Column]]:
    stat = path.stat()
    return _load_version(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=32)
def _load_version(path: Path, _mtime: int, _size: int) -> tuple[str, str, dict[str, Column]]:
    """What a file held at that time; a new import changes the time, and so is seen by a running server."""
    return load_arrays(path, _columns_in)


def _columns_in(file: dict[str, Any]) -> tuple[str, str, dict[str, Column]]:
    columns = {
        str(t): Column(str(file[f"{t}.name"]), file[f"{t}.values"], file[f"{t}.cannot_run"])
        for t in file["columns"]
        if str(t) in cost_columns()
    }
    return str(file["space"]), str(file["dataset"]), columns
