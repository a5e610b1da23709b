"""Which weights are attention's and which are MLPs', however the network is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from llmnas_mcp.scoring.attention import AttentionTracker
from tests.scoring import handmade


def told(network: nn.Module, images: Tensor) -> tuple[set[str], set[str]]:
    """The names of the weights of attention, and of those of MLPs."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    with AttentionTracker() as tracker:
        network(images)
    return {names[id(weight)] for weight in tracker.attention}, {names[id(weight)] for weight in tracker.mlps}


class Parts(nn.Module):
    """Tokens by a convolution, what `between` makes of them with named layers, and a classifier of their mean."""

    def __init__(self, between: Callable[[Parts, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.patches, self.head = nn.Conv2d(3, 8, 2, stride=2), nn.Linear(8, 10)
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.between(self, self.patches(x).flatten(2).transpose(1, 2)).mean(1))


def linear(*names: str) -> dict[str, nn.Module]:
    return {name: nn.Linear(8, 8) for name in names}


def attended(own: Parts, x: Tensor) -> Tensor:
    return (own.q(x) @ own.k(x).mT).softmax(-1) @ own.v(x)


def head_by_head(own: Parts, x: Tensor) -> Tensor:
    """A head after the other, with a mask and dropout."""
    heads = []
    for q, k, v in zip(own.q(x).split(4, 2), own.k(x).split(4, 2), own.v(x).split(4, 2), strict=True):
        scores = torch.bmm(q, k.transpose(1, 2)).masked_fill(torch.eye(16) > 0, -1e9)
        heads.append(functional.dropout(torch.softmax(scores / 2, dim=-1), 0.1).bmm(v))
    return x + own.out(torch.cat(heads, -1))


def talking(own: Parts, x: Tensor) -> Tensor:
    """Heads are mixed by layers, before and after the softmax."""
    q, k, v = (layer(x).unflatten(2, (2, 4)).transpose(1, 2) for layer in (own.q, own.k, own.v))
    scores = own.before((q @ k.mT).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    weights = own.after(scores.softmax(-1).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return own.out((weights @ v).transpose(1, 2).flatten(2))


def by_convolutions(own: Parts, x: Tensor) -> Tensor:
    image = x.mT.unflatten(2, (4, 4))
    q, k, v = own.qkv(image).flatten(2).chunk(3, 1)
    found = v @ (q.mT @ k).softmax(-1).mT
    return own.out(found.unflatten(2, (4, 4))).flatten(2).mT


ATTENTION: dict[str, tuple[Parts, set[str], set[str]]] = {
    "a layer each for queries, keys and values": (
        Parts(lambda own, x: own.mlp(x + own.out(attended(own, x))), **linear("q", "k", "v", "out", "mlp")),
        {"q", "k", "v", "out"},
        {"mlp"},
    ),
    "no output projection": (
        Parts(lambda own, x: own.mlp(own.first(x) + attended(own, x)), **linear("first", "q", "k", "v", "mlp")),
        {"q", "k", "v"},
        {"first", "mlp"},
    ),
    "an MLP beside it": (
        Parts(lambda own, x: x + own.mlp(x) + own.out(attended(own, x)), **linear("q", "k", "v", "out", "mlp")),
        {"q", "k", "v", "out"},
        {"mlp"},
    ),
    "values that nothing projects": (
        Parts(
            lambda own, x: own.out((own.q(x + own.mlp(x)) @ own.k(x).mT).softmax(-1) @ (x + own.mlp(x))),
            **linear("q", "k", "out", "mlp"),
        ),
        {"q", "k", "out"},
        {"mlp"},
    ),
    "heads one after the other": (Parts(head_by_head, **linear("q", "k", "v", "out")), {"q", "k", "v", "out"}, set()),
    "heads that are mixed": (
        Parts(talking, **linear("q", "k", "v", "out"), before=nn.Linear(2, 2), after=nn.Linear(2, 2)),
        {"q", "k", "v", "out", "before", "after"},
        set(),
    ),
    "convolutions": (
        Parts(by_convolutions, qkv=nn.Conv2d(8, 24, 1), out=nn.Conv2d(8, 8, 1)),
        {"qkv", "out"},
        set(),
    ),
}


@pytest.mark.parametrize("case", ATTENTION)
def test_attention_is_known_by_what_it_computes(case: str) -> None:
    network, attention, mlps = ATTENTION[case]
    found = told(network, torch.randn(2, 3, 8, 8))
    assert found == ({f"{name}.weight" for name in attention}, {f"{name}.weight" for name in mlps})


@pytest.mark.parametrize("name", ["transformer", "transformer_fused", "transformer_flat", "transformer_torch"])
def test_modules_make_no_difference(name: str) -> None:
    network = getattr(handmade, name)()
    attention, mlps = told(network, torch.randn(2, 3, 8, 8))
    parts = {name.removeprefix("blocks.").split(".", 1)[1] for name in attention | mlps}
    assert len(attention) == len(mlps) == 6
    assert parts == {
        "transformer_flat": {"qkv.weight", "proj.weight", "fc1.weight", "fc2.weight"},
        "transformer_torch": {
            *("attention.inside.in_proj_weight", "attention.inside.out_proj.weight"),
            *("mlp.0.weight", "mlp.2.weight"),
        },
    }.get(name, {"attention.qkv.weight", "attention.proj.weight", "mlp.0.weight", "mlp.2.weight"})


def test_torchs_attention_with_keys_and_values_of_other_widths_has_four_weights() -> None:
    def between(own: Parts, x: Tensor) -> Tensor:
        return own.attention(x, x[..., :6], x[..., :4])[0]

    network = Parts(between, attention=nn.MultiheadAttention(8, 2, kdim=6, vdim=4, batch_first=True))
    attention, mlps = told(network, torch.randn(2, 3, 8, 8))
    assert attention == {f"attention.{name}_weight" for name in ("q_proj", "k_proj", "v_proj")} | {
        "attention.out_proj.weight"
    }
    assert mlps == set()


def test_an_autoformer_has_relative_positions_which_are_no_layers() -> None:
    attention, mlps = told(handmade.autoformer(), torch.randn(2, 3, 32, 32))
    assert {name.split("inside.", 1)[1] for name in attention} == {"qkv.weight", "out.weight"}
    assert {name.split("inside.", 1)[1] for name in mlps} == {"0.weight", "2.weight"}
    assert len(attention) == len(mlps) == 6


@pytest.mark.parametrize(
    "between",
    [
        lambda _, x: x,
        lambda own, x: own.q(x) * own.k(x).softmax(-1),  # gates
        lambda own, x: own.q(x).softmax(1).mT @ own.v(x),  # a softmax of no product
        lambda own, x: (own.q(x) @ own.k(x).mT) @ own.v(x),  # no softmax
        lambda own, x: (own.q(x) @ own.k(x).mT).softmax(-1)[..., :8],  # nothing is weighed
    ],
)
def test_other_uses_of_softmax_and_products_are_no_attention(between: Callable[[Parts, Tensor], Tensor]) -> None:
    network = Parts(between, **linear("q", "k", "v"))
    with AttentionTracker() as tracker:
        network(torch.randn(2, 3, 8, 8)).softmax(-1)
    assert tracker.attention == []
