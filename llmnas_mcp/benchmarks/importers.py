"""Reads tables of trained accuracy: a plain CSV, or the official files of NATS-Bench (see nats.py)."""

from __future__ import annotations

import re
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

FINAL = 200  # epochs of a whole training, which is told by test accuracy; shorter ones are by validation accuracy
# By dataset and number of epochs.
Found = dict[tuple[str, int], NDArray[np.float64]]
_COLUMN = re.compile(rf"(?P<of>.*?)_(?:test_{FINAL}|valid_(?P<epochs>[1-9]\d{{0,2}}))")


def column_of(dataset: str, epochs: int = FINAL) -> str:
    """The column of a dataset's accuracy: on test data after FINAL epochs, on validation data after fewer.

    >>> column_of("ImageNet16-120"), column_of("cifar10", 12)
    ('imagenet16_120_test_200', 'cifar10_valid_12')
    """
    return f"{dataset.lower().replace('-', '_')}_{'test' if epochs == FINAL else 'valid'}_{epochs}"


def read_accuracies(path: Path, space: Space, dataset: str | None) -> Found:
    """Accuracies in %, NaN where not in the file, in the order of `space.genotypes()`; see `column_of` for the columns.

    All datasets of the file, or the one named. Raises DataError that names file, row, value and fix; NoColumnsError,
    which is one, for a file that has no accuracies.
    """
    check_dataset_name(dataset)
    if is_nats(path):
        with readable(path):
            return {(name, FINAL): values for name, values in read_nats(path, space, dataset, _number).items()}
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


def _columns_of(header: list[str], dataset: str | None) -> dict[str, tuple[str, int]]:
    """The columns of accuracy in a header, and the dataset and the number of epochs that each is of."""
    known = {column_of(name).removesuffix(f"_test_{FINAL}"): name for name in ([dataset] if dataset else DATASETS)}
    columns: dict[str, tuple[str, int]] = {}
    for column in header:
        found = _COLUMN.fullmatch(column)
        epochs = int(found["epochs"] or FINAL) if found else 0
        # Validation accuracy after a whole training is in some tables too: nothing here asks for it.
        if not found or (found["epochs"] and epochs >= FINAL) or (dataset and found["of"] not in known):
            continue
        name = known.get(found["of"], found["of"])
        if not DATASET_NAME.fullmatch(name):
            raise DataError(f"Column {column[:80]!r} names no dataset: use 1 to 64 letters, digits, '.', '_' or '-'.")
        columns[column] = name, epochs
    return columns


def _number(_name: str, given: object) -> float:
    value = number_of(given)
    if 0 <= value <= 100:
        return value
    raise ValueError("Give an accuracy in % from 0 to 100, or leave it empty where nothing was trained.")
