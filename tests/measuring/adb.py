"""Stands in for adb and for programs on a phone: `adb.py FOLDER adb -s SERIAL COMMAND...`, `adb.py FOLDER PROGRAM ...`.

/data/local/tmp is FOLDER. The phone with the serial number in FOLDER/serial is there, and whatever FOLDER/after names
(runs of a program) have come it is gone. Its benchmark programs run ONNX models, and print what the real ones print.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

THERE = "/data/local/tmp"
FOLDER = Path(*sys.argv[1:2])  # of no arguments, when pytest looks for doctests here, any


def adb(serial: str, command: str, *words: str) -> int:
    if (FOLDER / "serial").read_text() != serial:
        sys.stderr.write(f"adb: device '{serial}' not found\n")
        return 1
    mapped = [word.replace(THERE, str(FOLDER)) for word in words]
    with (FOLDER / "commands").open("a") as file:
        file.write(f"{command} {' '.join(words)}\n")
    match command:
        case "push":
            shutil.copytree(*mapped)
        case "get-state":
            sys.stdout.write("device\n")
        case _:
            env = {**os.environ, "PATH": f"{FOLDER / 'bin'}:{os.environ['PATH']}"}
            return subprocess.run(["sh", "-c", *mapped], env=env, check=False).returncode
    return 0


def run(program: str, *options: str) -> int:
    """One of the two programs: time a model, and write its output where it is asked for."""
    import numpy as np
    import onnxruntime

    given = dict(option.lstrip("-").split("=", 1) for option in options)
    with (FOLDER / "runs").open("a") as file:
        file.write(program + "\n")
    if (FOLDER / "after").exists() and len((FOLDER / "runs").read_text().split()) > int((FOLDER / "after").read_text()):
        (FOLDER / "serial").write_text("gone")
        return 1
    path = given.get("graph") or given["model_path"]
    session = onnxruntime.InferenceSession(path)
    asked = session.get_inputs()[0]
    x = np.fromfile("input.bin", dtype=np.float32).reshape(asked.shape)
    seconds = []
    for _ in range(int(given.get("num_runs") or given["num_executions"])):
        begin = time.perf_counter()
        output = session.run(None, {asked.name: x})[0]
        seconds.append(time.perf_counter() - begin)
    if program == "benchmark_model":
        us = [1e6 * s for s in sorted(seconds)]
        sys.stdout.write(
            "INFO: count=3 first=9000000 curr=9000000 min=9000000 max=9000000 avg=9e+06 std=0\n"
            f"INFO: count={len(us)} first={us[0]:.0f} curr={us[0]:.0f} min={us[0]:.0f} max={us[-1]:.0f} avg=1 std=1"
            f" p5={us[0]:.0f} median={us[len(us) // 2]:.0f} p95={us[-1]:.0f}\n"
            "INFO: Overall peak memory footprint (MB) via periodic monitoring: 12.5\n"
        )
    else:
        output.tofile(f"{given['output_file']}-0.bin")
        for i, s in enumerate(seconds):
            sys.stderr.write(f"I 00:00:00.1 executorch:Iteration {i + 1} of {len(seconds)}: {1e3 * s:.6f} ms\n")
    return 0


if __name__ == "__main__":
    who, *rest = sys.argv[2:]
    sys.exit(adb(*rest[1:]) if who == "adb" else run(who, *rest))
