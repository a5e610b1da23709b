"""Android phones, reached by adb: no Python runs there, so a runtime's own benchmark program times the models.

The owner puts it on the phone once: TensorFlow Lite's `benchmark_model` for litert, ExecuTorch's `executor_runner` for
executorch. Passes are those of runner.py, its events too; a sample is one start of the program, which warms up by
itself. Of its runs `benchmark_model` prints the shortest, some percentiles and the longest, which stand for all. It
prints no outputs: those of a .tflite file are compared here, by LiteRT on this machine.
"""

from __future__ import annotations

import json
import re
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from llmnas_mcp.devices.own import OwnDevice
from llmnas_mcp.errors import LabError
from llmnas_mcp.measuring import runner
from llmnas_mcp.measuring.lost import lost

THERE = "/data/local/tmp"
RUNS, WARM = 10, 3  # of a sample, after so many that do not count

Events = Iterator[dict[str, Any]]


class RefusedError(Exception):
    """The program does not run a model; the reason."""


@dataclass(frozen=True)
class Program:
    """A benchmark program: its command line for a model, and the seconds and peak memory in MB in what it prints."""

    name: str
    origin: str
    command: Callable[[str, int], str]
    seconds: Callable[[str], list[float]]
    memory: Callable[[str], float | None]


def _benchmark_seconds(said: str) -> list[float]:
    """Of the last line of counts, which is of the runs after the warm-up.

    >>> _benchmark_seconds("count=10 first=2100 curr=2000 min=1990 max=2200 avg=2050 std=9 median=2010")
    [0.00199, 0.00201, 0.0022]
    """
    lines = re.findall(r"^.*count=\d+ .*$", said, re.MULTILINE)
    told = dict(re.findall(r"(\w+)=([\d.e+]+)", lines[-1])) if lines else {}
    return [float(told[name]) / 1e6 for name in ("min", "p5", "median", "p95", "max") if name in told]


def _benchmark_memory(said: str) -> float | None:
    found = re.search(r"peak memory footprint \(MB\)[^:]*: ([\d.]+)", said)
    return float(found[1]) if found else None


def _executor_seconds(said: str) -> list[float]:
    """Of each run, or their mean where a version prints no more.

    >>> _executor_seconds("Iteration 4 of 4: 2.5 ms")
    []
    >>> _executor_seconds("Model executed successfully 10 time(s) in 25.0 ms.")
    [0.0025]
    """
    each = [float(ms) / 1e3 for ms in re.findall(r"Iteration \d+ of \d+: ([\d.]+) ms", said)]
    whole = re.search(r"executed successfully (\d+) time\(s\) in ([\d.]+) ms", said)
    return each[WARM:] if each or not whole else [float(whole[2]) / int(whole[1]) / 1e3]


PROGRAMS = {
    "litert": Program(
        "benchmark_model",
        "TensorFlow Lite's benchmark tool for Android",
        lambda model, threads: (
            f"./benchmark_model --graph={model} --num_threads={threads} --use_xnnpack=true --num_runs={RUNS}"
            f" --min_secs=0 --warmup_runs={WARM} --warmup_min_secs=0 --report_peak_memory_footprint=true"
        ),
        _benchmark_seconds,
        _benchmark_memory,
    ),
    "executorch": Program(
        "executor_runner",
        "ExecuTorch's runner, built for Android with XNNPACK",
        lambda model, threads: (
            f"./executor_runner --model_path={model} --num_executions={WARM + RUNS} --cpu_threads={threads}"
            " --inputs=input.bin --output_file=output"
        ),
        _executor_seconds,
        lambda _: None,
    ),
}


