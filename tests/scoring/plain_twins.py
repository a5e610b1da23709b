"""Plain twins of the zero-cost proxies: slow reference implementations, one network and one proxy at a time.

Each twin copies the network and does its own passes with its own hooks, as the published programs do. They share only
small helpers, and nothing with the package. Call them by position: `PLAIN[name](network, images, labels)`.
"""

from __future__ import annotations

import copy
import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy, pixel_unshuffle

Floats = NDArray[np.float64]


def _copy(network: nn.Module) -> nn.Module:
    twin = copy.deepcopy(network).train()
    twin.zero_grad(set_to_none=True)  # a deepcopy brings the caller's gradients along
    return twin


def _weights(net: nn.Module) -> list[Tensor]:
    """Those of the layers, and of torch's attention, which has no layers for queries, keys and values."""
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.MultiheadAttention)]
    return [m.in_proj_weight if isinstance(m, nn.MultiheadAttention) else m.weight for m in layers]


def _attention(net: nn.Module) -> dict[nn.Module, list[Tensor]]:
    """Modules that attend, with their matrices: torch's, or such as have one layer for queries, keys and values."""
    found = {}
    for m in net.modules():
        if isinstance(m, nn.MultiheadAttention):
            found[m] = [m.in_proj_weight, m.out_proj.weight]
        elif hasattr(m, "qkv"):
            found[m] = [m.qkv.weight, (m.proj if hasattr(m, "proj") else m.out).weight]
    return found


def _watch(net: nn.Module, kinds: Any, see: Callable[[Any, Tensor, Tensor], Any]) -> list[Any]:
    """A list that fills with `see(module, input, output)` at every call of a module of these kinds."""
    seen: list[Any] = []
    for module in net.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(lambda module, inputs, out: seen.append(see(module, (*inputs, None)[0], out)))
    return seen


