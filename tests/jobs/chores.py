"""What the processes of the tests are asked to do: they import it from here."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from llmnas_mcp.errors import DataError
from llmnas_mcp.scoring import workers

DEADLY = (3, 3, 3, 3, 3, 3)


def same(value: Any) -> Any:
    return value


def pid() -> int:
    return os.getpid()


def meet(folder: str, count: int) -> str | None:
    """Wait until so many processes have come to a folder, and say which GPU this one sees."""
    Path(folder).mkdir(exist_ok=True)
    Path(folder, str(os.getpid())).touch()
    while len(list(Path(folder).iterdir())) < count:
        threading.Event().wait(0.01)
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def threads() -> list[int]:
    import torch

    return [torch.get_num_threads(), int(os.environ["OPENBLAS_NUM_THREADS"])]


def hang() -> None:
    """Say who hangs, and hang."""
    os.write(sys.stderr.fileno(), f"{os.getpid()}\n".encode())  # in one write: two may hang at once
    threading.Event().wait()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(code: int) -> None:
    os._exit(code)


def refuse() -> None:
    raise DataError("There is no such file: name another.")


def stumble() -> None:
    raise KeyError("my own mistake")


def quit_politely() -> None:
    sys.exit("enough")


def not_plain() -> object:
    return object()


def chatter() -> str:
    """Write to standard output in every way, and read from standard input."""
    print("by print")  # noqa: T201
    sys.stdout.flush()
    os.write(1, b"by number\n")
    os.system("echo by another process")
    return sys.stdin.read()


def measure_unless_deadly(spec: str, edition: str, genotype: list[int], *rest: Any) -> Any:
    if tuple(genotype) == DEADLY:
        die()
    return workers.measure_one(spec, edition, genotype, *rest)
