"""One network at initialisation under observation: what proxies share is computed once, when first asked for.

One forward pass serves everything. Each kind of gradient is one backward pass over the graph of that forward: to the
inputs (jacov, epe_nas), to the weights (grad_norm, snip, plain, fisher), from block to block (trainability). Only those
that are asked for are run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import UninitializedParameter, functional

from llmnas_mcp.errors import UnscorableError
from llmnas_mcp.scoring.anatomy import Functions, blocks_of, by_feature, layers_of, weights_of
from llmnas_mcp.scoring.copies import working_copy
from llmnas_mcp.spaces.counting import plain_attention

_SEEDING = RLock()  # torch draws from one global generator: no two threads at a time


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Everything torch draws at random inside comes from `seed`; the caller's random state stays as it was."""
    gpus = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with _SEEDING, torch.random.fork_rng(gpus):
        torch.manual_seed(seed)
        yield


@contextmanager
def exactly() -> Iterator[None]:
    """Inside, gradients are computed whatever the caller's mode, and a GPU works deterministically in full float32."""
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if torch.cuda.is_available():
            flags = torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False)
            stack.enter_context(flags)
        yield


class Observation:
    """A copy of `network` in training mode, and how it responds to a batch; the network itself stays as it is.

    images: (batch, channels, height, width), `batch` even; labels: (batch,), classes. Batch normalisation works on the
    batch. Raises UnscorableError, with the reason, where the network has no layer (nn.Conv2d or nn.Linear) or its
    forward pass fails.
    """

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor, seed: int = 0) -> None:
        if any(isinstance(p, UninitializedParameter) for p in network.parameters()):
            raise UnscorableError("has lazy layers without weights yet: run one forward pass before scoring it.")
        if not layers_of(network):
            raise UnscorableError(
                "has no Conv2d and no Linear: proxies look at these layers. (Of a traced network, pass the module.)"
            )
        self.original = network
        self.seed = seed
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = working_copy(network, self.device)
        self.images = images.to(self.device).detach().requires_grad_()
        self.labels = labels.to(self.device)
        self.weights = [weight for weight in weights_of(self.network) if weight.requires_grad]
        self._run(copying=False)
        if any(tensor._version != version for tensor, version in self._noted):
            self._run(copying=True)  # the network worked in place on what was noted
        if self.weights and not self.logits.requires_grad:
            raise UnscorableError("gives logits without gradients: take no_grad and detach out of its forward.")
        if self.logits.ndim != 2 or len(self.logits) != len(self.images):
            shape = tuple(self.logits.shape)
            raise UnscorableError(f"returns a tensor of shape {shape}, not logits of shape (batch, classes).")
        classes = int(self.labels.max()) + 1
        if self.logits.shape[1] < classes:
            raise UnscorableError(
                f"has {self.logits.shape[1]} outputs, too few for the {classes} classes of the labels."
            )
        if not self.logits.isfinite().all():
            raise UnscorableError("gives inf or NaN at initialisation: normalise its layers or scale its weights down.")

    def _run(self, copying: bool) -> None:
        """The forward pass, with notes of what passes by; `copying` keeps them from work in place."""
        self._noted: list[tuple[Tensor, int]] = []
        self._rectified: list[Tensor] = []
        self._blocks: list[Tensor] = []
        self.calls: list[tuple[nn.Conv2d | nn.Linear, Tensor]] = []  # layers with their outputs, as they were run

        def note(tensor: Tensor) -> Tensor:
            """What the network goes on with."""
            self._noted.append((tensor, tensor._version))
            return tensor.clone() if copying else tensor

        def note_call(module: Any, _: Any, out: Any) -> Any:
            if not isinstance(out, Tensor):
                return out
            self.calls.append((module, out))
            return note(out)

        def note_block(_: Any, __: Any, out: Any) -> Any:
            if not isinstance(out, Tensor) or out.ndim not in (3, 4):
                return out
            if not out.requires_grad:  # a block that computes nothing: what follows still responds to what it is given
                out = out.detach().requires_grad_()
            self._blocks.append(out)
            return note(out)

        def note_rectified(values: Any) -> None:
            if not isinstance(values, Tensor) or values.ndim < 2:
                return
            if len(values) != len(self.images) and values.ndim == 3:  # tokens may come before the batch
                values = values.transpose(0, 1)
            if len(values) == len(self.images):
                kept = values.detach()
                self._rectified.append(kept.clone() if copying else kept)
                self._noted.append((kept, kept._version))

        with ExitStack() as stack:
            for layer in layers_of(self.network):
                stack.callback(layer.register_forward_hook(note_call).remove)
            for block in blocks_of(self.network):
                stack.callback(block.register_forward_hook(note_block).remove)
            functions = stack.enter_context(Functions(note_rectified))
            self.logits = self.forward(self.images.clone())  # a network may work in place on what it is given
        self.macs: float = functions.macs / len(self.images)  # of convolutions and matrix products for one image

    def forward(self, images: Tensor, network: nn.Module | None = None) -> Tensor:
        """Logits of the copy (or of `network`); the same dropout each time."""
        try:
            with seeded(self.seed), plain_attention():
                out = (network or self.network)(images)
        except (Exception, SystemExit) as error:
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            raise UnscorableError(f"fails on inputs of shape {tuple(images.shape)}: {what}") from error
        if not isinstance(out, Tensor):
            raise UnscorableError(f"returns {type(out).__name__}, not a tensor of logits (batch, classes).")
        return out

    @property
    def rectified(self) -> list[Tensor]:
        """What every rectifier got, each (batch, ...)."""
        if not self._rectified:
            raise UnscorableError("has no ReLU or the like: naswot and swap cannot be told: leave them out.")
        return self._rectified

    @cached_property
    def agreement(self) -> Tensor:
        """(batch, batch), how many rectifiers are on or off alike for two inputs; the diagonal counts them all."""
        total = torch.zeros(len(self.images), len(self.images), dtype=torch.float64)
        for values in self.rectified:
            on = (values.detach() > 0).flatten(1).float()
            both, each = on @ on.T, on.sum(1)
            total += (2 * both - each - each[:, None] + on.shape[1]).double().cpu()
        return total

    @cached_property
    def jacobian(self) -> Tensor:
        """(batch, pixels), the gradient of the summed logits with respect to each image."""
        (gradient,) = gradients(self.logits.sum(), [self.images])
        return gradient.flatten(1).double().cpu()

    @cached_property
    def loss(self) -> Tensor:
        """Mean cross-entropy against the labels."""
        return functional.cross_entropy(self.logits, self.labels)

    @cached_property
    def loss_gradients(self) -> tuple[list[Tensor], list[Tensor]]:
        """Gradients of the loss with respect to `weights`, and to the outputs of `calls`."""
        found = gradients(self.loss, [*self.weights, *(out for _, out in self.calls)])
        return found[: len(self.weights)], found[len(self.weights) :]

    @cached_property
    def half_gradients(self) -> tuple[list[Tensor], list[Tensor]]:
        """Gradients with respect to `weights` of the mean loss of each half of the batch; their mean is the loss's."""
        half = len(self.images) // 2
        first = gradients(functional.cross_entropy(self.logits[:half], self.labels[:half]), self.weights)
        return first, [2 * both - one for both, one in zip(self.loss_gradients[0], first, strict=True)]

    @property
    def blocks(self) -> list[Tensor]:
        """Outputs of blocks as they were run: images (batch, channels, height, width) or tokens (..., ..., features).

        One that has no neighbour of its kind is left out, as the convolution that cuts an image into patches.
        """
        kinds = [0, *(block.ndim for block in self._blocks), 0]
        around = zip(kinds, self._blocks, kinds[2:], strict=False)
        found = [block for before, block, after in around if block.ndim in (before, after)]
        if len(found) < 2:
            raise UnscorableError("has fewer than two blocks in sequence: leave out the parts of AZ-NAS, and growth.")
        return found

    @cached_property
    def entropies(self) -> list[float]:
        """Per block, the entropy of the spectrum of its features' covariance (Lee and Ham 2024, eq. 2), in nats."""
        return [_spectral_entropy(block.detach()) for block in self.blocks]


def gradients(output: Tensor, inputs: Sequence[Tensor], weighted: Tensor | None = None) -> list[Tensor]:
    """The gradient of `output` (weighted) with respect to each input; zeros where it does not depend on it."""
    found: Sequence[Tensor | None] = [None] * len(inputs)
    asked = [x for x in inputs if x.requires_grad]
    if output.requires_grad and asked:
        have = iter(torch.autograd.grad(output, asked, weighted, retain_graph=True, allow_unused=True))
        found = [next(have) if x.requires_grad else None for x in inputs]
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True)]


def _spectral_entropy(features: Tensor) -> float:
    rows = by_feature(features)
    rows = rows - rows.mean(1, keepdim=True)
    spectrum = torch.linalg.eigvalsh((rows @ rows.T / rows.shape[1]).double()).clamp(min=0)
    if not spectrum.sum() > 0:
        return 0.0
    share = spectrum / spectrum.sum()
    return float(-(share * (share + 1e-8).log()).sum())