def _weights_and_gradients(net: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Per layer W and its gradient as they are now, in float64; an unused layer's gradient is zero."""
    weights = _weights(net)
    return [(w.detach().double(), (torch.zeros_like(w) if w.grad is None else w.grad).double()) for w in weights]


def _loss_gradients(network: nn.Module, images: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    net = _copy(network)
    cross_entropy(net(images), labels).backward()
    return _weights_and_gradients(net)


def _correlation(rows: Tensor | Floats) -> Floats:
    with warnings.catch_warnings():  # of a row without variance: NaN, quietly
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.atleast_2d(np.corrcoef(np.asarray(rows)))


def params(network: nn.Module, _images: Tensor, _labels: Tensor) -> float:
    """Trainable parameters (NAS-Bench-Suite-Zero, Krishnakumar et al. 2022)."""
    return float(sum(p.numel() for p in network.parameters() if p.requires_grad))


def macs(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """Multiply-accumulates of one image (NAS-Bench-Suite-Zero, Krishnakumar et al. 2022)."""
    net, called = _copy(network), []

    def count(layer: nn.Conv2d | nn.Linear, _: Tensor, out: Tensor) -> int:
        called.append(id(layer.weight))
        return out.numel() * layer.weight[0].numel()  # per output element the fan-in, groups accounted for

    counts, attention = _watch(net, nn.Conv2d | nn.Linear, count), _attention(net)
    attended = _watch(net, tuple({type(module) for module in attention}), lambda module, x, _: (module, x))
    net(images)
    for module, x in attended:
        matrices, inputs = attention[module], x[..., 0].numel()
        tokens = x.shape[1] if getattr(module, "batch_first", True) else x.shape[0]
        # Queries times keys and weights times values, in AutoFormer each once more with relative positions.
        counts.append(inputs * tokens * matrices[1].shape[1] * (4 if hasattr(module, "key_positions") else 2))
        counts += [inputs * w.numel() for w in matrices if id(w) not in called]
    return float(sum(counts)) / len(images)


def complexity(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The multiply-accumulates again (AZ-NAS, Lee and Ham 2024)."""
    return macs(network, images, labels)


def grad_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Norms of the layers' gradients (Abdelfattah et al. 2021)."""
    return float(sum(g.norm().item() for _, g in _loss_gradients(network, images, labels)))


def snip(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Connection sensitivity (SNIP, Lee et al. 2019; as a proxy Abdelfattah et al. 2021)."""
    return float(sum((w * g).abs().sum().item() for w, g in _loss_gradients(network, images, labels)))


def plain(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Signed sensitivity (Mozer and Smolensky 1988; as a proxy Abdelfattah et al. 2021)."""
    return float(sum((w * g).sum().item() for w, g in _loss_gradients(network, images, labels)))


def l2_norm(network: nn.Module, _images: Tensor, _labels: Tensor) -> float:
    """Norms of the layers' weights (Abdelfattah et al. 2021)."""
    return float(sum(weight.detach().double().norm().item() for weight in _weights(_copy(network))))


def grasp(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Preserved gradient flow (GraSP, Wang et al. 2020; as a proxy Abdelfattah et al. 2021)."""
    net = _copy(network)
    weights = [weight for weight in _weights(net) if weight.requires_grad]
    with sdpa_kernel(SDPBackend.MATH):  # torch's fused kernels of attention have no second derivative
        loss = cross_entropy(net(images), labels)
    gradients = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    torch.stack([(g * g.detach()).sum() for g in gradients if g is not None]).sum().backward()
    return -float(sum((w * hg).sum().item() for w, hg in _weights_and_gradients(net)))


def fisher(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Fisher information of channels (Theis et al. 2018, Turner et al. 2020; as a proxy Abdelfattah et al. 2021)."""
    net, scores = _copy(network), []

    def attach(layer: nn.Module, _: Tensor, out: Tensor) -> None:
        activation = out.detach().clone()  # what follows may work in place

        def score(gradient: Tensor) -> None:
            s = activation * gradient
            if isinstance(layer, nn.Conv2d):
                s = s.sum((2, 3))
            elif s.dim() == 3:
                s = s.sum(1) if s.shape[0] == len(images) else s.sum(0)
            scores.append(0.5 * s.double().square().mean(0).sum().item())

        if out.requires_grad:
            out.register_hook(score)

    _watch(net, nn.Conv2d | nn.Linear, attach)
    cross_entropy(net(images), labels).backward()
    return float(sum(scores))


@contextmanager
def _constant_softmax() -> Iterator[None]:
    """No gradient passes through a softmax, be it attention's or inside torch's attention."""

    def constant(x: Tensor, dim: int = -1, **_: Any) -> Tensor:
        return torch.softmax(x, dim).detach()

    def attend(q: Tensor, k: Tensor, v: Tensor, *_: Any, **__: Any) -> Tensor:
        return constant(q @ k.mT / q.shape[-1] ** 0.5) @ v

    with ExitStack() as stack:
        for where, name, of in (
            (functional, "softmax", constant),
            (functional, "scaled_dot_product_attention", attend),
            (Tensor, "softmax", constant),
        ):
            stack.enter_context(mock.patch.object(where, name, of))
        yield


def synflow(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """Synaptic flow, its logarithm (SynFlow, Tanaka et al. 2020; as a proxy Abdelfattah et al. 2021)."""
    net = _copy(network).double()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm | nn.LayerNorm):
            module.forward = lambda x: x
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_()
    with _constant_softmax():
        net(torch.ones(1, *images.shape[1:], dtype=torch.float64)).sum().backward()
    return math.log1p(sum((w * g).sum().item() for w, g in _weights_and_gradients(net)))


def dss(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """Synaptic diversity of attention, synaptic saliency of MLPs (TF-TAS, Zhou et al. 2022)."""
    net = _copy(network).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_()
    on_tokens = _watch(net, nn.Linear, lambda layer, _, out: layer.weight if out.dim() == 3 else None)
    net(torch.ones(1, *images.shape[1:])).sum().backward()
    attention = [w for matrices in _attention(net).values() for w in matrices]
    if not attention:
        raise ValueError("the network has no attention")
    embedding = getattr(net, "patches", None)
    score = 0.0
    for w in attention:
        score += torch.linalg.svdvals(w.detach().double()).sum() * torch.linalg.svdvals(w.grad.double()).sum()
    for w in on_tokens:
        if w is not None and not any(w is other for other in (*attention, getattr(embedding, "weight", None))):
            score += (w.detach() * w.grad).double().abs().sum()
    return float(score)


def _jacobian(network: nn.Module, images: Tensor) -> Floats:
    """Per image the gradient of the sum of all logits: (B, pixels)."""
    net, x = _copy(network), images.detach().clone().requires_grad_()
    logits = net(x)
    logits.backward(torch.ones_like(logits))
    gradient = torch.zeros_like(x) if x.grad is None else x.grad
    return gradient.flatten(1).double().numpy()


def _correlation_or_ones(rows: Floats) -> Floats:
    matrix = _correlation(rows)
    return np.ones_like(matrix) if np.isnan(matrix).any() else matrix


def jacov(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """Correlation of the Jacobians of the images (Mellor et al. 2020, first version; Abdelfattah et al. 2021)."""
    v = np.linalg.eigvalsh(_correlation_or_ones(_jacobian(network, images))).clip(min=0) + 1e-5
    return -float(np.sum(np.log(v) + 1 / v))


def epe_nas(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Correlation of the Jacobians within each class (EPE-NAS, Lopes et al. 2021)."""
    jacobian, classes = _jacobian(network, images), labels.numpy()
    matrices = [_correlation_or_ones(jacobian[classes == c]) for c in np.unique(classes)]
    return float(sum(abs(np.log(np.abs(matrix) + 1e-5).sum()) for matrix in matrices))


def _relu_patterns(network: nn.Module, images: Tensor) -> list[Tensor]:
    """Which units are on, for each call of a ReLU: (B, units), bool."""
    net = _copy(network)
    # A ReLU in place changes no sign.
    patterns = _watch(net, nn.ReLU | nn.GELU, lambda _relu, x, _out: (x > 0).flatten(1))
    with torch.no_grad():
        net(images)
    if not patterns:
        raise ValueError("the network calls no nn.ReLU")
    return patterns


def naswot(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """Overlap of the images' activation patterns (NASWOT, Mellor et al. 2021)."""
    kernel = np.zeros((len(images), len(images)))
    for pattern in _relu_patterns(network, images):
        on = pattern.double().numpy()
        kernel += on @ on.T + (1 - on) @ (1 - on).T
    return float(np.linalg.slogdet(kernel + np.eye(len(images)))[1])


def swap(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """Sample-wise activation patterns: how many differ (SWAP-NAS, Peng et al. 2024)."""
    patterns = torch.cat(_relu_patterns(network, images), dim=1)
    return float(len(torch.unique(patterns.T, dim=0)))


def reg_swap(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The same, regularised by size, in logarithms (SWAP-NAS, Peng et al. 2024)."""
    size = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return math.log1p(swap(network, images, labels)) - ((size - 1.5e6) / 1.5e6) ** 2


def meco(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """Smallest eigenvalues of the channels' correlations for one image (MeCo, Jiang et al. 2023)."""
    net = _copy(network)
    matrices = _watch(net, nn.Conv2d, lambda _conv, _x, out: np.nan_to_num(_correlation(out[0].flatten(1)), nan=0.0))
    with torch.no_grad():
        net(images)
    return float(sum(np.linalg.eigvalsh(matrix)[0] for matrix in matrices))


def zen(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """Sensitivity of the last feature map to noise, re-scaled by the normalisations (Zen-NAS, Lin et al. 2021)."""
    net, g, last = _copy(network).requires_grad_(False), torch.Generator().manual_seed(0), {}
    for module in net.modules():  # all weights standard normal, no biases, neutral normalisation
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.copy_(torch.randn(module.weight.shape, generator=g))
        elif isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm) and module.affine:
            module.weight.fill_(1)
        if isinstance(getattr(module, "bias", None), Tensor):
            module.bias.zero_()
    g = torch.Generator().manual_seed(0)
    x, e = (torch.randn(images.shape, generator=g).to(images) for _ in range(2))

    def keep(leaf: nn.Module, _: Tensor, out: object) -> None:
        if not list(leaf.children()) and isinstance(out, Tensor) and out.dim() == 4 and out[0, 0].numel() > 1:
            last["map"] = out

    _watch(net, nn.Module, keep)
    with torch.no_grad():
        net(x + 0.01 * e)
        noisy = last.pop("map")
        variances = _watch(net, nn.BatchNorm2d, lambda bn, x, _: x.var((0, 2, 3), unbiased=False).mean() + bn.eps)
        net(x)
    change = (noisy - last.pop("map")).abs().sum((1, 2, 3)).mean().item()
    return math.log(change + 1e-12) + sum(0.5 * math.log(variance) for variance in variances)


def zico(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Mean over deviation of the gradients of two half batches (ZiCo, Li et al. 2023)."""
    net, half, gradients = _copy(network), len(images) // 2, []
    logits = net(images)
    for part in (slice(half), slice(half, 2 * half)):
        net.zero_grad(set_to_none=True)
        cross_entropy(logits[part], labels[part]).backward(retain_graph=True)
        gradients.append([g.numpy() for _, g in _weights_and_gradients(net)])
    total = 0.0
    for g1, g2 in zip(*gradients, strict=True):
        mean, std = (np.abs(g1) + np.abs(g2)) / 2, np.abs(g1 - g2) / 2
        score = np.sum(mean[std > 0] / std[std > 0])
        total += math.log(score) if score > 0 else 0.0
    return total


def _share(part: nn.Module, net: nn.Module, kinds: Any) -> float:
    """What part of a network's layers of these kinds is in one part of it."""
    inside, all_of_them = (sum(isinstance(m, kinds) for m in module.modules()) for module in (part, net))
    return inside / all_of_them if all_of_them else 0.0


def _blocks(module: nn.Module, net: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(child, nn.Conv2d):
            yield child
        elif isinstance(child, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            yield from _blocks(child, net)
        elif list(child.children()):
            wraps = max(_share(child, net, nn.Conv2d), _share(child, net, nn.Conv2d | nn.Linear)) > 1 / 2
            yield from _blocks(child, net) if wraps else [child]


def _block_outputs(network: nn.Module, images: Tensor) -> list[Tensor]:
    net, outputs = _copy(network), []

    def record(_block: nn.Module, _inputs: tuple[Tensor, ...], out: object) -> Tensor | None:
        if not isinstance(out, Tensor) or out.dim() not in (3, 4):
            return None
        outputs.append(out if out.requires_grad else out.detach().requires_grad_())
        return outputs[-1].clone()  # what follows may work in place, and must depend on the recorded tensor

    for block in dict.fromkeys(_blocks(net, net)):
        block.register_forward_hook(record)
    net(images)
    # An image among tokens, or tokens among images, is compared with nothing.
    kinds = [0, *(out.dim() for out in outputs), 0]
    return [out for i, out in enumerate(outputs, start=1) if kinds[i] in (kinds[i - 1], kinds[i + 1])]


def _rows(out: Tensor) -> Tensor:
    """(positions, features): images have their features second, tokens last."""
    return out.double().permute(0, 2, 3, 1).flatten(0, 2) if out.dim() == 4 else out.double().flatten(0, 1)


def _block_features(network: nn.Module, images: Tensor) -> list[Tensor]:
    with torch.no_grad():
        return [out.detach() for out in _block_outputs(network, images)]


def _entropies(outputs: list[Tensor]) -> list[float]:
    """Per block the entropy of the spectrum of its features' covariance."""
    entropies = []
    for out in outputs:
        features = _rows(out)
        features = features - features.mean(0)
        e = torch.linalg.eigvalsh(features.T @ features / len(features)).clamp(min=0)
        p = e / e.sum() if e.sum() > 0 else torch.zeros_like(e)
        entropies.append(-(p * (p + 1e-8).log()).sum().item())
    return entropies


def expressivity(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """Entropy of the blocks' features (AZ-NAS, Lee and Ham 2024)."""
    return float(sum(_entropies(_block_features(network, images))))


def progressivity(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """Least growth of that entropy from block to block (AZ-NAS, Lee and Ham 2024)."""
    outputs = _block_features(network, images)
    gained = zip(itertools.pairwise(outputs), np.diff(_entropies(outputs)), strict=True)
    return float(min(gain for (before, after), gain in gained if before.dim() == after.dim()))  # ValueError with no two


def growth(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """Growth of that entropy over the blocks that keep the shape of their input (this project)."""
    outputs = _block_features(network, images)
    gained = zip(itertools.pairwise(outputs), np.diff(_entropies(outputs)), strict=True)
    return float(sum(gain for (before, after), gain in gained if before.shape == after.shape))


def trainability(network: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """How far the blocks keep the size of gradients (AZ-NAS, Lee and Ham 2024)."""
    outputs, scores, g = _block_outputs(network, images), [], torch.Generator().manual_seed(0)
    if len(outputs) < 2:
        raise ValueError("trainability needs at least two blocks")
    for f_in, f_out in itertools.pairwise(outputs):
        if f_in.dim() != f_out.dim():
            continue
        g_out = (torch.randint(0, 2, f_out.shape, generator=g).float() * 2 - 1).to(f_out)
        (g_in,) = torch.autograd.grad(f_out, f_in, g_out, retain_graph=True, allow_unused=True)
        g_in = torch.zeros_like(f_in) if g_in is None else g_in
        if torch.equal(g_in, g_out):
            scores.append(-1e6)
            continue
        if f_in.dim() == 3 and f_in.shape[1] != f_out.shape[1]:
            g_in = g_in.unflatten(1, (f_out.shape[1], -1)).mean(2)
        elif f_in.dim() == 4 and f_in.shape[2] > f_out.shape[2]:
            g_in = pixel_unshuffle(g_in, f_in.shape[2] // f_out.shape[2])
        rows_in, rows_out = _rows(g_in), _rows(g_out)
        sigma = torch.linalg.svdvals(rows_in.T @ rows_out / len(rows_out))[0].item()
        scores.append(-sigma - 1 / (sigma + 1e-6) + 2)
    return float(np.mean(scores))


PLAIN: dict[str, Callable[[nn.Module, Tensor, Tensor], float]] = {
    **{f.__name__: f for f in (params, macs, complexity, grad_norm, snip, plain, l2_norm, grasp, fisher, synflow)},
    **{f.__name__: f for f in (jacov, epe_nas, naswot, swap, reg_swap, meco, zen, zico, dss)},
    **{f.__name__: f for f in (expressivity, progressivity, growth, trainability)},
}
