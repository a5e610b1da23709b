"""Copies of a network to look at, so that the network itself stays as it is."""

from __future__ import annotations

import copy
from contextlib import suppress

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils import parametrize

from llmnas_mcp.errors import UnscorableError
from llmnas_mcp.scoring.anatomy import layers_of

NORMALISATIONS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


def working_copy(network: nn.Module, device: torch.device) -> nn.Module:
    """A copy in float32 and training mode that keeps what is noted of it: plain weights, no work in place."""
    try:
        copied = copy.deepcopy(network).to(device).float()
        copied.train()
    except Exception as error:  # all of these run methods of the network's own, which may raise anything
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UnscorableError(f"cannot be copied; pass it as built, before any forward pass: {what}") from error
    for layer in layers_of(copied):
        if parametrize.is_parametrized(layer):
            _make_plain(layer)
    for module in copied.modules():
        if getattr(module, "inplace", False) is True:
            with suppress(AttributeError, RuntimeError):  # not to be set: a second pass will note copies
                module.inplace = False  # type: ignore[assignment]
    return copied


def _make_plain(layer: nn.Module) -> None:
    """Give a parametrised layer parameters of its own: theirs are made anew each time they are asked for.

    torch's remove_parametrizations takes the property off the class, which the original shares with its copy.
    """
    values = {name: getattr(layer, name).detach() for name in layer.parametrizations}  # type: ignore[union-attr]
    layer.__class__ = type(layer).__bases__[0]
    del layer.parametrizations
    for name, value in values.items():
        layer.register_parameter(name, nn.Parameter(value))


def linearised(network: nn.Module, device: torch.device) -> nn.Module:
    """A copy in float64 with parameters made positive and normalisation bypassed, as synflow looks at it."""
    copied = working_copy(network, device).double().requires_grad_(False)
    for module in copied.modules():
        if isinstance(module, NORMALISATIONS):
            module.forward = nn.Identity().forward  # type: ignore[method-assign]
    for parameter in copied.parameters():
        parameter.abs_()
    return copied


def gaussian(network: nn.Module, device: torch.device, seed: int) -> nn.Module:
    """A copy with standard normal weights, no biases and neutral normalisation, as zen looks at it."""
    copied = working_copy(network, device).requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for module in copied.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.copy_(torch.randn(module.weight.shape, generator=generator))
        elif isinstance(module, NORMALISATIONS) and module.weight is not None:
            module.weight.fill_(1.0)
        bias = getattr(module, "bias", None)
        if isinstance(bias, Tensor):
            bias.zero_()
    return copied
