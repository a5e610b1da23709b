"""What a network is built for: the channels, the resolution and the number of classes of a dataset.

A dataset has a name, which anybody may send. There are the published ones, of which a laboratory need not have the
images; `digits`, whose images come with scikit-learn; and those that the laboratory's owner added, a file each in the
folder of tables (`llmnas_mcp.images` writes and reads it).
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from llmnas_mcp.errors import DataError

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
FOLDER = "images"  # in the folder of tables: NAME.npz, whose array `about` is JSON


@dataclass(frozen=True)
class Dataset:
    """An image-classification task: square inputs of `resolution` pixels and `channels` colours, `classes` labels."""

    name: str
    resolution: int
    classes: int
    channels: int = 3


DATASETS = {
    d.name: d
    for d in (
        Dataset("cifar10", 32, 10),
        Dataset("cifar100", 32, 100),
        Dataset("ImageNet16-120", 16, 120),
        Dataset("imagenet", 224, 1000),
    )
}
DIGITS = Dataset("digits", 8, 10, channels=1)


def dataset_shape(name: str, data: Path | None = None) -> Dataset:
    """Return the dataset of that name: published, or with images in the folder of tables `data`.

    Another name is taken as 32x32 inputs and 10 classes: it can only come from a table a user imported, which says
    nothing about shapes.

    >>> dataset_shape("ImageNet16-120").classes
    120
    >>> dataset_shape("flowers")
    Dataset(name='flowers', resolution=32, classes=10, channels=3)
    """
    if name in DATASETS:
        return DATASETS[name]
    return with_images(data, name).get(name, Dataset(name, 32, 10))


def with_images(data: Path | None, only: str | None = None) -> dict[str, Dataset]:
    """The datasets whose images are here, by name: `digits`, and those added to the folder `data`; or `only` one.

    Raises DataError for a damaged file.

    >>> list(with_images(None))
    ['digits']
    """
    found = {DIGITS.name: DIGITS}
    if data is not None:
        names = [only] if only else sorted(path.stem for path in (data / FOLDER).glob("*.npz"))
        there = [name for name in names if NAME.fullmatch(name) and file_of(name, data).exists()]
        found |= {name: _shape(file_of(name, data)) for name in there}
    return found


def file_of(name: str, data: Path) -> Path:
    """Where the images of a dataset that was added are."""
    return data / FOLDER / f"{name}.npz"


def about(path: Path) -> dict[str, Any]:
    """What a file of images says of itself, without its images being read; raises DataError for a damaged one."""
    stat = path.stat()
    return dict(_about(path, stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=64)
def _about(path: Path, _mtime: int, _size: int) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(json.loads(str(file["about"])))
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged ({error}). Delete it and add the data again: llmnas data add") from None


def _shape(path: Path) -> Dataset:
    its = about(path)
    try:
        return Dataset(path.stem, *(int(its[key]) for key in ("resolution", "classes", "channels")))
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}). Delete it and add the data again: llmnas data add") from None
