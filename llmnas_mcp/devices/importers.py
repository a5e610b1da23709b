"""Reads tables of measured costs: the pickle of HW-NAS-Bench (Li et al., ICLR 2021, arXiv 2103.10584), or plain CSV."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices.catalogue import GIVE_COLUMNS, parse_column
from llmnas_mcp.errors import DataError
from llmnas_mcp.measured import (
    DATASET_NAME,
    Columns,
    NoColumnsError,
    check_dataset_name,
    is_pickle,
    number_of,
    read_csv,
    readable,
    table_name,
)
from llmnas_mcp.spaces import DATASETS, Genotypes, Space
from llmnas_mcp.unpickler import load_plain

LARGEST = 1e9  # ms, mJ or MB: eleven days a picture; what lies above is in another unit
CANNOT_RUN = -1  # as HW-NAS-Bench marks cells the Edge TPU refuses


@dataclass(frozen=True, eq=False)
class Column:
    """One cost (ms, mJ or MB) of m architectures as given: genotypes (m, positions); values (m,), NaN what cannot run.

    name: the table's.
    """

    name: str
    genotypes: NDArray[np.int64]
    values: NDArray[np.float64]
    cannot_run: NDArray[np.bool_]

    def rows_of(self, genotypes: Genotypes) -> NDArray[np.int64]:
        """Where architectures are in the table, shape (n,): -1 for those it does not have."""
        return np.array([self._rows.get(key, -1) for key in _keys(genotypes)], dtype=np.int64)

    @cached_property
    def _rows(self) -> dict[bytes, int]:
        return {key: row for row, key in enumerate(_keys(self.genotypes))}


def _keys(genotypes: Genotypes) -> list[bytes]:
    rows = np.ascontiguousarray(genotypes, dtype=np.int64)
    return rows.view(f"V{rows.itemsize * rows.shape[1]}")[:, 0].tolist() if len(rows) else []


Tables = dict[str, dict[str, Column]]


def read_tables(path: Path, space: Space, dataset: str | None) -> Tables:
    """The columns of every dataset in a file, by dataset and column name.

    Raises DataError that names file, row, value and fix; NoColumnsError, which is one, for a CSV without costs.
    """
    check_dataset_name(dataset)
    read = _read_pickle if is_pickle(path) else _read_csv
    with readable(path):
        return read(path, space, dataset)


def _number(name: str, given: object) -> float:
    value = number_of(given)
    if (0 < value < LARGEST) or (value == CANNOT_RUN and name.endswith("_latency")):
        return value
    raise ValueError(
        f"Give a positive number below {LARGEST:,.0f} (ms, mJ or MB), or leave it empty where nothing was measured; a "
        "latency of -1 says that the device cannot run it."
    )


def _columns(path: Path, filled: Columns) -> dict[str, Column]:
    """The columns that have a value; raises NoColumnsError for none."""
    genotypes, columns = filled.done()
    found = {}
    for title, values in columns.items():
        if (given := ~np.isnan(values)).any():
            own, marked = values[given], values[given] == CANNOT_RUN
            found[title] = Column(table_name(path), genotypes[given], np.where(marked, np.nan, own), marked)
    if not found:
        raise NoColumnsError(f"{path} has no value in {', '.join(columns)[:200]}. Give what was measured.")
    return found


def _read_csv(path: Path, space: Space, dataset: str | None) -> Tables:
    with read_csv(path) as (header, rows):
        columns = [title for title in dict.fromkeys(header) if parse_column(title)]
        if "arch_str" not in header or not columns:
            missing = "column arch_str" if "arch_str" not in header else "cost column"
            raise NoColumnsError(
                f"{path} has no {missing}; it has {', '.join(header)[:200] or 'nothing'}. Give arch_str and at least "
                f"one column {GIVE_COLUMNS}."
            )
        dataset = dataset or _dataset_of(path)
        filled = Columns(path, space, columns, _number)
        for number, row in rows:
            filled.add(f"row {number}", row["arch_str"], {c: row[c] for c in columns})
    return {dataset: _columns(path, filled)}


def _dataset_of(path: Path) -> str:
    found = [d for d in DATASETS if table_name(path).lower().endswith(d.lower())]
    if not found:
        raise DataError(
            f"{path.name} does not say which dataset it is for. Pass --dataset NAME (known: {', '.join(DATASETS)}; any "
            "other name of letters, digits, '.', '_' and '-' will do)."
        )
    return found[0]


def _read_pickle(path: Path, space: Space, dataset: str | None) -> Tables:
    content = load_plain(path)
    datasets = content.get(space.name) if isinstance(content, dict) else None
    if not isinstance(datasets, dict) or not datasets:
        raise DataError(f"{path} holds nothing under {space.name!r}, where HW-NAS-Bench keeps a dict of datasets.")
    names = [d for d in datasets if isinstance(d, str) and DATASET_NAME.fullmatch(d)]
    if dataset is not None and dataset not in names:
        raise DataError(f"{path} has no dataset {dataset!r}. It has: {', '.join(names)[:200]}.")
    wanted = [dataset] if dataset else names
    return {d: _pickled_columns(path, space, d, datasets[d]) for d in wanted}


def _pickled_columns(path: Path, space: Space, dataset: str, metrics: object) -> dict[str, Column]:
    place = f"{path}, {dataset}"
    columns = [title for title in metrics if parse_column(title)] if isinstance(metrics, dict) else []
    if not isinstance(metrics, dict) or not columns:
        raise DataError(f"{place}: no cost column. Give at least one of {GIVE_COLUMNS}.")
    config = metrics.get("config")
    for name in (*columns, "config"):
        if not isinstance(metrics.get(name), (list, tuple)) or len(metrics[name]) != len(metrics[columns[0]]):
            raise DataError(f"{place}: {name} must be a list as long as {columns[0]}.")
    filled = Columns(path, space, columns, _number)
    for i, cell in enumerate(config or ()):
        architecture = cell.get("arch_str") if isinstance(cell, dict) else None
        filled.add(f"{dataset}, index {i}", architecture, {c: metrics[c][i] for c in columns})
    return _columns(path, filled)
