"""The batch every network is looked at with: crops of one photograph, cut at all scales.

Chosen by measurement (docs/results.md): by crops of a photograph proxies ranked networks more like their accuracy than
by Gaussian noise, white or with the spectrum of natural images, or by occluding discs. Labels are made up.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

SEED = 2510
BATCH = 16


@lru_cache(maxsize=8)
def batch(resolution: int, classes: int, channels: int = 3) -> tuple[Tensor, Tensor]:
    """Images (BATCH, channels, resolution, resolution), each channel of mean 0 and deviation 1, and labels (BATCH,).

    Crops are squares of the photograph of Grace Hopper that matplotlib ships (public domain), in grey for one channel,
    their sides spread evenly on a log scale from `resolution` pixels (no more than it has) to its full width, then
    scaled. Labels go round, four images a class, so that images of one class can be compared.
    """
    import torch
    from PIL import Image

    photograph = files("matplotlib") / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    with photograph.open("rb") as file:
        whole = Image.open(file).convert("L" if channels == 1 else "RGB")
    rng = np.random.default_rng(SEED)
    largest = min(whole.size)
    images = np.empty((BATCH, channels, resolution, resolution), np.float32)
    for image in images:
        side = round(largest * (min(resolution, largest) / largest) ** rng.uniform())
        left, top = (int(rng.integers(length - side + 1)) for length in whole.size)
        crop = whole.crop((left, top, left + side, top + side))
        small = np.asarray(crop.resize((resolution, resolution), Image.Resampling.BILINEAR))
        image[:] = small.reshape(resolution, resolution, channels).transpose(2, 0, 1)
    images -= images.mean((0, 2, 3), keepdims=True)
    images /= images.std((0, 2, 3), keepdims=True)
    return torch.from_numpy(images), torch.from_numpy(np.arange(BATCH) % min(classes, BATCH // 4))
