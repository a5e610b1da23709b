"""How a network becomes a file that a runtime runs: ONNX, OpenVINO, ExecuTorch, LiteRT, or torch's exported program."""

from llmnas_mcp.runtimes.catalogue import RUNTIMES, Precision, Runtime, runtime_of

__all__ = ["RUNTIMES", "Precision", "Runtime", "runtime_of"]
