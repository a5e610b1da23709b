"""What a process of `Processes` runs: a line of JSON comes in for each job, and one goes out."""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

from llmnas_mcp.errors import LabError


def main() -> None:
    """Do jobs until the other end of standard input is closed, or gone with its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        # Where memory runs out, this process is the one to go, not the server or the user's editor.
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")
    lines, answers = _take(0, "rb"), _take(1, "wb")
    jobs: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(lines, jobs), daemon=True).start()
    while True:
        answers.write(_done(*json.loads(jobs.get())).encode() + b"\n")
        answers.flush()
        gc.collect()  # networks are full of circles: what they hold is given back before the next comes


def _take(number: int, mode: str) -> BinaryIO:
    """A pipe for ourselves alone: what else reads or prints in this process gets nothing, or standard error."""
    own = os.fdopen(os.dup(number), mode)
    try:
        if number == 0:
            raise OSError
        os.dup2(2, number)
    except OSError:  # also where there is no standard error
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, number)
        os.close(nothing)
    return own  # type: ignore[return-value]  # binary, as `mode` says


def _read(lines: BinaryIO, jobs: SimpleQueue[bytes]) -> None:
    """Pass jobs on. Nobody waits for what is being done when the input ends: so this ends the process at once."""
    for line in lines:
        jobs.put(line)
    os._exit(0)


def _done(module: str, name: str, arguments: list[Any]) -> str:
    try:
        return json.dumps({"value": getattr(importlib.import_module(module), name)(*arguments)})
    except LabError as error:
        return json.dumps({"kind": "refused", "why": str(error)})
    except BaseException as error:  # noqa: BLE001 - also SystemExit of a user's code: the next job is none of its business
        what = f"{type(error).__name__}: {error}".removesuffix(": ").splitlines()[0]
        return json.dumps({"kind": "raised", "why": what})
