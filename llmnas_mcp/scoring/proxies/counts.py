"""What can be counted without looking at values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmnas_mcp.scoring.observation import Observation


def params(seen: Observation) -> float:
    """Trainable parameters. Higher is better. Cost: none."""
    return float(sum(p.numel() for p in seen.original.parameters() if p.requires_grad))


def macs(seen: Observation) -> float:
    """Multiply-accumulates of convolutions and matrix products, those of attention included, for one image.

    Higher is better. Cost: the forward pass.

    AZ-NAS names the same number `complexity`.
    """
    return seen.macs
