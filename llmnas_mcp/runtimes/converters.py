"""Writes a network to a file of a runtime's format. Each function takes a network in evaluation mode and an input."""

from __future__ import annotations

import os
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from llmnas_mcp.errors import LabError

if TYPE_CHECKING:
    from torch import Tensor, nn

LITERT = "LLMNAS_LITERT_PYTHON"


def to_onnx(network: nn.Module, x: Tensor, path: Path) -> None:
    """An ONNX model, opset 17, batch normalisation folded into the convolutions.

    By torch's older exporter, which is fifteen times faster than the one that replaces it, and writes the same
    operators for these networks.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is the older one, and what a trace cannot see
        torch.onnx.export(network, (x,), path, dynamo=False, opset_version=17, input_names=["input"])


def to_exported(network: nn.Module, x: Tensor, path: Path) -> None:
    """torch's exported program: the network's operators and weights, and none of its code."""
    import torch

    torch.export.save(torch.export.export(network, (x,)), path)


def to_executorch(network: nn.Module, x: Tensor, path: Path) -> None:
    """An ExecuTorch program for XNNPACK, which runs what it does not know by its own operators."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lowered = to_edge_transform_and_lower(torch.export.export(network, (x,)), partitioner=[XnnpackPartitioner()])
        path.write_bytes(lowered.to_executorch().buffer)


_TFLITE = """
import sys, numpy, torch, litert_torch
network = torch.export.load(sys.argv[1]).module()
litert_torch.convert(network, (torch.from_numpy(numpy.load(sys.argv[2])),)).export(sys.argv[3])
"""


def to_tflite(network: nn.Module, x: Tensor, path: Path) -> None:
    """A TensorFlow Lite model, by litert-torch in an environment of its own: its packages do not agree with ours.

    Raises LabError where LLMNAS_LITERT_PYTHON does not name the Python of one, and where it cannot convert.
    """
    import numpy as np

    python = os.environ.get(LITERT)
    if not python:
        raise LabError(
            f"Models for LiteRT are written by litert-torch, whose packages do not agree with ours. Install it in an"
            f" environment of its own and set {LITERT} to that environment's Python."
        )
    with tempfile.TemporaryDirectory() as folder:
        program, given = Path(folder, "network.pt2"), Path(folder, "input.npy")
        to_exported(network, x, program)
        np.save(given, x.numpy())
        done = subprocess.run(
            [python, "-c", _TFLITE, str(program), str(given), str(path)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise LabError(f"litert-torch ({LITERT}={python}) could not convert the network: {reason[:300]}")
