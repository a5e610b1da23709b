"""The formats there are, each with the runtime that opens its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmnas_mcp.errors import LabError, UnknownNameError
from llmnas_mcp.runtimes import Runtime, converters, runtime_of


@dataclass(frozen=True)
class Format:
    """A format of files. suffix: of its files; beside: of a second file that belongs to each, "" for none.

    write: one of `runtimes.converters`. opens: the runtime, of `runtimes.RUNTIMES`, that files are checked in. of_onnx:
    how a file is made of a quantised ONNX model (model, file, what it says of itself); None where that can't be.
    """

    name: str
    suffix: str
    write: Callable[..., None]
    opens: str
    beside: str = ""
    of_onnx: Callable[[Path, Path, Mapping[str, str]], None] | None = None

    @property
    def runtime(self) -> Runtime:
        """The runtime that files are checked in."""
        return runtime_of(self.opens)

    def files(self, path: Path) -> list[Path]:
        """All that is written for a file of this format, the file itself last."""
        return [*([path.with_suffix(self.beside)] if self.beside else []), path]

    def check(self, path: Path) -> None:
        """Raise LabError where the format cannot be written here, or the file would have another suffix."""
        if path.suffix != self.suffix:
            raise LabError(f"{path}: a file of the format {self.name} ends in {self.suffix}.")
        self.runtime.check(self.runtime.converting + self.runtime.running)


FORMATS = {
    its.name: its
    for its in (
        Format("torch", ".pt2", converters.to_exported, "torch"),
        Format("onnx", ".onnx", converters.to_onnx, "onnxruntime", of_onnx=converters.onnx_of),
        Format("openvino", ".xml", converters.to_openvino, "openvino", ".bin", converters.openvino_of),
        Format("executorch", ".pte", converters.to_executorch, "executorch"),
    )
}


def format_of(name: str) -> Format:
    """The format of that name; raises UnknownNameError with those there are."""
    if name not in FORMATS:
        raise UnknownNameError("format", name, FORMATS)
    return FORMATS[name]
