"""The parts of a network that proxies look at: layers, blocks, rectifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

# On or off by the sign of their input; called by the modules of the same names as by forward methods.
RECTIFIERS = {
    functional.relu,
    functional.relu6,
    functional.hardtanh,
    functional.leaky_relu,
    functional.leaky_relu_,
    functional.hardtanh_,
    functional.elu_,
    functional.selu,
    functional.celu,
    functional.mish,
    functional.prelu,
    functional.elu,
    functional.gelu,
    functional.silu,
    functional.hardswish,
    torch.relu,
    torch.relu_,
    Tensor.relu,
    Tensor.relu_,
}


def layers_of(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Its convolutions and linear layers."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """The largest parts of a network that follow one another: its convolutions and composite modules, seen from above.

    The network itself, containers, and wrappers around more than half of all convolutions are opened.
    """
    total = _convolutions(network)

    def parts(module: nn.Module) -> Iterator[nn.Module]:
        for child in module.children():
            container = isinstance(child, nn.Sequential | nn.ModuleList | nn.ModuleDict)
            composite = next(child.children(), None) is not None
            if container or (composite and 2 * _convolutions(child) > total):
                yield from parts(child)
            elif composite or isinstance(child, nn.Conv2d):
                yield child

    return list(parts(network))


def _convolutions(module: nn.Module) -> int:
    return sum(isinstance(part, nn.Conv2d) for part in module.modules())


class Rectifiers(TorchFunctionMode):
    """Inside, tells `note` the input of every rectifier before it works."""

    def __init__(self, note: Callable[[Any], None]) -> None:
        super().__init__()
        self._note = note

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in RECTIFIERS:
            self._note(args[0] if args else (kwargs or {}).get("input"))
        return func(*args, **(kwargs or {}))
