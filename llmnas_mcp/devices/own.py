"""Devices of the laboratory's owner: what each is, and every time that was measured on it.

A folder a device in `own-devices/` of the folder of tables: `device.json` says what it is, `times.jsonl` has a line for
each measured architecture with its raw samples, `fingerprints.json` the machine, versions and settings they were taken
with. Times of different fingerprints are never mixed: those of the newest count.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from llmnas_mcp.devices.catalogue import DEVICES, ON_DEVICE, Objective
from llmnas_mcp.devices.modelling import LEAST, CostFit, fit_costs
from llmnas_mcp.errors import DataError, LabError, UnknownNameError
from llmnas_mcp.spaces import Genotype, Space, dataset_shape

FOLDER = "own-devices"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
ADD = "Add one: llmnas device add NAME --runtime RUNTIME"
FIGURES = ("minimum", "tenth percentile", "median")
HOST = "host:"  # begins the source of what was measured on an own device

Float = NDArray[np.float64]


@dataclass(frozen=True)
class OwnDevice:
    """A runtime with its settings on a machine: this one, or another that is reached by ssh, a command or adb.

    ssh: the host; run: the command that starts the runner, with {folder} where its folder stands; adb: the phone's
    serial number. At most one of them. graphs: on a GPU, kernels are replayed as one CUDA graph.
    """

    name: str
    runtime: str
    threads: int = 1
    batch: int = 1
    precision: str = "f32"
    accelerator: str = "cpu"
    ssh: str | None = None
    run: str | None = None
    adb: str | None = None
    graphs: bool = False

    @property
    def title(self) -> str:
        """What it is, for people.

        >>> OwnDevice("laptop", "onnxruntime").title
        'onnxruntime, 1 thread, on this machine'
        """
        more = [f"batch {self.batch}"] * (self.batch > 1) + [self.precision] * (self.precision != "f32")
        more += ["CUDA graphs"] * self.graphs
        on = self.where if self.accelerator == "cpu" else f"the GPU of {self.where}"
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return ", ".join([self.runtime, threads, *more, f"on {on}"])

    @property
    def where(self) -> str:
        """Where it is, for people.

        >>> OwnDevice("laptop", "onnxruntime").where
        'this machine'
        """
        if self.adb:
            return f"the phone {self.adb}"
        return f"ssh {self.ssh}" if self.ssh else self.run or "this machine"

    @property
    def here(self) -> bool:
        """Whether its runtime runs on this machine."""
        return not (self.ssh or self.run or self.adb)


@dataclass(frozen=True)
class Measured:
    """What was measured of one architecture: seconds of each run, by pass, and what its process held and used."""

    space: str
    dataset: str
    genotype: Genotype
    fingerprint: str
    when: str
    seconds: tuple[tuple[float, ...], ...]
    settled: bool
    memory_mb: float | None = None
    energy_mj: float | None = None


def own_devices(data: Path) -> dict[str, OwnDevice]:
    """Those that the owner added, by name; raises DataError for a damaged record."""
    return {path.parent.name: _read(path) for path in sorted((data / FOLDER).glob("*/device.json"))}


def own_device(name: str, data: Path) -> OwnDevice:
    """One of them; raises UnknownNameError with those there are."""
    known = own_devices(data)
    if not known:
        raise LabError(f"{name!r:.60} is no own device: there are none yet. {ADD}")
    if name not in known:
        raise UnknownNameError("own device", name, known, ADD)
    return known[name]


def add_device(device: OwnDevice, data: Path) -> None:
    """Remember a device. Raises LabError for a name that is taken or cannot be one."""
    if not NAME.fullmatch(device.name):
        raise LabError(
            f"{device.name!r:.60} cannot be a device's name: give letters, digits, '-' and '_', at most 40 of them."
        )
    if device.name in DEVICES:
        raise LabError(f"{device.name} is a device already: choose another name than {', '.join(DEVICES)}.")
    path = data / FOLDER / device.name / "device.json"
    if path.exists():
        raise LabError(f"{device.name} was added already, as {_read(path).title}: choose another name, or remove it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, asdict(device))
    except OSError as error:
        raise DataError(f"{path.parent} cannot be written: {error.strerror}. Set LLMNAS_DATA to a folder.") from None


def remove_device(name: str, data: Path) -> None:
    """Forget a device and all that was measured on it."""
    own_device(name, data)
    folder = data / FOLDER / name
    (folder / "device.json").unlink()  # first: without it, the rest is nobody's
    for path in sorted(folder.iterdir()):
        path.unlink()
    folder.rmdir()


@contextmanager
def held(name: str, data: Path) -> Iterator[None]:
    """A lock on a device, which goes with the process; raises LabError where another process measures on it."""
    try:
        with FileLock(data / FOLDER / name / "lock", timeout=0):
            yield
    except Timeout:
        raise LabError(
            f"Another process measures on {name} now. Wait for it: two at once would time each other."
        ) from None


def keep(
    measured: Iterable[Measured], told: Mapping[str, Any], name: str, data: Path, no_energy: str | None = None
) -> None:
    """Add what was measured to the device's times, the fingerprint it was measured with, and why energy was not."""
    _write(data / FOLDER / name / "energy.json", {"unknown": no_energy})
    path, number = data / FOLDER / name / "fingerprints.json", fingerprint_id(told)
    if number not in (known := fingerprints(name, data)):
        _write(path, {**known, number: dict(told)})
    with (data / FOLDER / name / "times.jsonl").open("a", encoding="utf-8") as file:
        for one in measured:
            file.write(json.dumps(asdict(one)) + "\n")