def events(device: OwnDevice, folder: Path) -> Events:
    """Time the models in `folder` on a phone; the events of runner.py as they come.

    Raises LabError, with what to do, where adb, the phone or its benchmark program is not there or goes away.
    """
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    given = np.load(folder / job["input"])
    given.tofile(folder / "input.bin")
    program, phone = PROGRAMS[device.runtime], _Phone(device)
    phone.need(program)
    there = f"{THERE}/llmnas-{uuid4().hex[:8]}"
    try:
        phone.adb("push", str(folder), there)
        phone.shell(f"ln -s {THERE}/{program.name} {there}/")
        cores = phone.fastest(device.threads)
        yield {"event": "fingerprint", **phone.fingerprint(job, program, cores)}
        command = f"cd {there} && taskset {sum(1 << core for core in cores):x} "

        def start(model: str) -> str:
            return phone.program(command + program.command(model, device.threads))

        able = []
        for model in job["models"]:
            try:
                said = start(model)
                yield {"event": "ready", "model": model, "output": _output(phone, device, folder / model, there, given)}
            except RefusedError as error:
                yield {"event": "refused", "model": model, "reason": str(error)}
                continue
            able.append(model)
            if (memory := program.memory(said)) is not None:
                yield {"event": "alone", "model": model, "bytes": memory * 1e6, "joules": None}
        settled = False
        if job["models"][0] in able:
            for number, seconds, calm in runner.passes(able, lambda model: program.seconds(start(model)), job):
                settled = calm
                yield {"event": "pass", "number": number, "seconds": seconds, "clock": phone.clock(cores[-1])}
        yield {"event": "done", "settled": settled, "energy": "adb reads no counter of a phone's energy"}
    finally:
        phone.tidy(there)


def _output(phone: _Phone, device: OwnDevice, model: Path, there: str, given: Any) -> list[float]:
    """What the model gave for the input: on the phone, or of a .tflite file here."""
    if device.runtime == "litert":
        told = runner.load_litert(model, {"threads": 1})(given)
        return [float(value) for value in np.asarray(told).ravel()]
    written = phone.adb("exec-out", f"cat {there}/output-0.bin")
    return list(struct.unpack(f"<{len(written) // 4}f", written[: len(written) // 4 * 4]))


class _Phone:
    """A phone by its serial number; what it does not do, or is not there for, is a LabError."""

    def __init__(self, device: OwnDevice) -> None:
        self._name, self._serial = device.name, str(device.adb)

    def adb(self, *words: str) -> bytes:
        """What one command of adb writes."""
        done = self._start(*words)
        if done.returncode:
            raise lost(self._name, done.returncode, done.stderr.decode(errors="replace"))
        return done.stdout

    def shell(self, command: str) -> str:
        return self.adb("shell", command).decode(errors="replace").strip()

    def program(self, command: str) -> str:
        """What a program prints; raises RefusedError where it fails and the phone is still there."""
        done = self._start("shell", f"{command} 2>&1")
        said = done.stdout.decode(errors="replace")
        if done.returncode:
            self.adb("get-state")
            raise RefusedError("\n".join(said.strip().splitlines()[-3:])[:1000] or f"it ended with {done.returncode}")
        return said

    def need(self, program: Program) -> None:
        """Raise LabError, with how to put it there, where the phone lacks the program."""
        path = f"{THERE}/{program.name}"
        if self.shell(f"[ -x {path} ] && echo there || echo missing") != "there":
            raise LabError(
                f"{self._name} has no {path}, {program.origin}. Put it there: adb -s {self._serial} push"
                f" {program.name} {THERE}/ && adb -s {self._serial} shell chmod 755 {path}"
            )

    def fastest(self, count: int) -> list[int]:
        """So many cores of the highest clock."""
        said = self.shell(
            "for c in /sys/devices/system/cpu/cpu[0-9]*; do"
            ' echo "${c##*cpu} $(cat $c/cpufreq/cpuinfo_max_freq 2>/dev/null || echo 0)"; done'
        )
        clocks = {int(core): int(clock) for core, clock in (line.split() for line in said.splitlines())}
        return sorted(sorted(clocks, key=lambda core: (clocks[core], core))[-count:])

    def fingerprint(self, job: dict[str, Any], program: Program, cores: list[int]) -> dict[str, Any]:
        model, platform, system = (
            self.shell(f"getprop {name}") for name in ("ro.product.model", "ro.board.platform", "ro.build.fingerprint")
        )
        settings = {name: job[name] for name in ("runtime", "threads", "batch", "precision", "accelerator")}
        digest = self.shell(f"md5sum {THERE}/{program.name}").split()[0]
        return {
            **{"processor": f"{model} ({platform})", "system": system, "pinned": cores},
            **{"versions": {program.name: digest}, **settings},
        }

    def clock(self, core: int) -> dict[str, str]:
        path = f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq"
        return {"scaling_cur_freq": self.shell(f"cat {path} 2>/dev/null || echo unknown")}

    def tidy(self, there: str) -> None:
        self._start("shell", f"rm -rf {there}")

    def _start(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(["adb", "-s", self._serial, *words], capture_output=True, check=False)
        except FileNotFoundError:
            raise LabError(
                f"{self._name} is reached by adb, which is not installed here. Install Android's platform-tools."
            ) from None
