"""How a network is trained: what the field does, by what the network works on and by how much data there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmnas_mcp.images import Images
from llmnas_mcp.images.images import SEED
from llmnas_mcp.scoring.forms import TOKENS, form_of
from llmnas_mcp.spaces import Space

VALIDATE = 0.1  # of the training images of each class, which no step sees
SPLIT = {"validate": VALIDATE, "seed": SEED}
SMALL, LARGE = 5_000, 200_000  # images


@dataclass(frozen=True)
class Recipe:
    """All that decides a training but network, data, epochs and seed.

    rate: the highest learning rate, reached after `warm_up` (a share of all steps), then a cosine to 0. decay: of
    weights with more than one dimension. smoothing: of labels. crop: pixels of padding of which squares are cut. ema:
    over how large a share of all steps weights are averaged, exponentially; the averages are what is evaluated.
    """

    optimizer: Literal["sgd", "adamw"]
    batch: int
    rate: float
    decay: float
    clip: float
    crop: int
    flip: bool
    momentum: float = 0.9
    warm_up: float = 0.05
    smoothing: float = 0.1
    ema: float = 0.05


def recipe_for(space: Space, images: Images, flip: bool | None = None) -> Recipe:
    """The recipe for a space's networks on these images.

    SGD with Nesterov's momentum for networks that work on feature maps, AdamW for those on tokens. Images in colour
    are flipped, as photographs may be; grey ones, which digits are, are not. `flip` says otherwise.
    """
    count = len(images.train_y)
    batch = 64 if count < SMALL else 128 if count < LARGE else 256
    crop = images.shape.resolution // 8
    flip = images.shape.channels == 3 if flip is None else flip
    if form_of(space, images.shape) is TOKENS:
        return Recipe("adamw", batch, rate=1e-3, decay=0.05, clip=1.0, crop=crop, flip=flip)
    return Recipe("sgd", batch, rate=0.1 * min(1.0, batch / 128), decay=5e-4, clip=5.0, crop=crop, flip=flip)
