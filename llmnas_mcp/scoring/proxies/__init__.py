"""The zero-cost proxies: numbers read off an untrained network that tell how well it will do once trained.

Each is a function of an `Observation` (a network's response to the images and labels of `inputs.batch`), finite, and
better when higher (plain has no direction by its paper). Adding one is a function in the file of its kind and a line
here, or an entry point of a package; what it can share with others is in `Observation`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmnas_mcp.plugins import Catalogue, named
from llmnas_mcp.scoring.proxies import activations, aznas, counts, jacobian, saliency

if TYPE_CHECKING:
    from llmnas_mcp.scoring.observation import Observation


@dataclass(frozen=True)
class Proxy:
    """A proxy's name in the literature, what it measures, its paper, and how it is read off an observation."""

    name: str
    title: str
    source: str
    measure: Callable[[Observation], float]


_ABDELFATTAH = "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021 (arXiv 2101.08134)"
_AZNAS = "Lee and Ham, AZ-NAS: Assembling Zero-Cost Proxies, CVPR 2024 (arXiv 2403.19232)"
_MELLOR = "Mellor et al., Neural Architecture Search without Training, ICML 2021 (arXiv 2006.04647)"
_SWAP = "Peng et al., SWAP-NAS: Sample-Wise Activation Patterns, ICLR 2024 (arXiv 2403.04161)"

_OURS = {
    proxy.name: proxy
    for proxy in (
        Proxy("params", "trainable parameters", _ABDELFATTAH, counts.params),
        Proxy("macs", "multiply-accumulates of one forward pass", _ABDELFATTAH, counts.macs),
        Proxy("growth", "entropy of features gained inside stages", "this project, after " + _AZNAS, aznas.growth),
        Proxy("jacov", "how uncorrelated the gradients of different inputs are", _MELLOR, jacobian.jacov),
        Proxy("naswot", "how differently ReLUs fire for different inputs", _MELLOR, activations.naswot),
        Proxy("expressivity", "entropy of the features of all blocks", _AZNAS, aznas.expressivity),
        Proxy("progressivity", "least gain of entropy from block to block", _AZNAS, aznas.progressivity),
        Proxy("trainability", "how close blocks come to passing gradients on unscaled", _AZNAS, aznas.trainability),
        Proxy("complexity", "multiply-accumulates of one forward pass", _AZNAS, counts.macs),
        Proxy(
            "synflow",
            "log of the synaptic flow through the linearised network",
            "Tanaka et al., Pruning neural networks without any data, NeurIPS 2020 (arXiv 2006.05467)",
            saliency.synflow,
        ),
        Proxy(
            "dss",
            "diversity of attention's weights and saliency of MLPs",
            "Zhou et al., Training-free Transformer Architecture Search, CVPR 2022 (arXiv 2203.12217)",
            saliency.dss,
        ),
        Proxy("grad_norm", "length of the gradient of the loss, layer by layer", _ABDELFATTAH, saliency.grad_norm),
        Proxy(
            "snip",
            "how much the loss depends on the weights",
            "Lee et al., SNIP: Single-shot Network Pruning, ICLR 2019 (arXiv 1810.02340)",
            saliency.snip,
        ),
        Proxy(
            "grasp",
            "what removing weights takes from the gradient's flow",
            "Wang et al., Picking Winning Tickets Before Training, ICLR 2020 (arXiv 2002.07376)",
            saliency.grasp,
        ),
        Proxy(
            "fisher",
            "how much the loss depends on the channels",
            "Turner et al., BlockSwap, ICLR 2020 (arXiv 1906.04113)",
            saliency.fisher,
        ),
        Proxy("l2_norm", "length of the weights, layer by layer", _ABDELFATTAH, saliency.l2_norm),
        Proxy("plain", "sum of weight times gradient", _ABDELFATTAH, saliency.plain),
        Proxy(
            "zico",
            "size of gradients relative to how they vary",
            "Li et al., ZiCo: Zero-shot NAS via Inverse Coefficient of Variation, ICLR 2023 (arXiv 2301.11300)",
            saliency.zico,
        ),
        Proxy(
            "epe_nas",
            "how uncorrelated the gradients of inputs of one class are",
            "Lopes et al., EPE-NAS: Efficient Performance Estimation Without Training, 2021 (arXiv 2102.08099)",
            jacobian.epe_nas,
        ),
        Proxy(
            "zen",
            "how far the last features move with the input, normalisation undone",
            "Lin et al., Zen-NAS: A Zero-Shot NAS, ICCV 2021 (arXiv 2102.01063)",
            activations.zen,
        ),
        Proxy(
            "meco",
            "how far channels are from being linear combinations of each other",
            "Jiang et al., MeCo: Zero-Shot NAS with One Data and Single Forward Pass, NeurIPS 2023",
            activations.meco,
        ),
        Proxy("swap", "number of distinct ReLU patterns", _SWAP, activations.swap),
        Proxy("reg_swap", "log of swap, regularised by size", _SWAP, activations.reg_swap),
    )
}

# By name; those of the group are `Proxy` too, and are measured with the others wherever they are asked for by name.
PROXIES = Catalogue("llmnas.proxies", _OURS, named(Proxy))
