"""Eight-bit integers in place of floats, by ONNX Runtime's own quantiser, and what that does to the accuracy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import LabError
from llmnas_mcp.exporting.formats import FORMATS, Format
from llmnas_mcp.images import Images
from llmnas_mcp.runtimes import runtime_of

CALIBRATING, SEED = 256, 2510  # training images that show the quantiser how large values become
TOGETHER = 64  # images that are run at once
Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def check_int8(kind: Format) -> None:
    """Raise LabError for a format that is not made of an ONNX model, and where ONNX Runtime is not installed."""
    if kind.of_onnx is None:
        formats = " and ".join(name for name, its in FORMATS.items() if its.of_onnx)
        raise LabError(f"--int8: int8 is written for the formats {formats} only, not for {kind.name}.")
    quantiser = runtime_of("onnxruntime")
    quantiser.check(quantiser.converting + quantiser.running)


def quantise(path: Path, images: Images, to: Path) -> None:
    """Write an ONNX model with weights and activations in int8, a scale for each channel.

    Calibrated on training images: static quantisation in the QDQ form, which ONNX Runtime and OpenVINO read.
    Activations are unsigned: signed ones are four times slower in ONNX Runtime on x86, slower than floats.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    drawn = np.random.default_rng(SEED).permutation(len(images.train_x))[:CALIBRATING]

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Gives the calibrating images."""

        def __init__(self) -> None:
            self._left = _batches(images, images.train_x[np.sort(drawn)])

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            """The next few, by the name of the input."""
            batch = next(self._left, None)
            return None if batch is None else {"input": batch}

    prepared = to.with_name(f"prepared-{to.name}")
    logging.disable(logging.WARNING)  # that it prefers models prepared by the step that has just been done
    try:
        quant_pre_process(path, prepared)
        quantize_static(
            prepared, to, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8
        )
    finally:
        logging.disable(logging.NOTSET)
        prepared.unlink(missing_ok=True)


def accuracy(run: Run, images: Images) -> float:
    """The share of the test images, in %, that a network puts into their class."""
    found = [run(batch).argmax(1) for batch in _batches(images, images.test_x)]
    return float(100 * (np.concatenate(found) == images.test_y).mean())


def _batches(images: Images, x: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(x), TOGETHER):
        yield np.ascontiguousarray(images.normalise(x[start : start + TOGETHER]), dtype=np.float32)