def fingerprint_id(told: Mapping[str, Any]) -> str:
    """Eight digits that follow from a fingerprint."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]


def fingerprints(name: str, data: Path) -> dict[str, dict[str, Any]]:
    """By id, oldest first."""
    path = data / FOLDER / name / "fingerprints.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def why_no_energy(name: str, data: Path) -> str | None:
    """Why the energy of a run on a device was not measured; None where it was, or nothing was measured yet."""
    path = data / FOLDER / name / "energy.json"
    return json.loads(path.read_text(encoding="utf-8"))["unknown"] if path.exists() else None


def measured_when(name: str, space: str, dataset: str, data: Path) -> str | None:
    """When a device was last measured in a space and on what, for people; None where it was not."""
    mine = [m for m in times_of(name, data) if (m.space, m.dataset) == (space, dataset)]
    if not mine:
        return None
    last = max(mine, key=lambda m: m.when)
    told = fingerprints(name, data)[last.fingerprint]
    versions = " ".join(f"{package} {version}" for package, version in told.get("versions", {}).items())
    parts = (last.when[:10], told.get("gpu", told.get("processor")), versions, f"fingerprint {last.fingerprint}")
    return ", ".join(filter(None, parts))


def times_of(name: str, data: Path) -> list[Measured]:
    """All that counts of a device's times: of the newest fingerprint, the newest of each architecture."""
    return _known(name, data).times


@dataclass(frozen=True)
class _Known:
    """A device's times that count; of each, by the figure that repeats best, milliseconds and how far they repeat."""

    times: list[Measured]
    milliseconds: list[float]
    errors: list[float]


def _known(name: str, data: Path) -> _Known:
    path = data / FOLDER / name / "times.jsonl"
    if not path.exists():
        return _Known([], [], [])
    stat = path.stat()
    return _read_times(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=32)
def _read_times(path: Path, _mtime: int, _size: int) -> _Known:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # the last line of a process that was killed while it wrote
        row["genotype"], row["seconds"] = tuple(row["genotype"]), tuple(map(tuple, row["seconds"]))
        found.append(Measured(**row))
    newest = found[-1].fingerprint if found else None
    times = list({(m.space, m.dataset, m.genotype): m for m in found if m.fingerprint == newest}.values())
    figure = figure_of(times)
    every = repeats(times, figure)
    errors = [float(np.fmax(own, _usual(every))) for own in every]
    return _Known(times, [1000 * _figure(figure, m.seconds) for m in times], errors)


