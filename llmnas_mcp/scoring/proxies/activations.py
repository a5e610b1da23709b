"""How the units of a network respond to different inputs. All read the one forward pass, zen two of its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from llmnas_mcp.errors import UnscorableError

if TYPE_CHECKING:
    from llmnas_mcp.scoring.observation import Observation

SWAP_SIZE = 1.5e6  # parameters of about the largest NAS-Bench-201 network: reg_swap prefers networks of that size


def naswot(seen: Observation) -> float:
    """How differently rectifiers fire for different inputs: log det(K + I).

    K, shape (batch, batch), counts the rectifiers on or off alike for two inputs. Inputs that no rectifier tells apart
    would make log det K minus infinity; adding I, one unit against tens of thousands, keeps it finite and changes
    nothing else. Mellor et al. 2021 (arXiv 2006.04647), eq. 2.
    Higher is better. Cost: the forward pass, O(batch^2 units).
    """
    agreement = seen.agreement.numpy()
    return float(np.linalg.slogdet(agreement + np.eye(len(agreement)))[1])


def swap(seen: Observation) -> float:
    """How many different patterns over the first 16 images of the batch the rectifiers show, at most 2^16.

    Peng et al. 2024 (arXiv 2403.04161), def. 3.2: sample-wise activation patterns.
    Higher is better. Cost: the forward pass, O(units).
    """
    shown = np.zeros(2**16, bool)
    for values in seen.rectified:
        on = (values.detach()[:16] > 0).flatten(1).cpu().numpy()
        code = np.zeros(on.shape[1], np.uint16)
        for image in on:
            code = 2 * code + image
        shown[code] = True
    return float(shown.sum())


def reg_swap(seen: Observation) -> float:
    """swap, regularised by size: log(1 + swap) - ((params - m) / m)^2, m = SWAP_SIZE.

    Peng et al. 2024, eq. 6, multiplies swap by exp(-(params - mu)^2 / sigma) with mu and sigma to choose; this is its
    logarithm, which does not underflow. Higher is better. Cost: as swap.
    """
    from llmnas_mcp.scoring.proxies.counts import params

    return math.log1p(swap(seen)) - ((params(seen) - SWAP_SIZE) / SWAP_SIZE) ** 2


def meco(seen: Observation) -> float:
    """Sum over convolutions of the least eigenvalue of the correlation of their output channels, for the first image.

    Of nn.Conv2d alone, where the authors' code takes every module; 0 where there is none. Channels without variance
    correlate with nothing. Jiang et al. 2023 ("MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum
    Eigenvalue of Correlation", NeurIPS), eq. 5.
    Higher is better. Cost: the forward pass.
    """
    import torch

    total = 0.0
    for _, out in seen.calls:
        # No more pixels than channels: less their means they span fewer dimensions, so the least eigenvalue is 0.
        if out.ndim == 4 and out.shape[2] * out.shape[3] > out.shape[1]:
            rows = out.detach()[0].flatten(1).double()
            rows = rows - rows.mean(1, keepdim=True)
            lengths = rows.norm(dim=1, keepdim=True)
            rows = rows / lengths.clamp(min=torch.finfo(torch.float64).tiny)
            total += float(torch.linalg.eigvalsh(rows @ rows.T)[0])
    return total


def zen(seen: Observation) -> float:
    """How far the last feature map of more than one pixel moves with the input, and what normalisation took out.

    log of the mean over images of sum |f(x) - f(x + 0.01 e)|, plus the sum over batch normalisations of log sqrt(mean
    variance of their input), with x, e and all weights standard normal. Lin et al. 2021 (arXiv 2102.01063), algorithm
    1, one repetition; residual connections stay. Raises UnscorableError for a network that works mostly on tokens: what
    comes after its last feature map, and its layer normalisation, would not count.
    Higher is better. Cost: two forward passes.
    """
    import torch
    from torch import Tensor, nn
    from torch.nn.modules.batchnorm import _BatchNorm

    from llmnas_mcp.scoring.copies import gaussian

    dimensions = [out.ndim for _, out in seen.calls]
    if dimensions.count(3) > dimensions.count(4):
        raise UnscorableError("works on tokens in most of its layers, and zen looks at feature maps: leave out zen.")
    network = gaussian(seen.original, seen.device, seen.seed)
    generator = torch.Generator().manual_seed(seen.seed)
    x, e = (torch.randn(seen.images.shape, generator=generator).to(seen.device) for _ in range(2))
    maps: list[Tensor] = []
    scales: list[float] = []

    def note_map(_: nn.Module, __: object, out: object) -> None:
        if isinstance(out, Tensor) and out.ndim == 4 and out.shape[2] * out.shape[3] > 1:
            maps[-1:] = [out.clone()]  # the network may go on in place

    def note_scale(module: nn.Module, args: tuple[Tensor]) -> None:
        values = args[0].transpose(0, 1).flatten(1)
        variance = values.var(1, correction=0).mean()
        scales.append(math.log(float(variance) + module.eps) / 2)  # type: ignore[operator]

    for module in network.modules():
        if next(module.children(), None) is None:
            module.register_forward_hook(note_map)
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    with torch.no_grad():
        scaling = [norm.register_forward_pre_hook(note_scale) for norm in norms]
        seen.forward(x, network)
        for hook in scaling:
            hook.remove()
        if not maps:
            raise UnscorableError("puts out no feature map: leave out zen.")
        first = maps[0]
        seen.forward(x + 0.01 * e, network)
    return math.log(float((first - maps[0]).abs().sum((1, 2, 3)).mean()) + 1e-12) + sum(scales)
