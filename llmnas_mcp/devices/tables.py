"""Tables of measured costs that a user imported: one file per space and dataset in the folder of tables.

A file has the measured architectures of each column as genotypes, so a space need not be one that can be listed. What a
table lacks is told by a model fitted to what it has, where these are enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from llmnas_mcp.devices.catalogue import Objective, parse_column
from llmnas_mcp.devices.importers import Column, Tables, read_tables
from llmnas_mcp.devices.modelling import LEAST, CostFit, fit_costs
from llmnas_mcp.errors import DataError
from llmnas_mcp.measured import DATASET_NAME, drop_columns, joined, load_arrays, save_arrays
from llmnas_mcp.spaces import Space, dataset_shape

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
        _save(_file(space.name, name, data), space, name, old[name] | columns)
    return [_describe(space.name, name, t, c) for name, columns in merged.items() for t, c in columns.items()]


def imported_tables(data: Path) -> list[ImportedTable]:
    """Every column in the folder, by space and dataset; raises DataError for a damaged file."""
    return [
        _describe(file.space, file.dataset, title, column)
        for file in (_load(*_version(path)) for path in sorted(data.glob(f"{PREFIX}.*.npz")))
        for title, column in file.columns.items()
    ]


def remove_tables(name: str, data: Path) -> list[ImportedTable]:
    """Remove the columns of that table name from the folder, of every space and dataset; returns what they were."""
    removed = []
    for path in sorted(data.glob(f"{PREFIX}.*.npz")):
        file = _load(*_version(path))
        if own := {title: column for title, column in file.columns.items() if column.name == name}:
            drop_columns(path, own)
            removed += [_describe(file.space, file.dataset, title, column) for title, column in own.items()]
    return removed


def load_columns(space: Space, dataset: str, data: Path) -> dict[str, Column]:
    """The imported columns of a space and dataset by name (`raspi4_latency`); empty when there are none.

    Raises DataError for a damaged file, and for one of a space whose choices have changed since.
    """
    path = _file(space.name, dataset, data)
    if not DATASET_NAME.fullmatch(dataset) or not path.exists():
        return {}
    return _columns(space, *_version(path))


def fitted_to(space: Space, dataset: str, title: str, data: Path) -> CostFit | None:
    """The model of an imported column's costs, fitted to those it has; None where these are fewer than LEAST."""
    return _fit(space, dataset, title, *_version(_file(space.name, dataset, data)))


def _file(space: str, dataset: str, data: Path) -> Path:
    return data / f"{PREFIX}.{space}.{dataset}.npz"


def _describe(space: str, dataset: str, title: str, column: Column) -> ImportedTable:
    device, objective = parse_column(title)  # type: ignore[misc]  # no other is loaded
    marked = int(column.cannot_run.sum())
    return ImportedTable(space, dataset, device, objective, column.name, len(column.values) - marked, marked)


def _merge(old: Column | None, new: Column) -> Column:
    """Both tables' architectures, in ascending order; those of the new one as they are there."""
    if old is None:
        return new
    rows, first = np.unique(np.vstack([new.genotypes, old.genotypes]), axis=0, return_index=True)
    values = np.concatenate([new.values, old.values])[first]
    marked = np.concatenate([new.cannot_run, old.cannot_run])[first]
    return Column(joined(old.name, new.name) if (first >= len(new.values)).any() else new.name, rows, values, marked)


def _save(path: Path, space: Space, dataset: str, columns: Mapping[str, Column]) -> None:
    arrays = {"space": np.array(space.name), "dataset": np.array(dataset), "columns": np.array(list(columns))}
    arrays["choices"] = np.array(_choices(space))
    for title, column in columns.items():
        small = np.min_scalar_type(max(map(len, space.values)))
        arrays[f"{title}.name"], arrays[f"{title}.genotypes"] = np.array(column.name), column.genotypes.astype(small)
        arrays[f"{title}.values"], arrays[f"{title}.cannot_run"] = column.values, column.cannot_run
    save_arrays(path, arrays)


def _choices(space: Space) -> str:
    """What the numbers of a genotype stand for."""
    return json.dumps(list(zip(space.positions, space.words, strict=True)))


# What is read once of each version of a file: a new import changes its time, and so is seen by a running server.


def _version(path: Path) -> tuple[Path, int, int]:
    stat = path.stat()
    return path, stat.st_mtime_ns, stat.st_size


@dataclass(frozen=True)
class _File:
    """choices: the space's when it was written; in a file older than that, where genotypes are indices, its size."""

    space: str
    dataset: str
    choices: str
    columns: dict[str, Column]


@lru_cache(maxsize=32)
def _load(path: Path, _mtime: int, _size: int) -> _File:
    return load_arrays(path, _read)


def _read(file: Mapping[str, Any]) -> _File:
    columns, choices = {}, str(file["choices"]) if "choices" in file else ""
    for title in filter(parse_column, map(str, file["columns"])):
        values, marked = file[f"{title}.values"], file[f"{title}.cannot_run"]
        if "choices" in file:
            genotypes = file[f"{title}.genotypes"].astype(np.int64)
        else:
            choices, given = str(len(values)), marked | ~np.isnan(values)
            genotypes, values, marked = np.flatnonzero(given)[:, None], values[given], marked[given]
        columns[title] = Column(str(file[f"{title}.name"]), genotypes, values, marked)
    return _File(str(file["space"]), str(file["dataset"]), choices, columns)


@lru_cache(maxsize=32)
def _columns(space: Space, path: Path, mtime: int, size: int) -> dict[str, Column]:
    file = _load(path, mtime, size)
    if file.choices == _choices(space):
        return file.columns
    if file.choices != str(space.size):
        raise DataError(
            f"{path} is of another {space.name}, whose choices have changed since. Remove its tables, llmnas data "
            f"remove {' and '.join(dict.fromkeys(c.name for c in file.columns.values()))}, and import them again."
        )
    shape = tuple(map(len, space.values))
    return {
        title: Column(c.name, np.column_stack(np.unravel_index(c.genotypes[:, 0], shape)), c.values, c.cannot_run)
        for title, c in file.columns.items()
    }


@lru_cache(maxsize=32)
def _fit(space: Space, dataset: str, title: str, path: Path, mtime: int, size: int) -> CostFit | None:
    column = _columns(space, path, mtime, size)[title]
    runs = ~column.cannot_run  # what cannot run teaches no cost
    if runs.sum() < LEAST:
        return None
    return fit_costs(space, dataset_shape(dataset, path.parent), column.genotypes[runs], column.values[runs])
