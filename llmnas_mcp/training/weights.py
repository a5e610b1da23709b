"""A trained network as a file: its weights, and a card that says what they are.

`torch.load(FILE, weights_only=True)` gives a dict: `state_dict`, the averaged weights, and `card`, a JSON text.
"""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy
import torch

from llmnas_mcp import __version__
from llmnas_mcp.training.files import write_whole
from llmnas_mcp.training.record import Trained
from llmnas_mcp.training.training import Training


def save_weights(training: Training, record: Trained, path: Path) -> None:
    """Write the averaged weights of a network, with the card that `card_of` makes."""
    weights = {name: value.detach().cpu() for name, value in training.ema.items()}
    write_whole(path, {"state_dict": weights, "card": json.dumps(card_of(training, record))})


def card_of(training: Training, record: Trained) -> dict[str, Any]:
    """What a network is: architecture, data, accuracy and how it came to be. Accuracies in %."""
    images = training.course.images
    return {
        "architecture": record.architecture,
        "space": record.space,
        "edition": training.course.space.edition,
        "dataset": record.data,
        "classes": list(images.classes),
        "mean": list(images.mean),
        "std": list(images.std),
        "resolution": images.shape.resolution,
        "channels": images.shape.channels,
        "accuracy": record.test,
        "valid_accuracy": record.valid,
        "epochs": record.epochs,
        "of_epochs": record.of_epochs,
        "seed": record.seed,
        "recipe": asdict(training.course.recipe),
        "split": record.split,
        "data_digest": record.digest,
        "versions": {
            "llmnas-mcp": __version__,
            "torch": torch.__version__,
            "numpy": numpy.__version__,
            "python": platform.python_version(),
        },
    }
