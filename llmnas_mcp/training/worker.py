"""What a process does for a network in training: some seconds of it, or the time of a step.

A process has one thread, so a result depends neither on how many cores there are nor on what else they do; several
networks are trained side by side.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llmnas_mcp.errors import LabError, SpaceError
from llmnas_mcp.images import Images
from llmnas_mcp.images.known import read_saved
from llmnas_mcp.spaces import space_of
from llmnas_mcp.training.batches import Batches
from llmnas_mcp.training.recipe import SPLIT, Recipe
from llmnas_mcp.training.record import Trained
from llmnas_mcp.training.training import Course, Training
from llmnas_mcp.training.weights import save_weights

AT_ONCE = 5.0  # seconds, after which the others' turn comes, and progress is told


def told(course: Course, images: Path) -> dict[str, Any]:
    """A course as another process can read it; `images`: the file they are in."""
    return {
        "space": course.space.spec or course.space.name,
        "edition": course.space.edition,
        "genotype": course.genotype,
        "images": str(images),
        "name": course.images.name,
        "recipe": asdict(course.recipe),
        "epochs": course.epochs,
        "seed": course.seed,
        "device": course.device,
    }


def advance(course: dict[str, Any], epochs: int, folder: str) -> dict[str, Any]:
    """Train on, for about AT_ONCE seconds; says at which step it is and, once it has had so many epochs, the result."""
    import torch

    training = _training(course, Path(folder))
    try:
        if not training.until(epochs, AT_ONCE):
            return {"step": training.step}
        record = _record(training, epochs)
    except torch.OutOfMemoryError:
        raise LabError(f"{training.course.name} takes more memory than the GPU has.") from None
    save_weights(training, record, Path(folder) / record.weights)
    return {"step": training.step, "record": asdict(record)}


def time_step(course: dict[str, Any]) -> float:
    """The seconds that a step takes: the second of two."""
    with TemporaryDirectory() as nowhere:
        training = _training(course, Path(nowhere))
        training.take()
        began = time.monotonic()
        training.take()
        return time.monotonic() - began


def _record(training: Training, epochs: int) -> Trained:
    course, batches = training.course, training.batches
    return Trained(
        key=course.key,
        space=course.space.name,
        architecture=course.space.format(course.genotype),
        data=course.images.name,
        digest=course.images.digest,
        epochs=epochs,
        of_epochs=course.epochs,
        seed=course.seed,
        valid=training.accuracy(batches.valid),
        test=training.accuracy(batches.test),
        seconds=training.seconds,
        recipe=asdict(course.recipe),
        split=dict(SPLIT),
        weights=f"{course.key}.pt",
    )


def _training(course: dict[str, Any], folder: Path) -> Training:
    space = space_of(course["space"])
    if space.edition != course["edition"]:
        raise SpaceError(
            f"The file of the space {course['space']} has changed since this program read it: start the program again."
        )
    images = _images(course["images"], course["name"])
    recipe = Recipe(**course["recipe"])
    own = Course(space, tuple(course["genotype"]), images, recipe, course["epochs"], course["seed"], course["device"])
    return Training(own, _batches(course["images"], course["name"], recipe, own.seed, own.device), folder)


@lru_cache(maxsize=2)
def _images(path: str, name: str) -> Images:
    return read_saved(Path(path), name)


@lru_cache(maxsize=2)
def _batches(path: str, name: str, recipe: Recipe, seed: int, device: str) -> Batches:
    import torch

    return Batches(_images(path, name), recipe, seed, torch.device(device))
