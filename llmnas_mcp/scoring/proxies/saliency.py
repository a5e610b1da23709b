"""How much the weights matter: to the loss of a batch with made-up labels, or to the flow through the network.

W is the weight of a convolution or linear layer, or a projection of nn.MultiheadAttention, L the mean cross-entropy, g
its gradient with respect to W. All but synflow, dss, grasp and l2_norm read the same backward pass. Most come from
pruning; Abdelfattah et al. 2021 (arXiv 2101.08134) sum them over the weights as a score of the architecture.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llmnas_mcp.errors import UnscorableError

if TYPE_CHECKING:
    from llmnas_mcp.scoring.observation import Observation


def grad_norm(seen: Observation) -> float:
    """Sum over layers of the 2-norm of g. Abdelfattah et al. 2021.

    Higher is better. Cost: the backward pass to the weights.
    """
    return sum(float(g.double().norm()) for g in seen.loss_gradients[0])


def snip(seen: Observation) -> float:
    """Sum of |W g|. Lee et al. 2019 (arXiv 1810.02340), eq. 6, unnormalised.

    Higher is better. Cost: the backward pass to the weights.
    """
    return sum(
        float((w.detach().double() * g).abs().sum()) for w, g in zip(seen.weights, seen.loss_gradients[0], strict=True)
    )


def plain(seen: Observation) -> float:
    """Sum of W g, signed. Abdelfattah et al. 2021. No direction claimed. Cost: the backward pass to the weights."""
    return sum(
        float((w.detach().double() * g).sum()) for w, g in zip(seen.weights, seen.loss_gradients[0], strict=True)
    )


def l2_norm(seen: Observation) -> float:
    """Sum over layers of the 2-norm of W. Abdelfattah et al. 2021. Higher is better. Cost: none."""
    from llmnas_mcp.scoring.anatomy import weights_of

    return sum(float(weight.detach().norm()) for weight in weights_of(seen.network))


def fisher(seen: Observation) -> float:
    """Sum over channels of half the batch mean of (activation x gradient, summed over pixels or tokens) squared.

    The activations are the outputs of layers, of modules of their own: nn.MultiheadAttention has none inside. Theis et
    al. 2018 (arXiv 1801.05787); Turner et al. 2020 (arXiv 1906.04113), eq. 2.
    Higher is better. Cost: the backward pass to the weights.
    """
    total = 0.0
    for (_, out), gradient in zip(seen.calls, seen.loss_gradients[1], strict=True):
        effect = out.detach().double() * gradient
        if effect.ndim == 4:
            effect = effect.sum((2, 3))
        elif effect.ndim == 3:  # tokens, which may also come before the batch
            effect = effect.sum(1 if len(effect) == len(seen.images) else 0)
        total += float(effect.square().mean(0).sum()) / 2
    return total


def grasp(seen: Observation) -> float:
    """-sum of W (H g), H the Hessian of L: what removing weights would take from the gradient's flow.

    Wang et al. 2020 (arXiv 2002.07376), eq. 8.
    Higher is better. Cost: a backward pass with a graph, and one through that graph.
    """
    import torch

    if not seen.weights or not seen.loss.requires_grad:
        return 0.0
    first = torch.autograd.grad(seen.loss, seen.weights, create_graph=True, allow_unused=True)
    flow = torch.stack([(g * g.detach()).sum() for g in first if g is not None]).sum()
    second = torch.autograd.grad(flow, seen.weights, retain_graph=True, allow_unused=True)
    return -sum(
        float((w.detach().double() * h).sum()) for w, h in zip(seen.weights, second, strict=True) if h is not None
    )


def zico(seen: Observation) -> float:
    """Sum over layers of log sum(mean |g| / deviation of g), over the two halves of the batch.

    Weights whose gradient does not vary are left out. Li et al. 2023 (arXiv 2301.11300), eq. 15. There the batches are
    normalised one by one; here both halves share one forward pass.
    Higher is better. Cost: two backward passes to the weights.
    """
    total = 0.0
    for one, other in zip(*seen.half_gradients, strict=True):
        mean, deviation = (one.abs() + other.abs()) / 2, (one - other).abs() / 2
        ratio = float((mean / deviation)[deviation > 0].double().sum())
        total += math.log(ratio) if ratio > 0 else 0.0
    return total


def synflow(seen: Observation) -> float:
    """log(1 + sum of |W| x gradient) of the network's output for an input of ones, weights positive, no normalisation.

    The 1 keeps a network that lets nothing through at 0, where negative sums (of log-probabilities) are kept too. In
    float64, whose range the product over some fifty layers does not leave. What attention weighs values by is taken as
    constant, see `ConstantAttention`. Tanaka et al. 2020 (arXiv 2006.05467), eq. 2.
    Higher is better. Cost: a forward and a backward pass of one image.
    """
    import torch

    from llmnas_mcp.scoring.anatomy import weights_of
    from llmnas_mcp.scoring.attention import ConstantAttention
    from llmnas_mcp.scoring.copies import linearised
    from llmnas_mcp.scoring.observation import gradients

    network = linearised(seen.original, seen.device)
    weights = [weight.requires_grad_() for weight in weights_of(network)]
    with ConstantAttention():
        output = seen.forward(torch.ones_like(seen.images[:1], dtype=torch.float64), network)
    flows = [(w.detach() * g).sum() for w, g in zip(weights, gradients(output.sum(), weights), strict=True)]
    flow = float(sum(flows))
    return 0.0 if flow <= 0 else math.log1p(flow)


def dss(seen: Observation) -> float:
    """Synaptic diversity of attention and synaptic saliency of MLPs, where all parameters are made positive.

    Sum over the weights of attention of |g|_nuc |W|_nuc (nuclear norms: sums of singular values), and over those of
    MLPs of the sum of |W g|; g is the gradient of the sum of the logits for one image of ones, in evaluation mode.
    `attention` tells which weights are whose; query, key and value in one matrix count as one, as in the authors' code.
    Zhou et al. 2022 (arXiv 2203.12217), with the absolute values that their code takes. Raises UnscorableError where
    there is no attention.
    Higher is better. Cost: a forward and a backward pass of one image, singular values of W and g of attention.
    """
    import torch

    from llmnas_mcp.scoring.attention import AttentionTracker
    from llmnas_mcp.scoring.copies import working_copy
    from llmnas_mcp.scoring.observation import gradients

    network = working_copy(seen.original, seen.device).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.abs_()
    network.requires_grad_()
    with AttentionTracker() as found:
        output = seen.forward(torch.ones_like(seen.images[:1]), network)
    if not found.attention:
        raise UnscorableError("has no attention, no values weighed by a softmax of queries times keys: leave out dss.")
    weights = [*found.attention, *found.mlps]
    total = 0.0
    for i, (w, g) in enumerate(zip(weights, gradients(output.sum(), weights), strict=True)):
        w, g = w.detach().double().flatten(1), g.double().flatten(1)
        if i < len(found.attention):
            total += float(torch.linalg.matrix_norm(w, "nuc") * torch.linalg.matrix_norm(g, "nuc"))
        else:
            total += float((w * g).abs().sum())
    return total
