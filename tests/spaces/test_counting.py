"""Parameters and multiply-accumulates of networks that have no formula."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from llmnas_mcp.spaces import Dataset, Space
from llmnas_mcp.spaces.counting import count, params
from llmnas_mcp.spaces.registry import load_space
from tests.spaces.own import BUILD, CHOICES, CIFAR10, HEAD, NAME, SMALL, Write


def test_a_network_that_looks_at_values_while_it_is_built_is_built_for_real(write_space: Write) -> None:
    rate = "        rate = torch.linspace(0, 0.1, 3)[1].item()\n        return"
    text = BUILD.replace("        return", rate).replace("nn.Flatten(), ", "nn.Flatten(), nn.Dropout(rate), ")
    space = load_space(write_space(HEAD + NAME + CHOICES + text))
    plain = load_space(write_space(file="plain.py"))
    state = torch.get_rng_state()
    assert count(space, (1, 1), CIFAR10) == count(plain, (1, 1), CIFAR10)
    assert params(space, (1, 1), CIFAR10) == params(plain, (1, 1), CIFAR10) == count(plain, (1, 1), CIFAR10).params
    assert torch.equal(torch.get_rng_state(), state)


def test_layers_that_find_their_size_in_a_forward_pass_are_counted(write_space: Write) -> None:
    lazy = BUILD.replace("nn.Linear(width, ", "nn.LazyLinear(")
    lazy = lazy.replace("nn.Conv2d(width, width, 1)", "nn.LazyConv2d(width, 1)")
    space, plain = load_space(write_space(HEAD + NAME + CHOICES + lazy)), load_space(write_space(file="plain.py"))
    assert params(space, (1, 1), CIFAR10) == params(plain, (1, 1), CIFAR10)
    assert count(space, (1, 1), CIFAR10) == count(plain, (1, 1), CIFAR10)


class Attentive(nn.Module):
    """A patch embedding, an attention with its projections, a classifier."""

    def __init__(self, heads: int, weights: bool) -> None:
        super().__init__()
        self.weights = weights
        self.embed = nn.Conv2d(3, 16, 4, stride=4)
        self.attention = nn.MultiheadAttention(16, heads, batch_first=True)
        self.narrow = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.classes = nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        tokens = self.attention(tokens, tokens, tokens, need_weights=self.weights)[0]
        return self.classes(self.narrow(tokens.transpose(1, 2).unflatten(2, (2, 2))).mean((2, 3)))


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("values_needed", [True, False], ids=["on the CPU", "on the meta device"])
@pytest.mark.parametrize("training", [True, False])
def test_attention_is_counted_with_its_projections(weights: bool, values_needed: bool, training: bool) -> None:
    class Attending(Space):
        name = "attending"
        choices: ClassVar = {"heads": (2, 4)}

        def build(self, chosen: Any, dataset: Dataset) -> nn.Module:  # noqa: ARG002
            if values_needed:
                torch.zeros(1).item()
            network = Attentive(chosen["heads"], weights)
            if training:
                network.eval = lambda: network  # type: ignore[method-assign]
            return network

    tokens, width = 4, 16
    embed, narrow, classes = tokens * 16 * 3 * 4 * 4, tokens * 16 * (16 // 4) * 9, 16 * 3
    attention = 4 * tokens * width * width + 2 * tokens * tokens * width
    params = (16 * 48 + 16) + (4 * 16 * 16 + 4 * 16) + (16 * 4 * 9 + 16) + (16 * 3 + 3)
    assert count(Attending(), (1,), SMALL) == (params, embed + attention + narrow + classes)


def test_an_encoder_layer_is_counted_in_eval_mode_too() -> None:
    class Encoding(Space):
        name = "encoding"
        choices: ClassVar = {"width": (8, 16)}

        def build(self, chosen: Any, dataset: Dataset) -> nn.Module:  # noqa: ARG002
            width = chosen["width"]
            layer = nn.TransformerEncoderLayer(width, 2, 32, batch_first=True)
            patches = nn.Sequential(nn.Conv2d(3, width, 4, stride=4), nn.Flatten(2))
            last = nn.Sequential(nn.Flatten(1), nn.Linear(4 * width, 3))
            return nn.Sequential(patches, Transposed(), layer, last)

    hand = 4 * 16 * 48 + (4 * 4 * 16 * 16 + 2 * 4 * 4 * 16) + 2 * 4 * 16 * 32 + 64 * 3
    assert count(Encoding(), (1,), SMALL).macs == hand


class Transposed(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(1, 2)