def figure_of(times: list[Measured]) -> str:
    """The figure that repeats best: whose values over every other pass differ least from those over the rest."""
    return min(FIGURES, key=lambda name: np.nan_to_num(_usual(repeats(times, name))))


def repeats(times: list[Measured], figure: str) -> list[float]:
    """How far each architecture's figure over every other pass is from that over the rest, a share; NaN of one pass."""
    found = []
    for m in times:
        halves = [_figure(figure, half) for half in (m.seconds[::2], m.seconds[1::2]) if half]
        found.append(abs(halves[0] / halves[1] - 1) if len(halves) == 2 else float("nan"))
    return found


def time_of(measured: Measured) -> float:
    """The tenth percentile of an architecture's runs, in seconds: of one architecture, to be compared with itself."""
    return _figure("tenth percentile", measured.seconds)


def fitted_to_times(name: str, space: Space, dataset: str, objective: Objective, data: Path) -> CostFit | None:
    """A model of what was measured of a cost, for the rest of the space; None where too little was measured."""
    path = data / FOLDER / name / "times.jsonl"
    if not path.exists():
        return None
    stat = path.stat()
    return _fit(data, stat.st_mtime_ns, stat.st_size, name, space, dataset, objective)


@lru_cache(maxsize=32)
def _fit(
    data: Path, _mtime: int, _size: int, name: str, space: Space, dataset: str, objective: Objective
) -> CostFit | None:
    known = measured_costs(name, space.name, dataset, objective, data)
    if len(known) < LEAST:
        return None
    return fit_costs(space, dataset_shape(dataset, data), list(known), np.array(list(known.values())))


def _figure(name: str, passes: tuple[tuple[float, ...], ...]) -> float:
    runs = [seconds for one in passes for seconds in one]
    return float(np.percentile(runs, {"minimum": 0, "tenth percentile": 10, "median": 50}[name]))


def measured_costs(name: str, space: str, dataset: str, objective: Objective, data: Path) -> dict[Genotype, float]:
    """What was measured of a cost on a device: genotype as given -> ms, mJ or MB. Empty where nothing was."""
    known = _known(name, data)
    if objective == "latency":
        pairs = zip(known.times, known.milliseconds, strict=True)
        return {m.genotype: value for m, value in pairs if (m.space, m.dataset) == (space, dataset)}
    mine = [m for m in known.times if (m.space, m.dataset) == (space, dataset)]
    values = {m.genotype: m.memory_mb if objective == "memory" else m.energy_mj for m in mine}
    return {genotype: value for genotype, value in values.items() if value is not None}


def _usual(differences: list[float]) -> float:
    """The median of those that are known; NaN where none is."""
    known = [each for each in differences if not np.isnan(each)]
    return float(np.median(known)) if known else float("nan")


def measured_errors(name: str, space: str, dataset: str, data: Path) -> dict[Genotype, float]:
    """How far each measured latency repeats, a share of it: how its halves differ, or what is usual if that is more."""
    known = _known(name, data)
    pairs = zip(known.times, known.errors, strict=True)
    return {m.genotype: error for m, error in pairs if (m.space, m.dataset) == (space, dataset)}


def measured_counts(name: str, data: Path) -> dict[str, int]:
    """How many architectures were timed on a device: "SPACE on DATASET" -> number."""
    return dict(Counter(f"{m.space} on {m.dataset}" for m in times_of(name, data)))


def measured_anywhere(name: str, data: Path) -> set[tuple[str, str, Objective]]:
    """The (space, dataset, objective) of which something was measured on a device."""
    found = set()
    for m in times_of(name, data):
        having = {"latency": True, "energy": m.energy_mj is not None, "memory": m.memory_mb is not None}
        found |= {(m.space, m.dataset, objective) for objective in ON_DEVICE if having[objective]}
    return found


def _read(path: Path) -> OwnDevice:
    try:
        return OwnDevice(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}). Delete its folder and add the device again.") from None


def _write(path: Path, values: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(values, indent=1), encoding="utf-8")
    partial.replace(path)
