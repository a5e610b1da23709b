"""AutoFormer's vision transformer with relative positions, in torch (Chen et al., ICCV 2021, arXiv 2107.00651).

An image is cut into patches of 16 x 16 pixels, each of which becomes a token; a class token is put before them. Then
come layers of multi-head attention and an MLP, at last the mean over the patches and a linear classifier. Each layer
has its own number of heads, of 64 features each, and its own MLP ratio: the width of the MLP by the embedding
dimension.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

PATCH, HEAD = 16, 64  # pixels a side of a patch; features of an attention head
FARTHEST = 14  # distance in patches from which on all distances count alike


class RelativePositions(nn.Module):
    """A learned vector of a head's width for every pair of tokens, by the distance of their patches."""

    rows: Tensor
    columns: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        self.by_rows = nn.Parameter(torch.empty(2 * FARTHEST + 2, HEAD))
        self.by_columns = nn.Parameter(torch.empty(2 * FARTHEST + 2, HEAD))
        patch = torch.arange(side * side)
        for name, place in (("rows", patch // side), ("columns", patch % side)):
            distance = (place[None, :] - place[:, None]).clamp(-FARTHEST, FARTHEST) + FARTHEST + 1
            # The class token lies nowhere in the image: pairs with it have the index 0.
            self.register_buffer(name, nn.functional.pad(distance, (1, 0, 1, 0)), persistent=False)
        for table in (self.by_rows, self.by_columns):
            nn.init.trunc_normal_(table, std=0.02)

    def forward(self) -> Tensor:
        """(tokens, tokens, HEAD): from each query's token (first) to each key's (second)."""
        vectors: Tensor = self.by_rows[self.rows] + self.by_columns[self.columns]
        return vectors


class Attention(nn.Module):
    """Multi-head self-attention in which relative positions are added to keys and to values."""

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * HEAD * heads)
        self.key_positions, self.value_positions = RelativePositions(side), RelativePositions(side)
        self.out = nn.Linear(HEAD * heads, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same shape."""
        batch, tokens, _ = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, HEAD).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) + torch.einsum("bhqd,qkd->bhqk", q, self.key_positions())
        weights = (scores * HEAD**-0.5).softmax(-1)
        found = weights @ v + torch.einsum("bhqk,qkd->bhqd", weights, self.value_positions())
        out: Tensor = self.out(found.transpose(1, 2).reshape(batch, tokens, -1))
        return out


class Residual(nn.Module):
    """Adds to its input what `inside` makes of the normalised input."""

    def __init__(self, width: int, inside: nn.Module) -> None:
        super().__init__()
        self.norm, self.inside = nn.LayerNorm(width), inside

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same shape."""
        out: Tensor = x + self.inside(self.norm(x))
        return out


def layer(width: int, heads: int, hidden: int, side: int) -> nn.Module:
    """Attention, then an MLP of `hidden` units, each with a residual: (batch, tokens, width) -> the same shape."""
    mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
    return nn.Sequential(Residual(width, Attention(width, heads, side)), Residual(width, mlp))


class Network(nn.Module):
    """A whole classifier. width: the embedding dimension; layers: number of heads and MLP ratio of each layer."""

    def __init__(
        self, width: int, layers: Sequence[tuple[int, float]], *, resolution: int, classes: int, channels: int = 3
    ) -> None:
        super().__init__()
        side = resolution // PATCH
        self.patches = nn.Conv2d(channels, width, PATCH, stride=PATCH)
        self.class_token = nn.Parameter(torch.empty(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, side * side + 1, width))
        self.layers = nn.Sequential(*(layer(width, heads, int(width * ratio), side) for heads, ratio in layers))
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, classes)
        for table in (self.class_token, self.positions):
            nn.init.trunc_normal_(table, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, resolution, resolution) -> logits (batch, classes)."""
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(x.shape[0], -1, -1), tokens], 1) + self.positions
        logits: Tensor = self.classifier(self.norm(self.layers(tokens))[:, 1:].mean(1))
        return logits
