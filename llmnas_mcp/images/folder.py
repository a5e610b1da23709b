"""A folder with a folder of images for each class, read by Pillow; `train` and `test` or `val` folders where there are.

Nothing is guessed in silence: what was done to images is in the notes, what cannot be read is told with its file.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llmnas_mcp.errors import DataError
from llmnas_mcp.images.images import Bytes, Images, made
from llmnas_mcp.images.sizes import LARGEST, SMALLEST, check_room, fitted

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
TRAIN, VALIDATE, TEST = ("train", "training"), ("val", "valid", "validation"), ("test", "testing")
DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes with more than eight bits


@dataclass(frozen=True)
class _Look:
    """What an image is, without its pixels: width and height as shown, and whether it is grey."""

    size: tuple[int, int]
    grey: bool


def read_folder(path: Path, name: str, resolution: int | None) -> Images:
    """The images of a folder; raises DataError that names the file, what is wrong and what to do."""
    parts, notes = _parts(path)
    classes = tuple(sorted({folder.name for root in parts["train"] for folder in _folders(root)}))
    files: dict[str, list[tuple[Path, int]]] = {}
    left_out: list[Path] = []
    for part, roots in parts.items():
        files[part] = []
        for folder in (folder for root in roots for folder in _folders(root)):
            if folder.name not in classes:
                raise DataError(f"{folder}: no training image is of class {folder.name!r}. Remove it, or add some.")
            for file in sorted(file for file in folder.rglob("*") if file.is_file()):
                if file.suffix.lower() in SUFFIXES:
                    files[part].append((file, classes.index(folder.name)))
                elif not file.name.startswith("."):
                    left_out.append(file)
    every = [file for part in files.values() for file, _ in part]
    if not every:
        raise DataError(f"{path} has no image in folders of classes: put each into PATH/CLASS/, as {SUFFIXES[0]}.")
    if left_out:
        notes.append(f"{len(left_out)} files that are no images are left out, the first {left_out[0]}.")
    looks = {file: _look(file) for file in every}
    pixels = _resolution(looks, resolution, notes)
    channels = _channels(looks, notes)
    check_room(len(every), pixels, channels, str(path))
    arrays = {part: (_read(own, pixels, channels), np.array([y for _, y in own])) for part, own in files.items()}
    return made(name, str(path), arrays["train"], arrays.get("test"), classes, tuple(notes))


def _folders(root: Path) -> list[Path]:
    return sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))


def _parts(path: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Where the training images are and, if anywhere, the test images."""
    there = {folder.name.lower(): folder for folder in _folders(path)}
    train, validate, test = (next((there[n] for n in names if n in there), None) for names in (TRAIN, VALIDATE, TEST))
    if train is None:
        if test or validate:
            other = ", ".join(folder.name for folder in (validate, test) if folder)
            raise DataError(f"{path} has the folder {other} and no {TRAIN[0]}: give the images to train on that name.")
        return {"train": [path]}, []
    if test and validate:
        return {"train": [train, validate], "test": [test]}, [
            f"{validate} is trained on too: what validates is drawn from all but {test.name}."
        ]
    held = test or validate
    if held is None:
        return {"train": [train]}, []
    return {"train": [train], "test": [held]}, [f"{held} is what is tested with."] if validate else []


def _pixels(file: Path) -> Image:
    """An image, unpacked and turned upright; raises DataError for one that is damaged or has more than 8 bits."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings(), Image.open(file) as image:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if image.mode not in DEEP:
                return ImageOps.exif_transpose(image).copy()
            mode = image.mode
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Warning) as error:
        raise DataError(f"{file} is damaged, or no image ({error}). Mend or remove it.") from None
    raise DataError(
        f"{file} has more than 8 bits a pixel ({mode}). Convert it first, as you know which range of brightness counts."
    )


def _look(file: Path) -> _Look:
    image = _pixels(file)
    return _Look(image.size, image.mode in ("1", "L", "LA"))


def _resolution(looks: dict[Path, _Look], asked: int | None, notes: list[str]) -> int:
    """What images are scaled to: what was asked for, else the size that all of them have."""
    sizes = Counter(look.size for look in looks.values())
    of = {look.size: file for file, look in reversed(looks.items())}
    if asked is not None:
        if set(sizes) != {(asked, asked)}:
            cut = ", their middle cut out where they are no squares" if any(w != h for w, h in sizes) else ""
            small, large = (f"{w}x{h}" for w, h in (min(sizes, key=min), max(sizes, key=min)))
            notes.append(f"Images of {small} to {large} pixels are scaled to {asked}x{asked}{cut}.")
        return asked
    usual = sorted(min(size) for size in sizes.elements())[len(looks) // 2]
    example = f"--resolution {max(SMALLEST, min(usual, LARGEST))}"
    if len(sizes) > 1:
        (one, other), *_ = [(a, b) for a in sizes for b in sizes if a != b]
        raise DataError(
            f"The images differ in size: {of[one]} has {one[0]}x{one[1]} pixels, {of[other]} {other[0]}x{other[1]}."
            f" Say what to scale all to, as {example}."
        )
    ((width, height),) = sizes
    if width != height or not SMALLEST <= width <= LARGEST:
        raise DataError(
            f"{of[width, height]} and all others have {width}x{height} pixels; networks take squares of {SMALLEST} to"
            f" {LARGEST}. Say what to scale them to, as {example}."
        )
    return width


def _channels(looks: dict[Path, _Look], notes: list[str]) -> int:
    grey = [file for file, look in looks.items() if look.grey]
    if len(grey) == len(looks):
        return 1
    if grey:
        notes.append(f"{len(grey)} of {len(looks)} images are grey, the first {grey[0]}: they are read as colour.")
    return 3


def _read(files: Iterable[tuple[Path, int]], resolution: int, channels: int) -> Bytes:
    own = list(files)
    found = np.empty((len(own), resolution, resolution, channels), np.uint8)
    for into, (file, _) in zip(found, own, strict=True):
        image = fitted(_pixels(file).convert("L" if channels == 1 else "RGB"), resolution)
        into[:] = np.asarray(image).reshape(into.shape)
    return found
