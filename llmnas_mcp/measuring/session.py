"""One session with a device: networks are built and converted here, timed there, and checked against torch."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llmnas_mcp.devices.own import Measured, OwnDevice, fingerprint_id
from llmnas_mcp.errors import LabError
from llmnas_mcp.measuring.places import events
from llmnas_mcp.runtimes import runtime_of
from llmnas_mcp.spaces import Dataset, Genotype, Space

if TYPE_CHECKING:
    from torch import nn

SEED = 2510
CALIBRATING = 8  # images
NETWORKS = 2  # raise it with anything that makes another file of a network: times of both are no times of one thing
PASSES, SECONDS = (6, 40), 60.0  # of a session: least and most passes, and the most seconds for them
# How far outputs may be from torch's, as a share of the largest: what the precision loses over some dozen layers.
FAR = {"f32": 1e-3, "bf16": 0.1, "f16": 0.02}

Progress = Callable[[str], None]


@dataclass
class Session:
    """What came of a session: `measured` in the order asked, and of the others the reason.

    drift: how much longer the reference network took in the last pass than in its fastest (0.02 is 2 %). busy: how much
    longer its median run took than its shortest, which other load makes large. energy: why none was measured. lost:
    what to say of a device that went away after enough passes for a measurement.
    """

    measured: list[Measured] = field(default_factory=list)
    refused: dict[Genotype, str] = field(default_factory=dict)
    reference: Measured | None = None
    drift: float = 0.0
    busy: float = 0.0
    energy: str | None = None
    fingerprint: dict[str, Any] = field(default_factory=dict)
    lost: LabError | None = None


def measure(
    device: OwnDevice,
    space: Space,
    genotypes: Sequence[Genotype],
    dataset: Dataset,
    progress: Progress = lambda _: None,
) -> Session:
    """Time architectures on a device, beside the reference network (the space's example), which every session has.

    Nothing is kept of it: `own.keep` does that. Raises LabError where the runtime is not installed, the
    device cannot be reached or goes away, or the reference network cannot run on it.
    """
    runtime = runtime_of(device.runtime)
    runtime.check(runtime.converting + (runtime.running if device.here else ()))
    reference = space.parse(space.example)
    asked = [reference, *(g for g in dict.fromkeys(genotypes) if g != reference)]
    with tempfile.TemporaryDirectory(prefix="llmnas-") as made:
        folder, expected = Path(made), {}
        refused: dict[str, str] = {}
        for i, genotype in enumerate(asked):
            progress(f"converting {i + 1} of {len(asked)}")
            name = f"{i}{runtime.suffix}"
            try:
                expected[name] = _convert(device, space, genotype, dataset, folder / name, folder / "input.npy")
            except LabError as error:
                refused[name] = str(error)
        names = {f"{i}{runtime.suffix}": genotype for i, genotype in enumerate(asked)}
        (folder / "job.json").write_text(json.dumps(_job(device, list(expected))), encoding="utf-8")
        told = _Told(expected, FAR[device.precision], refused)
        lost = None
        try:
            for event in events(device, folder) if f"0{runtime.suffix}" in expected else ():
                told.hear(event)
                if event["event"] == "pass":
                    progress(f"pass {event['number'] + 1}, {len(told.passes)} networks")
        except LabError as error:
            if min(map(len, told.passes.values()), default=0) < PASSES[0]:
                raise
            lost = error
    first = f"0{runtime.suffix}"
    if first in told.refused:
        raise LabError(
            f"{device.name} cannot be measured on: the reference network {space.format(reference)[:200]} "
            f"{told.refused[first]}"
        )
    number = fingerprint_id(told.fingerprint)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    found = {
        names[name]: Measured(
            *(space.name, dataset.name, names[name], number, now, tuple(passes), told.settled),
            *(told.memory.get(name), told.energy.get(name)),
        )
        for name, passes in told.passes.items()
        if name not in told.refused
    }
    shortest = [min(one) for one in told.passes[first]]
    runs = [seconds for one in told.passes[first] for seconds in one]
    return Session(
        measured=[found[g] for g in dict.fromkeys(genotypes) if g in found],
        refused={names[name]: reason for name, reason in told.refused.items()},
        reference=found[reference],
        drift=shortest[-1] / min(shortest) - 1,
        busy=float(np.median(runs)) / min(runs) - 1,
        energy=told.no_energy,
        fingerprint=told.fingerprint,
        lost=lost,
    )


class _Told:
    """What the runner said so far."""

    def __init__(self, expected: dict[str, list[float]], far: float, refused: dict[str, str]) -> None:
        self.expected, self.far, self.refused = expected, far, refused
        self.fingerprint: dict[str, Any] = {}
        self.passes: dict[str, list[tuple[float, ...]]] = {}
        self.memory: dict[str, float] = {}
        self.energy: dict[str, float] = {}
        self.settled = False
        self.no_energy: str | None = "the device went away before it could be measured"

    def hear(self, event: dict[str, Any]) -> None:
        kind = event.pop("event")
        if kind == "fingerprint":
            self.fingerprint = event
        elif kind == "refused":
            self.refused[event["model"]] = f"does not run there: {event['reason']}"
        elif kind == "ready":
            self._compare(event["model"], event["output"])
        elif kind == "pass":
            for name, seconds in event["seconds"].items():
                self.passes.setdefault(name, []).append(tuple(seconds))
        elif kind == "alone":
            self.memory[event["model"]] = event["bytes"] / 1e6
            if event["joules"] is not None:
                self.energy[event["model"]] = event["joules"] * 1e3
        elif kind == "done":
            self.settled, self.no_energy = event["settled"], event["energy"]
        event["event"] = kind

    def _compare(self, name: str, output: list[float]) -> None:
        """Outputs that differ from torch's are of another network: its time would be no measurement."""
        wanted = np.array(self.expected[name])
        off = float(np.abs(np.array(output) - wanted).max() / np.abs(wanted).max()) if len(output) == len(wanted) else 1
        if not off <= self.far:
            self.refused[name] = f"gives other outputs there than in torch, by {off:.1%} of the largest."


def _job(device: OwnDevice, models: list[str]) -> dict[str, Any]:
    settings = ("runtime", "threads", "batch", "precision", "accelerator", "graphs")
    return {
        **{name: getattr(device, name) for name in settings},
        **{
            "models": models,
            "input": "input.npy",
            "seed": SEED,
            "networks": NETWORKS,
            "passes": PASSES,
            "seconds": SECONDS,
        },
    }


def _convert(
    device: OwnDevice, space: Space, genotype: Genotype, dataset: Dataset, path: Path, given: Path
) -> list[float]:
    """Write a network's file, and the input; returns its output in torch."""
    import torch

    from llmnas_mcp.scoring.engine import build

    shape = (dataset.channels, dataset.resolution, dataset.resolution)
    network = build(lambda: space.network(genotype, dataset))
    calibrate(network, shape)
    x = torch.rand(device.batch, *shape, generator=torch.Generator().manual_seed(SEED))
    np.save(given, x.numpy())
    with torch.inference_mode():
        output = network(x)
    with torch.no_grad():
        runtime_of(device.runtime).convert(network, x, path)
    return [float(value) for value in output.flatten()]


def calibrate(network: nn.Module, shape: tuple[int, ...]) -> None:
    """Give batch normalisation the statistics of one batch, as training would.

    As initialised it leaves values as they are, so that those of a deep network overflow or vanish, and outputs could
    not be compared.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if norms:
        for norm in norms:
            norm.momentum = None  # the average of all batches seen
        network.train()
        with torch.no_grad():
            network(torch.rand(CALIBRATING, *shape, generator=torch.Generator().manual_seed(SEED)))
    network.eval()
