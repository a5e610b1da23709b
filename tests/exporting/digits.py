"""scikit-learn's digits as images, and a network trained on them for a few seconds, as `llmnas train` keeps it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from llmnas_mcp.spaces import Dataset, Space, get_space
from llmnas_mcp.spaces.registry import load_space

TINY = "examples/tinynet.py:TinyNet"
ARCHITECTURE = "depth=2,width=16,kernel.0=3,kernel.1=3"


@dataclass
class Digits:
    """1,797 images of 8 x 8, the last 360 to test by."""

    train_x: Any
    train_y: Any
    test_x: Any
    test_y: Any
    classes: tuple[str, ...] = tuple("0123456789")
    mean: tuple[float, ...] = (0.3,)
    std: tuple[float, ...] = (0.37,)
    shape: Dataset = field(default_factory=lambda: Dataset("digits", 8, 10, 1))

    def normalise(self, x: Any) -> Any:
        return ((x / 255 - np.array(self.mean)) / np.array(self.std)).transpose(0, 3, 1, 2).astype(np.float32)


@cache
def digits() -> Any:
    """As llmnas_mcp.images reads them, where it is there; else what stands in for that."""
    if importlib.util.find_spec("llmnas_mcp.images") is not None:
        return importlib.import_module("llmnas_mcp.images").load_images("digits", Path("nowhere"))
    from sklearn.datasets import load_digits

    found = load_digits()
    x = np.round(found.images[..., None] * 255 / 16).astype(np.uint8)
    y = found.target.astype(np.int64)
    return Digits(x[:-360], y[:-360], x[-360:], y[-360:])


def install() -> None:
    """Stand in for the module that reads images, where there is none."""
    if importlib.util.find_spec("llmnas_mcp.images") is not None:
        return
    module: Any = ModuleType("llmnas_mcp.images")
    module.__spec__ = ModuleSpec("llmnas_mcp.images", None)
    found = digits()
    module.load_images = lambda *_: found
    sys.modules[module.__name__] = module


def space_and(architecture: str, space: str) -> tuple[Space, tuple[int, ...]]:
    where = load_space(space) if ".py:" in space else get_space(space)
    return where, where.parse(architecture)


def trained(path: Path, epochs: int = 4) -> Path:
    """A file of weights of the tiny network, trained."""
    import torch
    from torch.nn.functional import cross_entropy

    space, genotype = space_and(ARCHITECTURE, TINY)
    images = digits()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = space.network(genotype, images.shape)
        x, y = torch.from_numpy(images.normalise(images.train_x)), torch.from_numpy(images.train_y)
        optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(64):
                optimiser.zero_grad()
                cross_entropy(network(x[batch]), y[batch]).backward()
                optimiser.step()
        return keep(path, network, ARCHITECTURE, space.name, images, epochs=epochs)


def keep(path: Path, network: Any, architecture: str, space: str, images: Any, **more: Any) -> Path:
    """Weights with their card, as `llmnas train` keeps them."""
    import torch

    shape = images.shape
    card = {
        **{"architecture": architecture, "space": space, "dataset": shape.name, "classes": list(images.classes)},
        **{"mean": list(images.mean), "std": list(images.std), "resolution": shape.resolution},
        **{"channels": shape.channels, "accuracy": 95.5, "epochs": 1, "seed": 0, "recipe": {"optimiser": "AdamW"}},
        **{"versions": {"torch": torch.__version__}, **more},
    }
    torch.save({"state_dict": network.state_dict(), "card": json.dumps(card)}, path)
    return path
