"""Reads images in the layouts people have them in; what a path holds is told by looking at it.

A folder of class folders (`folder.py`), CIFAR's archives, packed or not (`cifar.py`), `.npz`, and the IDX files of
MNIST and Fashion-MNIST. Nothing of a file is ever run: pickles go through the restricted unpickler, arrays are read
without pickle.
"""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import DataError
from llmnas_mcp.images import cifar, folder
from llmnas_mcp.images.images import Bytes, Images, made
from llmnas_mcp.images.sizes import MOST_BYTES, check_resolution, squared

LAYOUTS = "a folder with a folder of images for each class, CIFAR's archive, an .npz, or a folder of IDX files"
NPZ = "x_train, y_train, x_test and y_test, or x and y"


def read_images(path: Path, *, name: str | None = None, resolution: int | None = None) -> Images:
    """The images at a path, scaled to `resolution` where that is given; called by the path's name by default.

    Raises DataError that names the file, what is wrong with it and what to do.
    """
    check_resolution(resolution)
    called = name or re.sub(r"[^A-Za-z0-9._-]+", "_", re.sub(r"(\.npz|\.tar|\.gz|\.tgz)+$", "", path.resolve().name))
    try:
        if not path.exists():
            raise DataError(f"There is no file or folder {path}. Give {LAYOUTS}.")
        if path.is_dir():
            if idx := _idx_files(path):
                return _of_idx(idx, path, called, resolution)
            if cifar.is_unpacked(path):
                return _scaled(cifar.read_folder(path, called), resolution, path)
            return folder.read_folder(path, called, resolution)
        if zipfile.is_zipfile(path):
            return _of_npz(path, called, resolution)
        if cifar.is_archive(path):
            return _scaled(cifar.read_archive(path, called), resolution, path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Give {LAYOUTS}.") from None
    hint = " IDX files come as a folder: name the folder they are in." if "idx" in path.name else ""
    raise DataError(f"{path} is nothing that can be read as images. Give {LAYOUTS}.{hint}")


def _scaled(images: Images, resolution: int | None, path: Path) -> Images:
    train, test = (squared(x, resolution, str(path)) for x in (images.train_x, images.test_x))
    return Images(images.name, train, images.train_y, test, images.test_y, images.classes, images.notes)


# .npz ----------------------------------------------------------------------------------------------------------------


def _of_npz(path: Path, name: str, resolution: int | None) -> Images:
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
        if size > MOST_BYTES:
            raise DataError(f"{path} unpacks to {size / 2**30:.0f} GB: at most {MOST_BYTES / 2**30:.0f} GB are held.")
        with np.load(path, allow_pickle=False) as file:
            there = set(file.files)
            whole = {"x_train", "y_train", "x_test", "y_test"}
            if not whole <= there and not {"x", "y"} <= there:
                raise DataError(f"{path} has the arrays {', '.join(sorted(there))[:200] or 'none'}: give {NPZ}.")
            keys = [("x_train", "y_train"), ("x_test", "y_test")] if whole <= there else [("x", "y")]
            pairs = [(_pictures(file[x], f"{path}, {x}"), _numbers(file[y], f"{path}, {y}")) for x, y in keys]
            names = [str(one) for one in file["classes"].tolist()] if "classes" in there else None
    except (ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read ({error}). Save arrays of numbers with np.savez: {NPZ}.") from None
    for (pictures, labels), (x, y) in zip(pairs, keys, strict=True):
        if len(pictures) != len(labels):
            raise DataError(f"{path}: {len(pictures):,} images in {x}, but {len(labels):,} labels in {y}.")
    if len({pictures.shape[1:] for pictures, _ in pairs}) > 1:
        raise DataError(f"{path}: images of x_train are {pairs[0][0].shape[1:]}, of x_test {pairs[1][0].shape[1:]}.")
    return _labelled(pairs, names, path, name, resolution)


def _pictures(array: NDArray[Any], where: str) -> Bytes:
    """Images (n, height, width, channels) of an array in any usual order; raises DataError for anything but bytes."""
    if array.dtype != np.uint8:
        fix = {"f": "multiply what is in [0, 1] by 255", "u": "divide by 257", "i": "convert them"}
        how = fix.get(array.dtype.kind, "convert them")
        raise DataError(f"{where} is of type {array.dtype}; images are bytes, 0 to 255: {how}, then .astype('uint8').")
    if array.ndim == 3:
        return array[..., None]
    if array.ndim == 4 and array.shape[3] in (1, 3):
        return array
    if array.ndim == 4 and array.shape[1] in (1, 3):
        return np.ascontiguousarray(array.transpose(0, 2, 3, 1))
    raise DataError(
        f"{where} is of shape {array.shape}: give (n, height, width), or with 1 or 3 channels (n, height, width, c)."
    )


def _numbers(array: NDArray[Any], where: str) -> NDArray[np.int64]:
    labels = array.reshape(-1) if array.ndim == 2 and array.shape[1] == 1 else array
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"{where} is {array.dtype} of shape {array.shape}: give a whole number for each image, (n,).")
    return labels.astype(np.int64)


def _labelled(
    pairs: list[tuple[Bytes, NDArray[np.int64]]], names: list[str] | None, path: Path, name: str, resolution: int | None
) -> Images:
    """Images whose labels may be any numbers; these are the names of classes where there are no `names` for them."""
    values = np.unique(pairs[0][1])
    strange = sorted(set(np.unique(pairs[-1][1]).tolist()) - set(values.tolist()))
    if strange:
        raise DataError(f"{path}: test images are labelled {strange[0]}, and no training image is.")
    if names is not None and not (len(values) and values[0] >= 0 and values[-1] < len(names)):
        raise DataError(f"{path}: labels are {values[0]} to {values[-1]}, and `classes` has {len(names)} names.")
    classes = tuple(names[value] if names else str(value) for value in values.tolist())
    parts = [(squared(x, resolution, str(path)), np.searchsorted(values, y)) for x, y in pairs]
    return made(name, str(path), parts[0], parts[1] if len(parts) > 1 else None, classes)


# IDX -----------------------------------------------------------------------------------------------------------------


def _idx_files(path: Path) -> dict[str, Path] | None:
    """The four files of an IDX folder: (train or test, images or labels) -> path; None where it is none."""
    found: dict[str, Path] = {}
    for part, start in (("train", "train"), ("test", "t10k"), ("test", "test")):
        for what, dimensions in (("images", 3), ("labels", 1)):
            for file in sorted(path.glob(f"{start}-{what}*idx{dimensions}-ubyte*")):
                found.setdefault(f"{part} {what}", file)
    return found if {"train images", "train labels"} <= found.keys() else None


def _of_idx(files: dict[str, Path], path: Path, name: str, resolution: int | None) -> Images:
    pairs = []
    for part in ("train", "test"):
        if f"{part} images" not in files:
            continue
        if f"{part} labels" not in files:
            raise DataError(f"{files[f'{part} images']} has no labels beside it: put {part} labels into {path}.")
        images, labels = (_idx(files[f"{part} {what}"], what) for what in ("images", "labels"))
        if len(images) != len(labels):
            raise DataError(f"{files[f'{part} images']} has {len(images):,} images, and {len(labels):,} labels.")
        pairs.append((images[..., None], labels.astype(np.int64)))
    return _labelled(pairs, None, path, name, resolution)


def _idx(path: Path, what: str) -> Bytes:
    """The array of an IDX file of bytes, packed by gzip or not."""
    dimensions = {"images": 3, "labels": 1}[what]
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            content = file.read(MOST_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged gzip ({error}). Get the file again.") from None
    if content[:4] != bytes((0, 0, 8, dimensions)):
        raise DataError(f"{path} is no IDX file of {what}: it begins with {content[:4].hex() or 'nothing'}.")
    shape = np.frombuffer(content[4 : 4 + 4 * dimensions], ">u4")
    array = np.frombuffer(content, np.uint8, offset=min(len(content), 4 + 4 * dimensions))
    if len(shape) != dimensions or len(array) != int(np.prod(shape.astype(np.int64))):
        raise DataError(f"{path} is cut off: it has {len(array):,} bytes of {what}. Get the file again.")
    return array.reshape(shape)
