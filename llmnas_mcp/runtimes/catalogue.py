"""The runtimes there are, what each needs, and which function writes its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmnas_mcp.errors import LabError, UnknownNameError
from llmnas_mcp.runtimes import converters

if TYPE_CHECKING:
    from torch import Tensor, nn

Precision = Literal["f32", "bf16", "f16"]
Accelerator = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Runtime:
    """A runtime.

    suffix: of its model files. convert: writes a network, in evaluation mode, for inputs shaped like the one given.
    converting, running: the modules that converting needs here and running needs where the model runs. extra: what of
    this package installs them ("" where they come with it). precisions, accelerators: what it can be asked for.
    """

    name: str
    title: str
    suffix: str
    convert: Callable[[nn.Module, Tensor, Path], None]
    converting: tuple[str, ...]
    running: tuple[str, ...]
    extra: str
    precisions: tuple[Precision, ...] = ("f32",)
    accelerators: tuple[Accelerator, ...] = ("cpu",)

    def check(self, modules: tuple[str, ...]) -> None:
        """Raise LabError, naming the extra, where one of the modules is not installed here."""
        missing = [name for name in modules if not _installed(name)]
        if missing:
            raise LabError(
                f"{self.title} needs {' and '.join(missing)}, which is not installed here:"
                f" pip install 'llmnas-mcp[{self.extra}]'"
            )


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in
        return False


_TORCH: tuple[Precision, ...] = ("f32", "bf16", "f16")

RUNTIMES = {
    runtime.name: runtime
    for runtime in (
        Runtime(
            *("onnxruntime", "ONNX Runtime", ".onnx", converters.to_onnx, ("onnx",), ("onnxruntime",), "onnx"),
            accelerators=("cpu", "cuda"),
        ),
        Runtime(
            *("torch", "PyTorch (eager)", ".pt2", converters.to_exported, ("torch",), ("torch",), ""),
            precisions=_TORCH,
            accelerators=("cpu", "cuda"),
        ),
        Runtime(
            *("torch-compile", "PyTorch (torch.compile)", ".pt2", converters.to_exported, ("torch",), ("torch",), ""),
            precisions=_TORCH,
            accelerators=("cpu", "cuda"),
        ),
        Runtime(
            *("openvino", "OpenVINO", ".onnx", converters.to_onnx, ("onnx",), ("openvino",), "openvino"),
            precisions=("f32", "bf16", "f16"),
        ),
        Runtime(
            *("executorch", "ExecuTorch (XNNPACK)", ".pte", converters.to_executorch),
            *(("executorch.exir",), ("executorch.runtime",), "executorch"),
        ),
        Runtime(
            *("litert", "LiteRT (XNNPACK)", ".tflite", converters.to_tflite, (), ("ai_edge_litert",), "litert"),
        ),
    )
}


def runtime_of(name: str) -> Runtime:
    """The runtime of that name; raises UnknownNameError with those there are."""
    if name not in RUNTIMES:
        raise UnknownNameError("runtime", name, RUNTIMES)
    return RUNTIMES[name]
