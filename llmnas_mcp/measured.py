"""What tables of measured figures share: how a CSV is read, how rows become columns, how arrays are kept."""

from __future__ import annotations

import csv
import gzip
import io
import math
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import ArchitectureError, DataError
from llmnas_mcp.spaces import Genotype, Space

MAX_BYTES = 256 * 2**20
DATASET_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

Made = TypeVar("Made")


class NoColumnsError(DataError):
    """A file without any column of the kind that was looked for."""


def table_name(path: Path) -> str:
    """How a table is called after its file.

    >>> table_name(Path("tables/hwnasbench_nb201_cifar10.csv.gz"))
    'hwnasbench_nb201_cifar10'
    """
    return re.sub(r"(\.csv)?(\.gz)?$|\.(pickle|pkl)(\.pbz2)?$", "", path.name, count=1)


def check_dataset_name(dataset: str | None) -> None:
    """Raise DataError for what cannot be the name of a dataset; None is no name, and allowed."""
    if dataset is not None and not DATASET_NAME.fullmatch(dataset):
        raise DataError(f"{dataset[:80]!r} is no dataset name: use 1 to 64 letters, digits, '.', '_' or '-'.")


def starts_with(path: Path, size: int) -> bytes:
    """The first bytes of a file; raises DataError where it cannot be read."""
    with readable(path), path.open("rb") as file:
        return file.read(size)


def is_pickle(path: Path) -> bool:
    """Whether a file is to be read as a pickle, by its name or its first byte; raises DataError as `starts_with`."""
    return starts_with(path, 1) == b"\x80" or path.suffix in (".pickle", ".pkl")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns what the system says of a file that cannot be read into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Give the path of a table.") from None


@contextmanager
def read_csv(path: Path) -> Iterator[tuple[list[str], Iterator[tuple[int, dict[str, str]]]]]:
    """The header of a CSV, gzipped or not, and its rows with their numbers; the header is row 1, as in a spreadsheet.

    Raises DataError, also while rows are read, for what is no CSV in UTF-8, is damaged, or unpacks to over MAX_BYTES.
    """
    packed = starts_with(path, 2) == b"\x1f\x8b"
    if path.suffix == ".gz" and not packed:
        raise DataError(f"{path} ends in .gz but is not gzip. Compress it, or name it .csv.")
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise DataError(f"{path} unpacks to more than {MAX_BYTES // 2**20} MB, which no table does.")
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = next(lines, [])
        yield header, _rows(path, header, lines)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged gzip ({error}). Get the file again.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not CSV in UTF-8 ({error}).") from None


def _rows(path: Path, header: list[str], lines: Iterator[list[str]]) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(lines, 2):
        if len(line) not in (0, len(header)):
            raise DataError(f"{path}, row {number}: {len(line)} values, but the header has {len(header)}.")
        if line:
            yield number, dict(zip(header, line, strict=True))


class Columns:
    """Columns of a table, filled row by row, of architectures as given: NaN where no row had a value.

    `number(name, given)` makes a number of what stands in a column, or raises ValueError with what to give instead.
    """

    def __init__(self, path: Path, space: Space, names: list[str], number: Callable[[str, object], float]) -> None:
        self.path, self.space, self.names, self.number = path, space, names, number
        self.known: dict[Genotype, dict[str, float]] = {}

    def add(self, row: str, architecture: object, values: dict[str, object]) -> None:
        """Take in one row; raises DataError that names file, row and value."""
        try:
            genotype = self.space.parse(architecture if isinstance(architecture, str) else repr(architecture)[:80])
        except ArchitectureError as error:
            raise DataError(f"{self.path}, {row}: {error}") from None
        known = self.known.setdefault(genotype, {})
        for name, given in values.items():
            if given in ("", None):
                continue
            try:
                value = self.number(name, given)
            except ValueError as error:
                raise DataError(f"{self.path}, {row}: {name} is {repr(given)[:80]}. {error}") from None
            if known.setdefault(name, value) != value:
                raise DataError(
                    f"{self.path}, {row}: {name} of {architecture} is {value:g}, but {known[name]:g} in an earlier "
                    "row. Keep one row per architecture."
                )

    def done(self) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
        """The architectures, (n, positions), and the columns, (n,) each; raises DataError where there was no row."""
        if not self.known:
            raise DataError(f"{self.path} has no rows. Give a table with a row per architecture.")
        rows = self.known.values()
        return np.array(list(self.known)), {n: np.array([row.get(n, math.nan) for row in rows]) for n in self.names}

    def listed(self) -> dict[str, NDArray[np.float64]]:
        """The columns in the order of `space.genotypes()`; raises DataError also for a space that nobody lists."""
        genotypes, columns = self.done()
        index, found = self.space.index_of(genotypes), {}
        for name, values in columns.items():
            found[name] = np.full(self.space.size, np.nan)
            found[name][index] = values
        return found


def number_of(given: object) -> float:
    """What stands in a table as a number, NaN where it is none.

    >>> number_of("1.5"), number_of("fast")
    (1.5, nan)
    """
    try:
        return float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def save_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays to a file that is whole or not there; raises DataError where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    except OSError as error:
        raise DataError(f"{path.parent} cannot be written: {error.strerror}. Set LLMNAS_DATA to a folder.") from None
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)


def drop_columns(path: Path, titles: Collection[str]) -> None:
    """Take columns, with all arrays `TITLE.*`, out of a file that lists them in `columns`; an empty one is deleted."""
    arrays = load_arrays(path, dict)
    left = [title for title in arrays["columns"].tolist() if title not in titles]
    if left:
        kept = {name: array for name, array in arrays.items() if name.rpartition(".")[0] not in titles}
        save_arrays(path, kept | {"columns": np.array(left)})
    else:
        path.unlink()


def load_arrays(path: Path, make: Callable[[Any], Made]) -> Made:
    """What `make` makes of the arrays in a file, read without pickle; raises DataError for a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return make(file)
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged ({error}). Delete it and import the table again.") from None


def joined(old: str, new: str) -> str:
    """How a column is called that has cells of both tables.

    >>> joined("one+two", "two")
    'one+two'
    """
    return "+".join(dict.fromkeys([*old.split("+"), new]))
