"""CIFAR-10 and CIFAR-100 as they are published for Python (Krizhevsky, 2009): pickles, packed in a .tar.gz or not."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from llmnas_mcp.errors import DataError
from llmnas_mcp.images.images import Bytes, Images, made
from llmnas_mcp.unpickler import MAX_BYTES, plain_of

TEN = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")
HUNDRED = ("train", "test", "meta")
SIDE = 32


def is_unpacked(path: Path) -> bool:
    """Whether a folder, or the one in it, has CIFAR's files."""
    return _inside(path) is not None


def is_archive(path: Path) -> bool:
    """Whether a file is an archive of them."""
    return tarfile.is_tarfile(path)


def read_folder(path: Path, name: str) -> Images:
    """What is in a folder that `is_unpacked`; raises DataError for what is missing or damaged."""
    inside = _inside(path)
    assert inside is not None
    files = {file.name: file.read_bytes() for file in inside.iterdir() if file.name in (*TEN, *HUNDRED)}
    return _read(files, str(inside), name)


def read_archive(path: Path, name: str) -> Images:
    """What is in an archive, of which nothing is unpacked to disk; raises DataError for what is missing or damaged."""
    files = {}
    try:
        with tarfile.open(path) as archive:
            for entry in archive:
                called = entry.name.rpartition("/")[2]
                if entry.isfile() and called in (*TEN, *HUNDRED):
                    if entry.size > MAX_BYTES:
                        raise DataError(f"{path}: {entry.name} is larger than any of CIFAR's files.")
                    file = archive.extractfile(entry)
                    assert file is not None
                    files[called] = file.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{path} is a damaged archive ({error}). Get the file again.") from None
    return _read(files, str(path), name)


def _inside(path: Path) -> Path | None:
    for folder in (path, *sorted(path.glob("cifar-10*"))):
        if (folder / TEN[0]).is_file() or ((folder / "meta").is_file() and (folder / "train").is_file()):
            return folder
    return None


def _read(files: Mapping[str, bytes], where: str, name: str) -> Images:
    ten = TEN[0] in files
    wanted = TEN if ten else HUNDRED
    missing = [file for file in wanted if file not in files]
    if missing:
        raise DataError(
            f"{where} has no {missing[0]}: give the archive of CIFAR-10 or CIFAR-100 for Python, with"
            f" {', '.join(wanted)}."
        )
    train = [_batch(files[file], f"{where}, {file}", ten) for file in wanted[:-2]]
    test = _batch(files[wanted[-2]], f"{where}, {wanted[-2]}", ten)
    meta = _plain(files[wanted[-1]], f"{where}, {wanted[-1]}")
    names = meta.get("label_names" if ten else "fine_label_names")
    if not isinstance(names, list):
        raise DataError(f"{where}, {wanted[-1]} has no names of classes. Get the file again.")
    whole = np.concatenate([x for x, _ in train]), np.concatenate([y for _, y in train])
    if max(whole[1].max(), test[1].max()) >= len(names):
        raise DataError(f"{where}: there are labels beyond the {len(names)} classes. Get the file again.")
    return made(name, where, whole, test, tuple(map(_text, names)))


def _plain(content: bytes, where: str) -> dict[str, Any]:
    found = plain_of(content, where, images=True)
    if not isinstance(found, dict):
        raise DataError(f"{where} is none of CIFAR's files. Get the file again.")
    return {_text(key): value for key, value in found.items()}


def _text(value: object) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _batch(content: bytes, where: str, ten: bool) -> tuple[Bytes, Any]:
    found = _plain(content, where)
    data, labels = found.get("data"), found.get("labels" if ten else "fine_labels")
    pictures = data[0] if isinstance(data, list) and len(data) == 1 else None
    if not isinstance(pictures, np.ndarray) or pictures.shape[1:] != (3 * SIDE**2,) or not isinstance(labels, list):
        raise DataError(f"{where} has no images of {SIDE}x{SIDE} pixels with labels. Get the file again.")
    if len(labels) != len(pictures) or not all(isinstance(label, int) and label >= 0 for label in labels):
        raise DataError(f"{where}: {len(pictures):,} images and {len(labels):,} labels. Get the file again.")
    return pictures.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), np.array(labels, dtype=np.int64)
