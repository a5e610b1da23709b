"""What networks are scored by: the proxies that are measured of each, and those of them that make the score.

One engine and one formula serve every space (`aggregate.py`); which proxies they work with follows from what networks
work on. On feature maps, as convolutional networks do, the score has four members that see four sides of a network:
growth how much richer features become going forward, swap how many ways of responding its units have, jacov how well
gradients tell inputs apart on the way back, params how much can be learned. No side counts twice: naswot follows swap,
macs and synflow follow params, expressivity follows growth.

On tokens, as transformers do, features keep one width from the first layer to the last, so that nothing grows, and
attention mixes all tokens at initialisation already. What was measured of such networks told less than what is counted
(docs/results.md), so the score is of the two counts: params how much can be learned, macs how much is computed for an
input. Nothing is measured for it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from llmnas_mcp.errors import LabError
from llmnas_mcp.scoring.engine import OBSERVED
from llmnas_mcp.spaces import Dataset, Space

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Form:
    """observed: the proxies that are measured of every network. members: the proxies that make the score.

    lasting: those members that still tell better networks from good ones. swap and jacov tell poor ones: who has the
    patterns and the distinct gradients that it needs gains nothing by more of them (docs/results.md).
    """

    observed: tuple[str, ...]
    members: tuple[str, ...]
    lasting: tuple[str, ...] = ()


FEATURE_MAPS = Form(OBSERVED, ("growth", "swap", "jacov", "params"), ("growth", "params"))
TOKENS = Form((), ("params", "macs"))


@lru_cache(maxsize=32)
def form_of(space: Space, dataset: Dataset) -> Form:
    """The form for a space's networks: as the space says, else as its example turns out when it is run.

    >>> from llmnas_mcp.spaces import DATASETS, get_space
    >>> form_of(get_space("autoformer-tiny"), DATASETS["imagenet"]).members
    ('params', 'macs')
    """
    tokens = space.tokens
    if tokens is None:
        tokens = False
        with suppress(LabError):  # what cannot be built is told where it is measured
            tokens = _works_on_tokens(space, dataset)
    return TOKENS if tokens else FEATURE_MAPS


def _works_on_tokens(space: Space, dataset: Dataset) -> bool:
    """Whether more layers of a space's example put out tokens (batch, tokens, width) than feature maps."""
    import torch

    from llmnas_mcp.scoring.anatomy import layers_of
    from llmnas_mcp.spaces.counting import built, count_network, without_memory

    def look() -> bool:
        network = built(space, space.parse(space.example), dataset)
        dimensions: list[int] = []

        def note(_: nn.Module, __: Any, out: Any) -> None:
            if isinstance(out, torch.Tensor):
                dimensions.append(out.ndim)

        for layer in layers_of(network):
            layer.register_forward_hook(note)
        count_network(network, dataset, space.example)
        return dimensions.count(3) > dimensions.count(4)

    return without_memory(look)
