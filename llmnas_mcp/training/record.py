"""What is remembered of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trained:
    """How good a network was after some of its epochs; accuracies in %, higher is better.

    epochs: that it was trained for, of `of_epochs` that its schedule has. valid: on images held out from training,
    by which networks are compared; test: on the test images, which decide nothing. key: what it was trained on and
    how, with digest the images', so that only equal things are compared. weights: a file in `training/` of the folder
    of tables.
    """

    key: str
    space: str
    architecture: str
    data: str
    digest: str
    epochs: int
    of_epochs: int
    seed: int
    valid: float
    test: float
    seconds: float
    recipe: dict[str, Any]
    split: dict[str, Any]
    weights: str
