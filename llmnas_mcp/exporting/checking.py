"""A file that was written is opened in its runtime, and gives what torch does, or it is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llmnas_mcp.errors import LabError
from llmnas_mcp.exporting.formats import Format
from llmnas_mcp.exporting.quantising import Run
from llmnas_mcp.images import Images
from llmnas_mcp.measuring.runner import LOADERS
from llmnas_mcp.spaces import Dataset

if TYPE_CHECKING:
    from torch import nn

NEAR = 1e-4  # how far outputs in float32 may be from torch's, as a share of the largest
BATCHES, SEED = (1, 3), 2510


def opened(kind: Format, path: Path) -> Run:
    """A file in its runtime, on the CPU: images (n, channels, height, width) -> logits (n, classes)."""
    import torch

    job = {"threads": torch.get_num_threads(), "accelerator": "cpu", "precision": "f32"}
    try:
        run = LOADERS[kind.opens](path, job)
    except Exception as error:  # a runtime may raise anything
        raise _does_not_run(kind, error) from error
    return lambda x: np.asarray(run(x))


def difference(kind: Format, run: Run, network: nn.Module, dataset: Dataset, shown: Images | None = None) -> float:
    """How far outputs are from torch's, as a share of the largest, at most over batches of one and of several images.

    These are random, or of the test images of what is shown: int8 holds for values as large as those of real images.
    Raises LabError where the runtime cannot run the file, or gives anything but a finite number for each class.
    """
    import torch

    made = torch.Generator().manual_seed(SEED)
    furthest = 0.0
    for images in BATCHES:
        if shown:
            x = torch.from_numpy(np.ascontiguousarray(shown.normalise(shown.test_x[:images])))
        else:
            x = torch.randn(images, dataset.channels, dataset.resolution, dataset.resolution, generator=made)
        with torch.inference_mode():
            wanted = network(x).numpy()
        try:
            found = run(x.numpy())
        except Exception as error:  # a runtime may raise anything
            raise _does_not_run(kind, error) from error
        if not np.isfinite(wanted).all():
            raise LabError("The network gives inf or NaN in torch already: its weights are not of a trained network.")
        if found.shape != wanted.shape or not np.isfinite(found).all():
            raise LabError(
                f"{_told(kind)} gives no finite number for each of {dataset.classes} classes and {images} images:"
                f" shape {found.shape}. Nothing was written."
            )
        furthest = max(furthest, float(np.abs(found - wanted).max() / np.abs(wanted).max()))
    return furthest


def check_near(kind: Format, off: float) -> None:
    """Raise LabError where outputs in float32 are further from torch's than NEAR."""
    if not off <= NEAR:
        raise LabError(
            f"{_told(kind)} gives other outputs than torch, by {off:.2g} of the largest ({NEAR:.0e} is allowed)."
            " Nothing was written. Try another --format, and tell us of it."
        )


def _does_not_run(kind: Format, error: Exception) -> LabError:
    what: Any = str(error).strip().splitlines() or [type(error).__name__]
    return LabError(f"{_told(kind)} does not run it: {what[0][:300]}. Nothing was written.")


def _told(kind: Format) -> str:
    return f"The file was made, but {kind.runtime.title}"
