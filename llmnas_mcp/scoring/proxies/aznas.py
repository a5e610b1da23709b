"""The parts of AZ-NAS (Lee and Ham, CVPR 2024, arXiv 2403.19232), read off the outputs of a network's blocks.

The fourth, complexity, is macs. `growth` is ours, of the same material. The authors look with Gaussian noise at
weights drawn anew by He's rule; here inputs are crops of a photograph and weights the network's own.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    return min(after - before for before, after in pairwise(seen.entropies))


def growth(seen: Observation) -> float:
    """The sum of the increases of that entropy over blocks that keep the shape of their input. Of this project.

    Higher is better. Cost: the forward pass.

    Where progressivity takes the least increase, one noisy number, this takes all; blocks that change channels or size
    are left out, because the entropy they bring is of the new shape, not of the design.
    """
    pairs = zip(pairwise(seen.blocks), pairwise(seen.entropies), strict=True)
    return sum((after - before for (x, y), (before, after) in pairs if x.shape == y.shape), 0.0)


def trainability(seen: Observation) -> float:
    """Mean over blocks of 2 - s - 1 / s: 0, the best, where a block passes gradients on at their length.

    s is the largest singular value of a block's Jacobian between channels, estimated by sending random signs back
    through the block. An input larger by a whole factor is compared pixel by unshuffled pixel, of any other size by
    averages. Eq. 6 to 8.
    Higher is better. Cost: a backward pass from block to block.
    """
    import torch
    from torch.nn.functional import adaptive_avg_pool2d, pixel_unshuffle

    from llmnas_mcp.scoring.observation import gradients

    generator = torch.Generator().manual_seed(seen.seed)
    scores = []
    for before, after in pairwise(seen.blocks):
        signs = torch.randint(0, 2, after.shape, generator=generator).to(after) * 2 - 1
        (back,) = gradients(after, [before], signs)
        size, factor = (after.shape[2], after.shape[3]), max(1, before.shape[2] // after.shape[2])
        if all(b == a * factor for b, a in zip(before.shape[2:], size, strict=True)):
            back = pixel_unshuffle(back, factor)
        else:
            back = adaptive_avg_pool2d(back, size)
        if back.shape == signs.shape and torch.equal(back, signs):
            scores.append(IDENTITY)
            continue
        rows, columns = (x.transpose(0, 1).flatten(1) for x in (back, signs))
        s = float(torch.linalg.matrix_norm((rows @ columns.T) / columns.shape[1], 2))
        scores.append(2 - s - 1 / (s + 1e-6))
    return sum(scores) / len(scores)
