"""Files of tensors and plain values, whole or as they were, of which nothing is run when they are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from llmnas_mcp.errors import DataError


def write_whole(path: Path, content: dict[str, Any]) -> None:
    """Write what `read_whole` reads; a kill leaves the file as it was."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        torch.save(content, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path.parent} cannot be written: {error}. Make room, or set LLMNAS_DATA.") from None
    finally:
        partial.unlink(missing_ok=True)


def read_whole(path: Path, fix: str, device: str = "cpu") -> dict[str, Any]:
    """What is in a file, its tensors on a device; raises DataError, with the fix, for one that is damaged."""
    try:
        found = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise DataError(f"There is no file {path}.") from None
    except (IsADirectoryError, PermissionError) as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    except Exception as error:  # noqa: BLE001 - torch, zip and pickle raise anything of what is no such file
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"{path} is not a whole file of weights: {why[0][:200]}. {fix}") from None
    if not isinstance(found, dict):
        raise DataError(f"{path} is not a whole file of weights: it holds a {type(found).__name__}. {fix}")
    return found
