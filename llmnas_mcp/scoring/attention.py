"""Which weights of a network are its attention's and which its MLPs', by what it computes, not by names of modules.

Attention is a softmax of a product of two things that layers computed (queries and keys), which then weighs a third
(values). Its weights are those of the layers that these three come from directly, those of layers between the product
and the weighing, and those of the next layer, the output projection. torch's own attention functions are attention
too. So it makes no difference whether the layers stand in a module of attention, in a block with the MLP, or in
nn.MultiheadAttention, which has no layers for its projections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from llmnas_mcp.scoring.anatomy import ATTENTION, CONVOLUTIONS, PRODUCTS

LAYERS = {functional.linear, *CONVOLUTIONS}
SOFTMAX = {functional.softmax, torch.softmax, Tensor.softmax}
QUERY_AND_KEY = {"query", "key", "q_proj_weight", "k_proj_weight"}  # arguments of ATTENTION


class Stage(IntEnum):
    """How far on the way through attention a tensor is."""

    BEFORE = 0
    PRODUCT = 1  # of queries and keys
    SOFTMAX = 2  # of that
    WEIGHED = 3  # values, to be projected


class Origin(NamedTuple):
    """What a tensor comes from: the layers right before it (ids of their weights), none where several were added up."""

    layers: frozenset[int] = frozenset()
    stage: Stage = Stage.BEFORE


class AttentionTracker(TorchFunctionMode):
    """Inside, a network that is run tells its weights: those of `attention`, and of `mlps`, linear layers on tokens.

    No MLP's is the weight of a layer that computes on the input itself, as one that embeds patches does.
    """

    def __init__(self) -> None:
        super().__init__()
        self._weights: dict[int, Tensor] = {}  # by id, as all below
        self._attention: set[int] = set()
        self._linear: set[int] = set()
        self._origins: dict[int, tuple[Tensor, Origin]] = {}  # with the tensor, so that its id stays its own

    @property
    def attention(self) -> list[Tensor]:
        """Weights of attention, in the order of their use, each once."""
        return [weight for key, weight in self._weights.items() if key in self._attention]

    @property
    def mlps(self) -> list[Tensor]:
        """Weights of MLPs, in the order of their use, each once."""
        return [weight for key, weight in self._weights.items() if key in self._linear - self._attention]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given = list(_tensors([args, kwargs]))
        known = [self._origins[id(x)][1] for x in given if id(x) in self._origins]
        origin = self._origin(func, given, known, out)
        if origin is not None:
            for x in _tensors(out):
                self._origins[id(x)] = x, origin
        return out

    def _origin(self, func: Any, given: list[Tensor], known: list[Origin], out: Any) -> Origin | None:
        """Where the output of a function comes from; None where no layer is before it."""
        stage = max((origin.stage for origin in known), default=Stage.BEFORE)
        layers = frozenset().union(*(origin.layers for origin in known))
        if func in LAYERS:
            own = self._named(given[1:2])
            if stage in (Stage.PRODUCT, Stage.SOFTMAX):
                return Origin(layers | own, stage)
            if stage is Stage.WEIGHED:
                self._attention |= own
            elif func is functional.linear and known and out.ndim > 2:
                self._linear |= own
            return Origin(own)
        if func is functional.multi_head_attention_forward:
            self._attention |= self._named(x for x in given if isinstance(x, nn.Parameter) and x.ndim == 2)
            return Origin()
        if not known:
            return None
        if func is functional.scaled_dot_product_attention or (func in PRODUCTS and stage is Stage.SOFTMAX):
            self._attention |= layers
            return Origin(stage=Stage.WEIGHED)
        if func in SOFTMAX and stage is Stage.PRODUCT:
            return Origin(layers, Stage.SOFTMAX)
        if func in PRODUCTS and stage is Stage.BEFORE and len(known) > 1:
            return Origin(layers, Stage.PRODUCT)
        if stage in (Stage.PRODUCT, Stage.SOFTMAX):
            return Origin(layers, stage)
        # What is added to something else, as in a residual connection, comes from no layer directly.
        return known[0] if all(origin == known[0] for origin in known) else Origin()

    def _named(self, weights: Iterable[Tensor]) -> frozenset[int]:
        """The ids of weights, which are kept."""
        own = {id(weight): weight for weight in weights}
        self._weights = self._weights | own
        return frozenset(own)


class ConstantAttention(AttentionTracker):
    """Inside, what attention weighs values by is a constant: no gradient passes through its softmax.

    What is added up along the way through a network as a flow, as by synflow, then stays the same from layer to layer.
    Through the softmax of a network without normalisation come rounding errors, larger than the flow by any factor.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in ATTENTION:  # query and key come first; so do their projections
            args = [x.detach() if i < 2 else x for i, x in enumerate(args)]
            kwargs = {name: x.detach() if name in QUERY_AND_KEY and x is not None else x for name, x in kwargs.items()}
            if func is functional.multi_head_attention_forward and args[5] is not None:
                query, key, value = args[5].chunk(3)
                args[5] = torch.cat([query.detach(), key.detach(), value])
        out = super().__torch_function__(func, types, args, kwargs)
        if func in SOFTMAX and (known := self._origins.get(id(out))) and known[1].stage is Stage.SOFTMAX:
            out = out.detach()
            self._origins[id(out)] = out, known[1]
        return out


def _tensors(of: Any) -> Iterator[Tensor]:
    if isinstance(of, Tensor):
        yield of
    elif isinstance(of, dict):
        yield from _tensors(list(of.values()))
    elif isinstance(of, list | tuple):
        for part in of:
            yield from _tensors(part)
