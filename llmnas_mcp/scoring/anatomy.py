"""The parts of a network that proxies look at: layers, weights, blocks, rectifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

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

CONVOLUTIONS = {functional.conv1d, functional.conv2d, functional.conv3d}
PRODUCTS = {
    *(torch.matmul, torch.bmm, torch.mm, torch.einsum, torch.tensordot, torch.addmm, torch.baddbmm),
    *(Tensor.matmul, Tensor.bmm, Tensor.mm, Tensor.__matmul__, Tensor.__rmatmul__),
}
ATTENTION = {functional.scaled_dot_product_attention, functional.multi_head_attention_forward}
MULTIPLIERS = {  # beside convolutions and linear layers
    *(functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d),
    *PRODUCTS,
    *ATTENTION,
}


def layers_of(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Its convolutions and linear layers."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def weights_of(network: nn.Module) -> list[Tensor]:
    """The weights of its layers, and the projections of each nn.MultiheadAttention, which are no layers."""
    found = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            found.append(module.weight)
        elif isinstance(module, nn.MultiheadAttention):
            projections = (module.in_proj_weight, module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
            found += [weight for weight in projections if weight is not None]
    return found


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """The largest parts of a network that follow one another: its convolutions and composite modules, seen from above.

    The network itself and containers are opened, and wrappers around more than half of all convolutions, or of all
    convolutions and linear layers. A linear layer that stands alone is no block: it embeds or classifies.
    """
    convolutions, layers = _count(network, nn.Conv2d), _count(network, nn.Conv2d, nn.Linear)

    def parts(module: nn.Module) -> Iterator[nn.Module]:
        for child in module.children():
            if isinstance(child, nn.Sequential | nn.ModuleList | nn.ModuleDict):
                yield from parts(child)
            elif next(child.children(), None) is None:
                if isinstance(child, nn.Conv2d):
                    yield child
            elif 2 * _count(child, nn.Conv2d) > convolutions or 2 * _count(child, nn.Conv2d, nn.Linear) > layers:
                yield from parts(child)
            else:
                yield child

    return list(parts(network))


def _count(module: nn.Module, *kinds: type[nn.Module]) -> int:
    return sum(isinstance(part, kinds) for part in module.modules())


def by_feature(values: Tensor) -> Tensor:
    """Features first, (features, positions of all inputs): images have theirs second, tokens (..., features) last.

    >>> by_feature(torch.zeros(2, 3, 4, 5)).shape, by_feature(torch.zeros(2, 6, 7)).shape
    (torch.Size([3, 40]), torch.Size([7, 12]))
    """
    return values.transpose(0, 1).flatten(1) if values.ndim == 4 else values.flatten(0, -2).T


class Functions(TorchFunctionMode):
    """Inside, tells `note` the input of every rectifier before it works, and counts multiply-accumulates in `macs`.

    Those of convolutions and matrix products are counted, attention's included.
    """

    def __init__(self, note: Callable[[Any], None]) -> None:
        super().__init__()
        self._note = note
        self._of_layers = 0
        self._products = _Products()

    @property
    def macs(self) -> int:
        """Multiply-accumulates so far."""
        return self._of_layers + self._products.macs

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in RECTIFIERS:
            self._note(args[0] if args else kwargs.get("input"))
        if func in MULTIPLIERS:
            with self._products:
                return func(*args, **kwargs)
        out = func(*args, **kwargs)
        if func is functional.linear or func in CONVOLUTIONS:
            weight = args[1] if len(args) > 1 else kwargs["weight"]
            self._of_layers += out.numel() * weight[0].numel()
        return out


class _Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts multiply-accumulates by looking at every operation inside, which takes time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if count := flop_registry.get(func._overloadpacket):
            self.macs += count(*args, **kwargs, out_val=out) // 2  # torch counts both operations of each
        return out
