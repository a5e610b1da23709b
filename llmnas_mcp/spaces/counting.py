"""Complexity where a space has no formula: the network is built without memory, on the meta device, and counted."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from llmnas_mcp.errors import SpaceError
from llmnas_mcp.spaces.datasets import Dataset
from llmnas_mcp.spaces.mishaps import file_of, told

if TYPE_CHECKING:
    from torch import nn

    from llmnas_mcp.spaces.needed import Choices, Genotype

Found = TypeVar("Found")


class Count(NamedTuple):
    """Trainable parameters of a network, and multiply-accumulates of one forward pass of one input."""

    params: int
    macs: int


@lru_cache(maxsize=200_000)
def params(space: Choices, genotype: Genotype, dataset: Dataset) -> int:
    """The parameters alone, a tenth of what `count` takes: the network is built and not run. Raises as `count` does."""
    from torch.nn.parameter import is_lazy

    def own() -> int:
        network = built(space, genotype, dataset)
        if any(is_lazy(parameter) for parameter in network.parameters()):  # of a size that a forward pass tells
            return count(space, genotype, dataset).params
        return _trainable(network)

    return without_memory(own)


@lru_cache(maxsize=200_000)
def count(space: Choices, genotype: Genotype, dataset: Dataset) -> Count:
    """What a network of a space has; raises SpaceError, with architecture and line, where it can't be built or run."""

    def own() -> Count:
        network = built(space, genotype, dataset)
        return count_network(network, dataset, space.format(genotype), file_of(type(space)))

    return without_memory(own)


def without_memory(work: Callable[[], Found]) -> Found:
    """What `work` finds on the meta device; where that cannot be told there, on the CPU."""
    import torch

    try:
        with torch.device("meta"):
            return work()
    except SpaceError as error:
        if "meta" not in str(error).lower():
            raise
    # It looks at values while it is built or run, and on the meta device there are none: so it is built for real.
    with torch.device("cpu"), torch.random.fork_rng(devices=[]):
        return work()


def _trainable(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def built(space: Choices, genotype: Genotype, dataset: Dataset) -> nn.Module:
    """The network of a genotype on torch's default device; raises SpaceError where `build` gives none."""
    from torch import nn

    architecture = space.format(genotype)
    try:
        network = space.network(genotype, dataset)
    except (Exception, SystemExit) as error:
        raise SpaceError(
            f"build of space {space.name} fails for {architecture} and {dataset.name}:"
            f" {told(error, file_of(type(space)))}. Mend it, or leave out the choices for which it fails."
        ) from error
    if not isinstance(network, nn.Module):
        raise SpaceError(
            f"build of space {space.name} returns {_article(network)} for {architecture}, not a torch.nn.Module: end it"
            " with `return` and the network."
        )
    return network


def count_network(network: nn.Module, dataset: Dataset, name: str = "The network", file: str | None = None) -> Count:
    """Counts convolutions, products of matrices and attention, by torch's counter; the network must be fresh.

    Its device is torch's default one. Raises SpaceError where it does not take inputs of the dataset to one number for
    each class; `name` is what it is called there, `file` the user's, of which the line is told.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    inputs = f"{dataset.channels} x {dataset.resolution} x {dataset.resolution}"
    images = torch.zeros(1, dataset.channels, dataset.resolution, dataset.resolution)
    try:
        with torch.no_grad(), plain_attention(), FlopCounterMode(display=False) as counter:
            output = network.eval()(images)
    except (Exception, SystemExit) as error:
        raise SpaceError(
            f"{name}: the network takes no input of {dataset.name} ({inputs}): {told(error, file)}"
            f"{_layer(network, error)}."
            " Check that the shapes of its layers follow from each other for every choice."
        ) from error
    if not isinstance(output, torch.Tensor):
        raise SpaceError(f"{name}: the network gives {_article(output)}, not a tensor of one number for each class.")
    if tuple(output.shape) != (1, dataset.classes):
        raise SpaceError(
            f"{name}: of one input of {dataset.name} ({inputs}) the network gives shape {tuple(output.shape)}, not"
            f" (1, {dataset.classes}), one number for each class: pool to one vector, and end in dataset.classes"
            " outputs."
        )
    return Count(_trainable(network), counter.get_total_flops() // 2)


@contextmanager
def plain_attention() -> Iterator[None]:
    """Inside, attention is the matrix products it consists of: fused kernels are not all counted, nor derived twice."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _layer(network: nn.Module, error: BaseException) -> str:
    """The innermost part of a network that an exception passed through."""
    names = {id(module): name for name, module in network.named_modules()}
    frames = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    layer = next((one for one in reversed(frames) if names.get(id(one))), None)
    return "" if layer is None else f", in its layer {names[id(layer)]}, {' '.join(repr(layer).split())[:120]}"


def _article(value: object) -> str:
    return "nothing (None)" if value is None else f"a value of type {type(value).__name__}"
