"""The parts of AZ-NAS (Lee and Ham, CVPR 2024, arXiv 2403.19232), read off the outputs of a network's blocks.

Of images the features are the channels, of tokens their last dimension. A block is compared with the one before where
both put out images, or both tokens. The fourth part, complexity, is macs. `growth` is ours, of the same material. The
authors look with Gaussian noise at weights drawn anew by He's rule; here inputs are crops of a photograph and weights
the network's own.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from llmnas_mcp.scoring.observation import Observation

IDENTITY = -1e6  # trainability of a block that changes nothing; the authors' code has minus infinity


def expressivity(seen: Observation) -> float:
    """Sum over blocks of the entropy of the spectrum of their features, in nats. Eq. 3.

    Higher is better. Cost: the forward pass.
    """
    return sum(seen.entropies)


def progressivity(seen: Observation) -> float:
    """The least increase of that entropy from one block to the next. Eq. 4.

    Higher is better. Cost: the forward pass.
    """
    return min(gain for _, _, gain in _steps(seen))


def growth(seen: Observation) -> float:
    """The sum of the increases of that entropy over blocks that keep the shape of their input. Of this project.

    Higher is better. Cost: the forward pass.

    Where progressivity takes the least increase, one noisy number, this takes all; blocks that change channels or size
    are left out, because the entropy they bring is of the new shape, not of the design.
    """
    return sum((gain for before, after, gain in _steps(seen) if before.shape == after.shape), 0.0)


def trainability(seen: Observation) -> float:
    """Mean over blocks of 2 - s - 1 / s: 0, the best, where a block passes gradients on at their length.

    s is the largest singular value of a block's Jacobian between features, estimated by sending random signs back
    through the block. An input image larger by a whole factor is compared pixel by unshuffled pixel, of any other size,
    and another number of tokens, by averages. Eq. 6 to 8.
    Higher is better. Cost: a backward pass from block to block.
    """
    import torch

    from llmnas_mcp.scoring.anatomy import by_feature
    from llmnas_mcp.scoring.observation import gradients

    generator = torch.Generator().manual_seed(seen.seed)
    scores = []
    for before, after, _ in _steps(seen):
        signs = torch.randint(0, 2, after.shape, generator=generator).to(after) * 2 - 1
        (back,) = gradients(after, [before], signs)
        back = _resized(back, after)
        if back.shape == signs.shape and torch.equal(back, signs):
            scores.append(IDENTITY)
            continue
        rows, columns = by_feature(back), by_feature(signs)
        s = float(torch.linalg.matrix_norm((rows @ columns.T) / columns.shape[1], 2))
        scores.append(2 - s - 1 / (s + 1e-6))
    return sum(scores) / len(scores)


def _steps(seen: Observation) -> list[tuple[Tensor, Tensor, float]]:
    """Each block with the one before it, both images or both tokens, and the entropy that was gained."""
    pairs = zip(pairwise(seen.blocks), pairwise(seen.entropies), strict=True)
    return [(x, y, after - before) for (x, y), (before, after) in pairs if x.ndim == y.ndim]


def _resized(values: Tensor, like: Tensor) -> Tensor:
    """Images in as many pixels as those of `like`, tokens in as many tokens."""
    from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d, pixel_unshuffle

    if like.ndim == 3:
        number = like.shape[1]
        return values if len(values[0]) == number else adaptive_avg_pool1d(values.mT, number).mT
    size, factor = like.shape[2:], max(1, values.shape[2] // like.shape[2])
    if all(own == to * factor for own, to in zip(values.shape[2:], size, strict=True)):
        return pixel_unshuffle(values, factor)
    return adaptive_avg_pool2d(values, (size[0], size[1]))
