"""Reads tables of trained accuracy: a plain CSV, or the official files of NATS-Bench (see nats.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.benchmarks.nats import is_nats, read_nats
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
)
from llmnas_mcp.spaces import DATASETS, Space

SUFFIX = "_test_200"
Found = dict[str, NDArray[np.float64]]


def column_of(dataset: str) -> str:
    """The column of a dataset's test accuracy after 200 epochs.

    >>> column_of("ImageNet16-120")
    'imagenet16_120_test_200'
    """
    return dataset.lower().replace("-", "_") + SUFFIX


def read_accuracies(path: Path, space: Space, dataset: str | None) -> Found:
    """Test accuracies in %, NaN where not in the file, in the order of `space.genotypes()`, by dataset.

    All datasets of the file, or the one named. Raises DataError that names file, row, value and fix; NoColumnsError,
    which is one, for a file that has no accuracies.
    """
    check_dataset_name(dataset)
    if is_nats(path):
        with readable(path):
            return read_nats(path, space, dataset, _number)
    if is_pickle(path):
        raise NoColumnsError(f"{path} has no accuracies: NATS-Bench keeps them in .pbz2 files. Give one, or a CSV.")
    with readable(path), read_csv(path) as (header, rows):
        columns = _columns_of(header, dataset)
        if "arch_str" not in header or not columns:
            missing = "column arch_str" if "arch_str" not in header else "column of test accuracy"
            raise NoColumnsError(
                f"{path} has no {missing}; it has {', '.join(header)[:200] or 'nothing'}. Give arch_str and "
                f"{column_of(dataset) if dataset else 'at least one of ' + ', '.join(map(column_of, DATASETS))}."
            )
        filled = Columns(path, space, list(columns), _number)
        for number, row in rows:
            filled.add(f"row {number}", row["arch_str"], {c: row[c] for c in columns})
    return {columns[name]: values for name, values in filled.listed().items()}


def _columns_of(header: list[str], dataset: str | None) -> dict[str, str]:
    """The columns of accuracy in a header and the dataset each is of."""
    known = {column_of(d): d for d in ([dataset] if dataset else DATASETS)}
    if dataset:
        return {c: d for c, d in known.items() if c in header}
    names = {c: known.get(c, c.removesuffix(SUFFIX)) for c in header if c.endswith(SUFFIX)}
    for column, name in names.items():
        if not DATASET_NAME.fullmatch(name):
            raise DataError(f"Column {column[:80]!r} names no dataset: use 1 to 64 letters, digits, '.', '_' or '-'.")
    return names


def _number(_name: str, given: object) -> float:
    value = number_of(given)
    if 0 <= value <= 100:
        return value
    raise ValueError("Give a test accuracy in % from 0 to 100, or leave it empty where nothing was trained.")
