"""Where models are timed: by the runner here, by ssh or where a command of the user's takes it, or on a phone."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from llmnas_mcp.devices.own import OwnDevice
from llmnas_mcp.errors import LabError
from llmnas_mcp.measuring import phone, runner
from llmnas_mcp.measuring.lost import lost

RUNNER = Path(runner.__file__)
SSH = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=20")  # asks for nothing: nobody would see the question


def events(device: OwnDevice, folder: Path) -> Iterator[dict[str, Any]]:
    """Time the models in `folder` where the device is; the runner's events as they come.

    Raises LabError, with what to do, where the device cannot be reached or goes away before the runner is done.
    """
    shutil.copy(RUNNER, folder / RUNNER.name)
    if device.adb:
        yield from phone.events(device, folder)
    elif device.ssh:
        yield from _by_ssh(device.ssh, folder, device.name)
    elif device.run:
        filled = [part.replace("{folder}", str(folder)) for part in shlex.split(device.run)]
        yield from _listen(filled, device.name)
    else:
        yield from _listen([sys.executable, str(folder / RUNNER.name), str(folder)], device.name)


def _by_ssh(host: str, folder: Path, name: str) -> Iterator[dict[str, Any]]:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, arcname=".")
    there = _asked(host, "mktemp -d", name).decode().strip()
    try:
        _asked(host, f"tar -xf - -C {shlex.quote(there)}", name, packed.getvalue())
        command = f"python3 {shlex.quote(there)}/{RUNNER.name} {shlex.quote(there)}"
        yield from _listen(["ssh", *SSH, host, command], name)
    finally:
        subprocess.run(["ssh", *SSH, host, f"rm -rf {shlex.quote(there)}"], capture_output=True, check=False)


def _asked(host: str, command: str, name: str, given: bytes = b"") -> bytes:
    """What a command says there; raises LabError where it fails."""
    try:
        done = subprocess.run(["ssh", *SSH, host, command], input=given, capture_output=True, check=False)
    except FileNotFoundError:
        raise LabError(f"{name} is reached by ssh, which is not installed here. Install OpenSSH's client.") from None
    if done.returncode:
        raise lost(name, done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout


def _listen(command: Sequence[str], name: str) -> Iterator[dict[str, Any]]:
    """The JSON lines a command writes, until it says that it is done."""
    last: dict[str, Any] = {}
    with _started(command, name) as (process, errors):
        for line in process.stdout or ():
            try:
                last = json.loads(line)
            except ValueError:
                errors.append(line)  # a runtime that prints
                continue
            if not isinstance(last, dict) or "event" not in last:
                continue
            yield last
        process.wait()
    if process.returncode or last.get("event") != "done":
        raise lost(name, process.returncode, "".join(errors))


@contextmanager
def _started(command: Sequence[str], name: str) -> Iterator[tuple[subprocess.Popen[str], deque[str]]]:
    """A process and the last that it wrote to stderr; ended when nobody listens any more."""
    errors: deque[str] = deque(maxlen=200)
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
    except OSError as error:
        raise LabError(f"{name} cannot be reached: {command[0]!r} cannot be started ({error.strerror}).") from None
    reader = threading.Thread(target=_drain, args=(process.stderr, errors), daemon=True)
    reader.start()
    try:
        yield process, errors
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join(timeout=10)
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def _drain(pipe: IO[str] | None, into: deque[str]) -> None:
    into.extend(pipe or ())
