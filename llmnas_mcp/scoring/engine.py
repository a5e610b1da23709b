"""Observes a network at initialisation: one forward and one backward pass serve naswot and jacov, another pair synflow.

Everything random comes from one explicit seed: a network has the same values alone, among others, and in any order.
The caller's random state stays as it was.

Of a dataset only the resolution enters. The number of classes would change nothing but the random direction in which
the classifier mixes the same features, so every network is looked at with one size of head.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.scoring.proxies import OBSERVED, Observation
from llmnas_mcp.spaces import Dataset, Genotype, SearchSpace

if TYPE_CHECKING:
    from torch import Tensor, nn

VERSION = 1  # raise it with anything that changes a value: atlases and kept samples are valid for one version only
SEED = 2510
# Cost is linear in the batch and in the number of initialisations. On samples of 80 to 200 NAS-Bench-201 cells 8 inputs
# ranked worse, 32 hardly better, and the mean over two initialisations gained 0 to 0.01 of Spearman's correlation.
BATCH = 16
CLASSES = 10

_SEEDING = Lock()  # torch initialises modules from one global generator: no two threads at a time


def settings() -> dict[str, object]:
    """What the values depend on, as an atlas records it."""
    proxies = [proxy.name for proxy in OBSERVED]
    return {
        "version": VERSION,
        "seed": SEED,
        "batch": BATCH,
        "classes": CLASSES,
        "proxies": proxies,
    }


@lru_cache(maxsize=65_536)
def measure(space: SearchSpace, genotype: Genotype, resolution: int) -> tuple[float, ...]:
    """The proxies of the network a genotype describes, for inputs of that resolution, in the order of OBSERVED.

    A NAS-Bench-201 cell at 32x32 takes about 0.3 s on one core.
    """
    network = build(space, genotype, resolution)
    agreement, jacobian = responses(network, pink_noise(resolution))
    seen = Observation(agreement, jacobian, synaptic_flow(network, resolution))
    return tuple(proxy.measure(seen) for proxy in OBSERVED if proxy.measure)


def build(space: SearchSpace, genotype: Genotype, resolution: int) -> nn.Module:
    """The network of a genotype, initialised from SEED, on the GPU where there is one."""
    import torch

    with _SEEDING, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        network = space.network(genotype, Dataset("noise", resolution, CLASSES))
    return network.to("cuda" if torch.cuda.is_available() else "cpu")


def pink_noise(resolution: int) -> Tensor:
    """Gaussian noise with the spectrum of natural images: (BATCH, 3, resolution, resolution), unit deviation each.

    Amplitudes fall as 1 / frequency (Field 1987, doi 10.1364/JOSAA.4.002379). White noise all but vanishes in the first
    average pooling, and ranks networks less like their accuracy and less alike from one seed to the next.
    """
    import torch

    white = torch.randn(BATCH, 3, resolution, resolution, generator=torch.Generator().manual_seed(SEED))
    along = torch.fft.fftfreq(resolution)
    frequency = torch.hypot(along[:, None], along[None, :]).clamp(min=1 / resolution)
    pink = torch.fft.ifft2(torch.fft.fft2(white) / frequency).real
    images: Tensor = pink / pink.std(dim=(1, 2, 3), keepdim=True)
    return images


def responses(network: nn.Module, images: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ReLU agreement (batch, batch) and Jacobian (batch, pixels) of a network, as an Observation has them.

    Batch normalisation works on the batch, as in the papers' code; the network's running statistics are lost.
    """
    import torch
    from torch import nn

    agreement = np.zeros((len(images), len(images)))

    def count(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        nonlocal agreement
        on = (args[0] > 0).flatten(1).float()
        both, each = on @ on.T, on.sum(1)
        agreement = agreement + (2 * both - each - each[:, None] + on.shape[1]).double().cpu().numpy()

    network.train().requires_grad_(False)
    hooks = [m.register_forward_pre_hook(count) for m in network.modules() if isinstance(m, nn.ReLU)]
    inputs = images.to(next(network.parameters()).device).requires_grad_()
    # The added zero ties the output to the inputs where the cell itself computes nothing.
    (gradient,) = torch.autograd.grad(network(inputs).sum() + 0 * inputs.sum(), inputs)
    for hook in hooks:
        hook.remove()
    return agreement, gradient.flatten(1).double().cpu().numpy()


def synaptic_flow(network: nn.Module, resolution: int) -> float:
    """Sum of |weight| x gradient of the output for an input of ones, all weights made positive and no normalisation.

    In float64, whose range the product over some fifty layers does not leave. The network is used up.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    network.double().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_hook(lambda _, args, __: args[0])
    weights = [p.abs_().requires_grad_() for p in network.parameters() if p.dim() > 1]
    ones = torch.ones(1, 3, resolution, resolution, dtype=torch.float64, device=weights[0].device)
    gradients = torch.autograd.grad(network(ones).sum(), weights, allow_unused=True)
    flows = [(w.detach() * g).sum() for w, g in zip(weights, gradients, strict=True) if g is not None]
    return float(sum(flows))
