"""Spaces as users write them, for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from llmnas_mcp.spaces import DATASETS, Dataset

ROOT = Path(__file__).resolve().parents[2]
TINYNET = f"{ROOT / 'examples' / 'tinynet.py'}:TinyNet"
CIFAR10 = DATASETS["cifar10"]
SMALL = Dataset("small", 8, 3)
HEAD = "import torch\nfrom torch import nn\n\nfrom llmnas_mcp.spaces import Space\n\n\nclass Mine(Space):\n"
NAME = '    name = "mine"\n'
CHOICES = '    choices = {"width": (4, 8), "kernel": (1, 3)}\n'
BUILD = """
    def build(self, chosen, dataset):
        width = chosen["width"]
        return nn.Sequential(
            nn.Conv2d(dataset.channels, width, chosen["kernel"]), nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, dataset.classes),
        )
"""
Write = Callable[..., str]
MINE = HEAD + NAME + CHOICES + BUILD
