"""Small networks that no space has, for what the proxies may meet in a user's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from llmnas_mcp.scoring import PROXIES
from llmnas_mcp.spaces.autoformer.network import Network

CLASSES = 10
OF_CONVOLUTIONS = tuple(name for name in PROXIES if name != "dss")  # proxies that can be told of networks of each kind
OF_TRANSFORMERS = tuple(name for name in PROXIES if name != "zen")


class Depthwise(nn.Module):
    """A depthwise separable convolution with ReLUs in place, as in MobileNet, and a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.mix = nn.Conv2d(channels, channels, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(2))
        self.relu = nn.ReLU(inplace=True)  # one module, called twice

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.norms[0](self.spatial(x)))
        return self.relu(self.norms[1](self.mix(out))) + x


def mobile() -> nn.Module:
    """Depthwise convolutions, ReLUs in place, and two linear layers at the end."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        Depthwise(8),
        Depthwise(8),
        nn.Conv2d(8, 12, 3, stride=2, padding=1),
        Depthwise(12),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 20),
        nn.ReLU(inplace=True),
        nn.Linear(20, CLASSES),
    )


def bare() -> nn.Module:
    """No normalisation at all, convolutions with biases."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 10, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(40, CLASSES),
    )


def dropping() -> nn.Module:
    """Dropout of channels and of features."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout2d(0.2),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32, CLASSES),
    )


class Residual(nn.Module):
    """Three convolutions and what `forward` does between them."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.third = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.head = nn.Linear(12, CLASSES)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        x = self.between(self.first(x))
        return self.head(self.between(self.third(self.between(self.second(x)))).mean((2, 3)))


def functional_relu() -> nn.Module:
    """ReLUs that are no modules."""
    return Residual(functional.relu)


def module_relu() -> nn.Module:
    """The same network with a ReLU that is one."""
    return Residual(nn.ReLU())


def in_place() -> nn.Module:
    """What a convolution gave is overwritten by what comes next."""
    return Residual(lambda x: functional.relu(x.add_(0.1), inplace=True))


def not_in_place() -> nn.Module:
    """The same function, nothing overwritten."""
    return Residual(lambda x: functional.relu(x + 0.1))


class Attention(nn.Module):
    """Self-attention with query, key and value in one matrix, as in timm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(self.attend(q, k, v).transpose(1, 2).flatten(2))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1) @ v


class Fused(Attention):
    """The same by torch's own function."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(q, k, v)


class Block(nn.Module):
    """A layer of a transformer: attention and an MLP, each with the norm before it and a residual connection."""

    def __init__(self, width: int, attention: nn.Module) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention = attention
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norms[0](x))
        return x + self.mlp(self.norms[1](x))


class FlatBlock(nn.Module):
    """The same layer without modules for its parts."""

    def __init__(self, width: int, attention: Attention) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj, self.heads = attention.qkv, attention.proj, attention.heads
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.chunk(functional.linear(self.norm1(x), self.qkv.weight, self.qkv.bias), 3, dim=-1)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        scores = functional.dropout(torch.einsum("bhqd,bhkd->bhqk", q / q.shape[-1] ** 0.5, k).softmax(-1), 0.0)
        x = torch.add(x, self.proj(torch.matmul(scores, v).permute(0, 2, 1, 3).reshape(x.shape)))
        return x + self.fc2(functional.relu(self.fc1(self.norm2(x))))


