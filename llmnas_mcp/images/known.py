"""The images there are: scikit-learn's digits, and those that the laboratory's owner added, by name.

What is added is read once and kept whole, a file NAME.npz in `images/` of the folder of tables, so that it is known to
servers of that folder too and stays as it was when its source moves. `llmnas_mcp.spaces` reads from it what networks
are built for.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from llmnas_mcp.errors import DataError, LabError, NotFoundError, UnknownNameError
from llmnas_mcp.images.images import Images, made
from llmnas_mcp.images.sources import read_images
from llmnas_mcp.spaces import DATASETS, DIGITS, with_images
from llmnas_mcp.spaces.datasets import NAME, about, file_of

ADD = "Add your own: llmnas data add NAME PATH"
PARTS = ("train_x", "train_y", "test_x", "test_y")


def load_images(name_or_path: str, data: Path) -> Images:
    """The images of that name, built in or added to the folder `data`; else those in that file or folder.

    Never for an argument that comes from outside: see `named_images`. Raises DataError, with file and fix, for what
    cannot be read, and UnknownNameError for what is neither.
    """
    if NAME.fullmatch(name_or_path) and name_or_path in with_images(data, name_or_path):
        return named_images(name_or_path, data)
    path = Path(name_or_path).expanduser()
    if not path.exists():
        raise UnknownNameError("data", name_or_path, with_images(data), f"There is no such file or folder. {ADD}")
    return read_images(path)


def named_images(name: str, data: Path) -> Images:
    """The images of that name. Raises UnknownNameError with the names there are."""
    if name == DIGITS.name:
        return _digits()
    if name not in with_images(data, name):
        raise UnknownNameError("data", name, with_images(data), ADD)
    return read_saved(file_of(name, data), name)


def read_saved(path: Path, name: str) -> Images:
    """The images in a file that `saved` or `add_images` wrote; raises DataError for a damaged one."""
    its = about(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            a, b, c, d = (file[part] for part in PARTS)
            found = Images(name, a, b, c, d, tuple(map(str, its["names"])), tuple(map(str, its["notes"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}). Delete it and add the data again: llmnas data add") from None
    vars(found)["digest"] = its["digest"]
    return found


def saved(images: Images, data: Path, folder: Path) -> Path:
    """A file that has these images: that of those which were added, else one in `folder`, written once."""
    added = file_of(images.name, data)
    if images.name in with_images(data, images.name) and added.exists() and about(added)["digest"] == images.digest:
        return added
    path = folder / f"images-{images.digest}.npz"
    if not path.exists():
        _save(images, images.name, path)
    return path


def add_images(name: str, path: str, data: Path, resolution: int | None = None) -> Images:
    """Read the images at a path, or of a name, and keep them under `name`; whole, or nothing is kept.

    Raises LabError for a name that is taken or cannot be one, and DataError as `read_images`.
    """
    if not NAME.fullmatch(name) or name.startswith("."):
        raise LabError(f"{name[:80]!r} cannot be a name: use 1 to 64 letters, digits, '.', '_' or '-'.")
    if name in with_images(data, name):
        fix = "choose another name" if name == DIGITS.name else f"choose another name, or llmnas data remove {name}"
        raise LabError(f"{name} is the name of images already: {fix}.")
    if NAME.fullmatch(path) and path in with_images(data, path):
        from llmnas_mcp.images.sizes import resized

        known = named_images(path, data)
        arrays = [resized(getattr(known, part), resolution) for part in ("train_x", "test_x")]
        found = Images(name, arrays[0], known.train_y, arrays[1], known.test_y, known.classes, known.notes)
    else:
        path = str(Path(path).expanduser().absolute())
        found = read_images(Path(path), name=name, resolution=resolution)
    if name in DATASETS and found.shape != DATASETS[name]:
        raise LabError(
            f"{name} is a published dataset of {_described(DATASETS[name])}; these images are {_described(found.shape)}"
            ". Choose another name."
        )
    _save(found, path, file_of(name, data))
    return found


def remove_images(name: str, data: Path) -> None:
    """Forget images that were added; their source stays. Raises NotFoundError where there are none of that name."""
    if name == DIGITS.name or name not in with_images(data, name):
        added = [other for other in with_images(data) if other != DIGITS.name]
        why = "comes with scikit-learn and stays" if name == DIGITS.name else "was not added"
        raise NotFoundError(f"{name[:80]!r} {why}. Added: {', '.join(added) or 'none'}.")
    file_of(name, data).unlink()


def summaries(data: Path) -> list[dict[str, Any]]:
    """What there is, for people: name, resolution, channels, classes, numbers of images, and where it is from."""
    rows = []
    for name, shape in with_images(data).items():
        row = {"name": name, "resolution": shape.resolution, "channels": shape.channels, "classes": shape.classes}
        if name == DIGITS.name:
            own = _digits()
            row |= {"train": len(own.train_y), "test": len(own.test_y), "source": "scikit-learn", "notes": []}
        else:
            its = about(file_of(name, data))
            row |= {key: its[key] for key in ("train", "test", "source", "notes")}
        rows.append(row)
    return rows


def _digits() -> Images:
    """1,797 handwritten digits of 8x8 pixels, 17 shades of grey; every fifth of a class is for testing.

    Networks see them as they are, 8x8: NAS-Bench-201's two halvings leave 2x2 pixels, which is enough to tell them
    apart, and a training takes a sixteenth of what it would at 32x32 (llmnas data add NAME digits --resolution 32).
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    x = np.round(found.images * (255 / 16)).astype(np.uint8)[..., None]
    whole = made(DIGITS.name, DIGITS.name, (x, found.target), None, tuple(map(str, found.target_names.tolist())))
    return replace(whole, notes=())  # everybody knows where they are from


def _save(images: Images, source: str, path: Path) -> None:
    its = {
        "resolution": images.shape.resolution,
        "classes": images.shape.classes,
        "channels": images.shape.channels,
        "names": images.classes,
        "train": len(images.train_y),
        "test": len(images.test_y),
        "digest": images.digest,
        "source": source,
        "notes": images.notes,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as file:
                arrays = {part: getattr(images, part) for part in PARTS}
                np.savez(file, allow_pickle=False, about=np.array(json.dumps(its)), **arrays)
            Path(partial).replace(path)
        finally:
            Path(partial).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path.parent} cannot be written: {error.strerror}. Set LLMNAS_DATA to a folder.") from None


def _described(shape: Any) -> str:
    return f"{shape.resolution}x{shape.resolution} pixels, {shape.channels} channels and {shape.classes} classes"
