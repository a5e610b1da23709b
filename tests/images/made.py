"""Small files in the layouts that images are published and kept in."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def pictures(count: int, side: int = 8, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def save_picture(path: Path, size: tuple[int, int] = (8, 8), mode: str = "RGB", seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(array).convert(mode).save(path)
    return path


def class_folders(root: Path, parts: tuple[str, ...] = (".",), each: int = 4, **options: Any) -> Path:
    for part in parts:
        for label in ("cat", "dog"):
            for i in range(each):
                save_picture(root / part / label / f"{i}.png", seed=i, **options)
    return root


def cifar(folder: Path, classes: int, each: int = 20) -> Path:
    """The published archive, as Python 2 wrote it, with noise in the place of photographs."""

    def batch(seed: int, **labels: Any) -> dict[bytes, Any]:
        data = pictures(each, 32, seed=seed).transpose(0, 3, 1, 2).reshape(each, 3072)
        return {
            b"data": data,
            b"filenames": [b"x.png"] * each,
            **{key.encode(): value for key, value in labels.items()},
        }

    own = [i % classes for i in range(each)]
    if classes == 10:
        files = {f"data_batch_{i}": batch(i, labels=own) for i in range(1, 6)} | {"test_batch": batch(6, labels=own)}
        files["batches.meta"] = {b"label_names": [f"class{i}".encode() for i in range(10)]}
    else:
        files = {name: batch(seed, fine_labels=own, coarse_labels=own) for seed, name in enumerate(("train", "test"))}
        files["meta"] = {b"fine_label_names": [f"class{i}".encode() for i in range(classes)]}
    path = folder / f"cifar-{classes}-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            packed = pickle.dumps(content, protocol=2)
            entry = tarfile.TarInfo(f"cifar-{classes}-batches-py/{name}")
            entry.size = len(packed)
            archive.addfile(entry, io.BytesIO(packed))
    return path


def idx(folder: Path, each: int = 30, side: int = 28, packed: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    for part, seed in (("train", 0), ("t10k", 1)):
        for what, array in (
            ("images-idx3", pictures(each, side, 1, seed)[..., 0]),
            ("labels-idx1", np.arange(each, dtype=np.uint8) % 10),
        ):
            head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
            with (gzip.open if packed else open)(folder / f"{part}-{what}-ubyte{'.gz' * packed}", "wb") as file:
                file.write(head + array.tobytes())
    return folder