class Torch(nn.Module):
    """The same attention by torch's own module."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        own = Attention(width, heads)
        with torch.random.fork_rng():  # what comes next is drawn as in the other networks
            self.inside = nn.MultiheadAttention(width, heads, batch_first=True)
        self.inside.in_proj_weight, self.inside.in_proj_bias = own.qkv.weight, own.qkv.bias
        self.inside.out_proj.weight, self.inside.out_proj.bias = own.proj.weight, own.proj.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x, x, x, need_weights=False)[0]


class Transformer(nn.Module):
    """A vision transformer of patches of 2 x 2 pixels; its patches are cut by a convolution."""

    def __init__(self, blocks: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 2, stride=2)
        self.class_token = nn.Parameter(torch.randn(1, 1, 12))
        self.blocks = nn.Sequential(*(blocks() for _ in range(3)))
        self.norm, self.head = nn.LayerNorm(12), nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), tokens], 1)
        return self.head(self.norm(self.blocks(tokens))[:, 0])


def transformer() -> nn.Module:
    """Attention by matrix products, in modules of its own."""
    return Transformer(lambda: Block(12, Attention(12, 3)))


def transformer_fused() -> nn.Module:
    """The same network, its attention by torch's function."""
    return Transformer(lambda: Block(12, Fused(12, 3)))


def transformer_flat() -> nn.Module:
    """The same network, attention and MLP in one module."""
    return Transformer(lambda: FlatBlock(12, Attention(12, 3)))


def transformer_torch() -> nn.Module:
    """The same network, its attention by torch's module, which has no layers for its projections."""
    return Transformer(lambda: Block(12, Torch(12, 3)))


class Encoder(nn.Module):
    """torch's own encoder on patches that a linear layer embeds."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.patches = nn.Linear(3 * 4, 12)
        layer = nn.TransformerEncoderLayer(12, 3, 20, dropout=0, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(functional.unfold(x, 2, stride=2).transpose(1, 2)[:, 1:])  # 15, one less than images
        if self.batch_first:
            return self.head(self.encoder(tokens).mean(1))
        return self.head(self.encoder(tokens.transpose(0, 1)).mean(0))


def encoder() -> nn.Module:
    """(batch, tokens, features)."""
    return Encoder(batch_first=True)


def encoder_batch_second() -> nn.Module:
    """(tokens, batch, features), which is torch's default."""
    return Encoder(batch_first=False)


class Mixer(nn.Module):
    """MLPs over tokens, then over features."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.over_tokens = nn.Sequential(nn.Linear(tokens, 9), nn.ReLU(), nn.Linear(9, tokens))
        self.over_features = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 30), nn.ReLU(), nn.Linear(30, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.over_tokens(x.transpose(1, 2)).transpose(1, 2)
        return x + self.over_features(x)


class Merging(nn.Module):
    """Four tokens become one."""

    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(nn.Linear(4 * width, wider), nn.LayerNorm(wider))

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x.unflatten(1, (-1, 4)).flatten(2))


class Patches(nn.Module):
    """(batch, 3, height, width) -> (batch, tokens, 12)."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.unfold(x, 2, stride=2).transpose(1, 2)


def mixer() -> nn.Module:
    """No convolution and no attention; fewer and wider tokens half-way."""
    mixing = [Mixer(16, 12), Mixer(16, 12), Merging(12, 20), Mixer(4, 20), Mixer(4, 20)]
    return nn.Sequential(
        Patches(), nn.Linear(12, 12), *mixing, nn.AdaptiveAvgPool2d((1, 20)), nn.Flatten(), nn.Linear(20, CLASSES)
    )


def autoformer() -> nn.Module:
    """The network of the AutoFormer spaces, a small one, for 32 x 32 pixels."""
    return Network(24, [(1, 2), (2, 1.5), (1, 1)], resolution=32, classes=CLASSES)


class Counting(nn.Module):
    """A wrapper that counts how often it, or any copy of it, is called."""

    calls = 0

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        Counting.calls += 1
        return self.inside(x)


class Does(nn.Module):
    """Two convolutions with ReLUs, then whatever `then` makes of features (batch, 10, height, width)."""

    def __init__(self, then: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, CLASSES, 3, padding=1), nn.ReLU()
        )
        self.then = then

    def forward(self, x: Tensor) -> object:
        return self.then(self.features(x))


def seeded(factory: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """What a factory makes, always the same; the random state of the tests stays as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return factory()
