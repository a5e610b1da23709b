"""Writes a network to a file of a runtime's format. Each function takes a network in evaluation mode and an input.

`batches`: the file takes any number of images, and not that of the input alone, which must then be two or more.
`about`: what the file is to say of the network, by name, where its format has room for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from llmnas_mcp.errors import LabError

if TYPE_CHECKING:
    from torch import Tensor, nn

LITERT = "LLMNAS_LITERT_PYTHON"
INPUT, OUTPUT, ABOUT = "input", "logits", "llmnas"  # names in the files
MOST_IMAGES = 8  # at once, where a file reserves memory for them; from 16 on ExecuTorch lowers it by itself
NOTHING: Mapping[str, str] = MappingProxyType({})


def to_onnx(
    network: nn.Module, x: Tensor, path: Path, *, batches: bool = False, about: Mapping[str, str] = NOTHING
) -> None:
    """An ONNX model, opset 17, batch normalisation folded into the convolutions; `about` is its metadata.

    By torch's older exporter, which is fifteen times faster than the one that replaces it, and writes the same
    operators for these networks.
    """
    import torch

    named: dict[str, Any] = {"input_names": [INPUT], "output_names": [OUTPUT]}
    if batches:
        named["dynamic_axes"] = {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is the older one, and what a trace cannot see
        torch.onnx.export(network, (x,), path, dynamo=False, opset_version=17, **named)
    if about:
        describe_onnx(path, about)


def describe_onnx(path: Path, about: Mapping[str, str]) -> None:
    """Write what is to be said of a network into the metadata of its ONNX model."""
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, dict(about))
    onnx.save(model, path)


def to_openvino(
    network: nn.Module, x: Tensor, path: Path, *, batches: bool = False, about: Mapping[str, str] = NOTHING
) -> None:
    """OpenVINO's own files, .xml and beside it .bin, made of the ONNX model; `about` is in rt_info/llmnas."""
    with tempfile.TemporaryDirectory() as folder:
        middle = Path(folder, "network.onnx")
        to_onnx(network, x, middle, batches=batches)
        openvino_of(middle, path, about)


def openvino_of(onnx: Path, path: Path, about: Mapping[str, str]) -> None:
    """OpenVINO's own files of an ONNX model, in the precision it has."""
    import openvino

    model = openvino.convert_model(onnx)
    for name, text in about.items():
        model.set_rt_info(text, [ABOUT, name])
    openvino.save_model(model, path, compress_to_fp16=False)


def onnx_of(onnx: Path, path: Path, about: Mapping[str, str]) -> None:
    """An ONNX model moved to where it belongs, with what is to be said of it."""
    onnx.replace(path)
    describe_onnx(path, about)


def to_exported(
    network: nn.Module, x: Tensor, path: Path, *, batches: bool = False, about: Mapping[str, str] = NOTHING
) -> None:
    """torch's exported program: the network's operators and weights, and none of its code; `about` is llmnas.json."""
    import torch

    extra = {f"{ABOUT}.json": json.dumps(dict(about))} if about else None
    torch.export.save(torch.export.export(network, (x,), dynamic_shapes=_sizes(batches)), path, extra_files=extra)


def to_executorch(
    network: nn.Module, x: Tensor, path: Path, *, batches: bool = False, about: Mapping[str, str] = NOTHING
) -> None:
    """An ExecuTorch program for XNNPACK, which runs what it does not know by its own operators.

    With `batches` it takes at most MOST_IMAGES at once. `about` is what its method `llmnas` returns, as JSON.
    """
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    constants = {ABOUT: json.dumps(dict(about))} if about else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(network, (x,), dynamic_shapes=_sizes(batches, MOST_IMAGES))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()], constant_methods=constants)
        path.write_bytes(lowered.to_executorch().buffer)


def _sizes(batches: bool, most: int | None = None) -> Any:
    """Which sizes of the input may vary, as torch.export takes it."""
    import torch

    return ({0: torch.export.Dim("batch", min=1, max=most)},) if batches else None


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
