"""Images with their labels, in two parts: to train on, which is split again to validate, and to test with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import Dataset

SEED = 2510
TEST = 0.2  # of each class, where a source has no test images of its own
LEAST = 3  # images of a class: one to train on, one to validate and one to test with

Bytes = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Images:
    """Square images (n, height, width, channels), uint8, channels 1 or 3, and labels (n,), int64, from 0.

    classes: their names, in the order of labels. notes: what was done to the images while they were read, for people.
    """

    name: str
    train_x: Bytes
    train_y: Labels
    test_x: Bytes
    test_y: Labels
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> Dataset:
        """What a network is built for."""
        return Dataset(self.name, self.train_x.shape[1], len(self.classes), self.train_x.shape[3])

    @property
    def mean(self) -> tuple[float, ...]:
        """Of each channel over the training images, as a share of full brightness."""
        return self._statistics[0]

    @property
    def std(self) -> tuple[float, ...]:
        """The standard deviation of each channel over the training images, as a share of full brightness."""
        return self._statistics[1]

    @cached_property
    def _statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        channels = range(self.train_x.shape[3])
        counts = np.array([np.bincount(self.train_x[..., c].ravel(), minlength=256) for c in channels])
        shares, values = counts / counts.sum(1, keepdims=True), np.arange(256) / 255
        means = shares @ values
        spread = np.sqrt(np.maximum(shares @ values**2 - means**2, 1e-12))  # of one value everywhere there is none
        return tuple(means.tolist()), tuple(np.maximum(spread, 1 / 255).tolist())

    def normalise(self, x: Bytes) -> NDArray[np.float32]:
        """Images (n, height, width, channels) as a network takes them: (n, channels, height, width), float32.

        Each channel of the training images then has mean 0 and deviation 1.
        """
        mean, std = (np.array(values, np.float32) for values in (self.mean, self.std))
        found = (x.astype(np.float32) / np.float32(255) - mean) / std
        return np.ascontiguousarray(found.transpose(0, 3, 1, 2), dtype=np.float32)

    @cached_property
    def digest(self) -> str:
        """Twelve digits that follow from all images, labels and classes: what was trained on others differs in them."""
        found = hashlib.sha256(repr(self.classes).encode())
        for array in (self.train_x, self.train_y, self.test_x, self.test_y):
            found.update(repr(array.shape).encode() + np.ascontiguousarray(array).data)
        return found.hexdigest()[:12]


def held_out(labels: Labels, share: float, seed: int) -> NDArray[np.bool_]:
    """Which of n images to hold out, (n,): of each class that share, at least one, drawn from the seed.

    >>> held_out(np.array([0, 0, 0, 0, 1, 1]), 0.25, seed=0).sum()
    np.int64(2)
    """
    rng, out = np.random.default_rng(seed), np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        out[rng.permutation(own)[: max(1, round(share * len(own)))]] = True
    return out


def made(
    name: str,
    where: str,
    train: tuple[Bytes, NDArray[Any]],
    test: tuple[Bytes, NDArray[Any]] | None,
    classes: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> Images:
    """Images of what a source had; without a test part a fixed fifth of each class is held out for it.

    Raises DataError, naming `where`, for fewer than two classes, and for a class with too few images.
    """
    x, y = train[0], np.asarray(train[1], dtype=np.int64)
    if len(classes) < 2:
        only = f"one class, {classes[0]!r}" if classes else "no class"
        raise DataError(f"{where} has {only}: give images of at least two, to be told apart.")
    counts = np.bincount(y, minlength=len(classes))
    few, fewest = int(counts.argmin()), int(counts.min())
    least = LEAST if test is None else LEAST - 1
    if fewest < least:
        raise DataError(
            f"{where}: class {classes[few]!r} has {fewest} image{'s' * (fewest != 1)} to train on: give at"
            f" least {least}, as some are held out to validate{' and to test' if test is None else ''} with."
        )
    if test is None:
        out = held_out(y, TEST, SEED)
        note = f"{where} has no test images: {out.sum():,} of {len(y):,}, a fifth of each class, are held out as such."
        return Images(name, x[~out], y[~out], x[out], y[out], classes, (*notes, note))
    test_x, test_y = test[0], np.asarray(test[1], dtype=np.int64)
    if not len(test_y):
        raise DataError(f"{where} has an empty test part: put images into it, or leave it out and some are held out.")
    missing = [classes[label] for label in np.flatnonzero(np.bincount(test_y, minlength=len(classes)) == 0)]
    if missing:
        notes = (*notes, f"{where}: no test image of {', '.join(map(repr, missing[:5]))}.")
    return Images(name, x, y, test_x, test_y, classes, notes)
