"""Images as tensors, in batches: shuffled, cropped and flipped, all of it from numbers that follow from the step.

So nothing random has a state: a training that goes on at some step sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from llmnas_mcp.images import Images
from llmnas_mcp.images.images import SEED, held_out
from llmnas_mcp.training.recipe import VALIDATE, Recipe

AT_ONCE = 256  # images evaluated together


@dataclass(frozen=True)
class Part:
    """Images (n, channels, height, width), uint8, and labels (n,), on the device they are used on."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)


class Batches:
    """The batches of a training, and the parts to validate and to test with."""

    def __init__(self, images: Images, recipe: Recipe, seed: int, device: torch.device) -> None:
        out = held_out(images.train_y, VALIDATE, SEED)
        self.train = _part(images.train_x[~out], images.train_y[~out], device)
        self.valid = _part(images.train_x[out], images.train_y[out], device)
        self.test = _part(images.test_x, images.test_y, device)
        self.recipe, self.seed = recipe, seed
        self.mean, self.std = (
            torch.tensor(values, device=device).view(1, -1, 1, 1) * 255 for values in (images.mean, images.std)
        )
        self.size = min(recipe.batch, len(self.train))
        self.steps = len(self.train) // self.size  # an epoch; the few images left over are others in each

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of a step of the whole training: images as a network takes them, and labels."""
        epoch, place = divmod(step, self.steps)
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.train))
        rows = torch.from_numpy(order[place * self.size : (place + 1) * self.size]).to(self.train.x.device)
        x, y = self._normal(self.train.x[rows]), self.train.y[rows]
        return self._moved(x, np.random.default_rng([self.seed, 1, step])), y

    def whole(self, part: Part) -> Iterator[tuple[Tensor, Tensor]]:
        """A part as it is, some images at a time."""
        for start in range(0, len(part), AT_ONCE):
            yield self._normal(part.x[start : start + AT_ONCE]), part.y[start : start + AT_ONCE]

    def _normal(self, x: Tensor) -> Tensor:
        return (x.float() - self.mean) / self.std

    def _moved(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        count, _, height, width = x.shape
        if pad := self.recipe.crop:
            down, right = (torch.from_numpy(rng.integers(0, 2 * pad + 1, count)).to(x.device) for _ in range(2))
            rows = down[:, None, None] + torch.arange(height, device=x.device)[:, None]
            columns = right[:, None, None] + torch.arange(width, device=x.device)
            each = torch.arange(count, device=x.device)[:, None, None]
            x = functional.pad(x, (pad,) * 4).permute(0, 2, 3, 1)[each, rows, columns].permute(0, 3, 1, 2)
        if self.recipe.flip:
            turned = torch.from_numpy(rng.random(count) < 0.5).to(x.device)
            x = torch.where(turned[:, None, None, None], x.flip(3), x)
        return x.contiguous()


def _part(x: np.ndarray, y: np.ndarray, device: torch.device) -> Part:
    channels_first = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return Part(torch.from_numpy(channels_first).to(device), torch.from_numpy(np.ascontiguousarray(y)).to(device))
