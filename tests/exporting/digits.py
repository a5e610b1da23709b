"""scikit-learn's digits as images, and a network trained on them for a few seconds, as `llmnas train` keeps it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from llmnas_mcp.images import Images, load_images
from llmnas_mcp.spaces import Space, get_space
from llmnas_mcp.spaces.registry import load_space

TINY = "examples/tinynet.py:TinyNet"
ARCHITECTURE = "depth=2,width=16,kernel.0=3,kernel.1=3"


@cache
def digits() -> Images:
    return load_images("digits", Path("nowhere"))


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
