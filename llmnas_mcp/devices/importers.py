"""Reads tables of measured costs: the pickle of HW-NAS-Bench (Li et al., ICLR 2021, arXiv 2103.10584), or plain CSV."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices.catalogue import COLUMNS
from llmnas_mcp.devices.unpickler import load_plain
from llmnas_mcp.errors import ArchitectureError, DataError
from llmnas_mcp.spaces import DATASETS, SearchSpace

MAX_BYTES = 256 * 2**20
DATASET_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
LARGEST = 1e9  # ms or mJ: eleven days a picture; what lies above is in another unit
CANNOT_RUN = -1  # as HW-NAS-Bench marks cells the Edge TPU refuses


@dataclass(frozen=True)
class Column:
    """Costs in ms or mJ in the order of `space.genotypes()`: NaN where not in the table; marked where it cannot run."""

    name: str
    values: NDArray[np.float64]
    cannot_run: NDArray[np.bool_]


Tables = dict[str, dict[str, Column]]


def read_tables(path: Path, space: SearchSpace, dataset: str | None) -> Tables:
    """The columns of every dataset in a file, by dataset and column name.

    Raises DataError that names file, row, value and fix. Rows are counted as a spreadsheet does: the header is row 1.
    """
    if dataset is not None and not DATASET_NAME.fullmatch(dataset):
        raise DataError(f"{dataset[:80]!r} is no dataset name: use 1 to 64 letters, digits, '.', '_' or '-'.")
    try:
        with path.open("rb") as file:
            start = file.read(2)
        if path.suffix in (".pickle", ".pkl") or start[:1] == b"\x80":
            return _read_pickle(path, space, dataset)
        return _read_csv(path, space, dataset, packed=start == b"\x1f\x8b")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Give the path of a table.") from None


def table_name(path: Path) -> str:
    """How a table is called after its file.

    >>> table_name(Path("tables/hwnasbench_nb201_cifar10.csv.gz"))
    'hwnasbench_nb201_cifar10'
    """
    return re.sub(r"(\.csv)?(\.gz)?$|\.(pickle|pkl)$", "", path.name, count=1)


class _Builder:
    """Columns of one dataset as they are filled row by row."""

    def __init__(self, path: Path, space: SearchSpace, columns: list[str]) -> None:
        self.path, self.space, self.rows = path, space, 0
        self.values = {c: np.full(space.size, np.nan) for c in columns}

    def add(self, row: str, architecture: object, values: dict[str, object]) -> None:
        try:
            genotype = self.space.parse(architecture if isinstance(architecture, str) else repr(architecture)[:80])
        except ArchitectureError as error:
            raise DataError(f"{self.path}, {row}: {error}") from None
        index = int(self.space.index_of([genotype])[0])
        self.rows += 1
        for name, given in values.items():
            if given in ("", None):
                continue
            value, known = self._number(row, name, given), self.values[name][index]
            if not math.isnan(known) and known != value:
                raise DataError(
                    f"{self.path}, {row}: {name} of {architecture} is {value:g}, but {known:g} in an earlier row. "
                    "Keep one row per architecture."
                )
            self.values[name][index] = value

    def _number(self, row: str, name: str, given: object) -> float:
        try:
            value = float(given)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if (0 < value < LARGEST) or (value == CANNOT_RUN and COLUMNS[name][1] == "latency"):
            return value
        raise DataError(
            f"{self.path}, {row}: {name} is {repr(given)[:80]}. Give a positive number below {LARGEST:,.0f} (ms or "
            "mJ), or leave it empty where nothing was measured; a latency of -1 says that the device cannot run it."
        )

    def done(self) -> dict[str, Column]:
        if not self.rows:
            raise DataError(f"{self.path} has no rows. Give a table with a row per architecture.")
        name = table_name(self.path)
        marked = {c: v == CANNOT_RUN for c, v in self.values.items()}
        return {c: Column(name, np.where(marked[c], np.nan, v), marked[c]) for c, v in self.values.items()}


def _read_csv(path: Path, space: SearchSpace, dataset: str | None, *, packed: bool) -> Tables:
    dataset = dataset or _dataset_of(path)
    if path.suffix == ".gz" and not packed:
        raise DataError(f"{path} ends in .gz but is not gzip. Compress it, or name it .csv.")
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise DataError(f"{path} unpacks to more than {MAX_BYTES // 2**20} MB, which no table does.")
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = next(lines, [])
        columns = [c for c in COLUMNS if c in header]
        if "arch_str" not in header or not columns:
            missing = "column arch_str" if "arch_str" not in header else "cost column"
            raise DataError(
                f"{path} has no {missing}; it has {', '.join(header)[:200] or 'nothing'}. Give arch_str and at least "
                f"one of {', '.join(COLUMNS)}."
            )
        builder = _Builder(path, space, columns)
        for number, line in enumerate(lines, 2):
            if len(line) not in (0, len(header)):
                raise DataError(f"{path}, row {number}: {len(line)} values, but the header has {len(header)}.")
            if line:
                row = dict(zip(header, line, strict=True))
                builder.add(f"row {number}", row["arch_str"], {c: row[c] for c in columns})
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged gzip ({error}). Get the file again.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not CSV in UTF-8 ({error}).") from None
    return {dataset: builder.done()}


def _dataset_of(path: Path) -> str:
    found = [d for d in DATASETS if table_name(path).lower().endswith(d.lower())]
    if not found:
        raise DataError(
            f"{path.name} does not say which dataset it is for. Pass --dataset NAME (known: {', '.join(DATASETS)}; any "
            "other name of letters, digits, '.', '_' and '-' will do)."
        )
    return found[0]


def _read_pickle(path: Path, space: SearchSpace, dataset: str | None) -> Tables:
    content = load_plain(path)
    datasets = content.get(space.name) if isinstance(content, dict) else None
    if not isinstance(datasets, dict) or not datasets:
        raise DataError(f"{path} holds nothing under {space.name!r}, where HW-NAS-Bench keeps a dict of datasets.")
    names = [d for d in datasets if isinstance(d, str) and DATASET_NAME.fullmatch(d)]
    if dataset is not None and dataset not in names:
        raise DataError(f"{path} has no dataset {dataset!r}. It has: {', '.join(names)[:200]}.")
    wanted = [dataset] if dataset else names
    return {d: _pickled_columns(path, space, d, datasets[d]) for d in wanted}


def _pickled_columns(path: Path, space: SearchSpace, dataset: str, metrics: object) -> dict[str, Column]:
    place = f"{path}, {dataset}"
    if not isinstance(metrics, dict) or not (columns := [c for c in COLUMNS if c in metrics]):
        raise DataError(f"{place}: no cost column. Give at least one of {', '.join(COLUMNS)}.")
    config = metrics.get("config")
    for name in (*columns, "config"):
        if not isinstance(metrics.get(name), (list, tuple)) or len(metrics[name]) != len(metrics[columns[0]]):
            raise DataError(f"{place}: {name} must be a list as long as {columns[0]}.")
    builder = _Builder(path, space, columns)
    for i, cell in enumerate(config or ()):
        architecture = cell.get("arch_str") if isinstance(cell, dict) else None
        builder.add(f"{dataset}, index {i}", architecture, {c: metrics[c][i] for c in columns})
    return builder.done()
