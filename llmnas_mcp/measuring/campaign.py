"""Measuring a device in a space: which architectures, how many, and what the model of them is worth.

The first sessions cover the space: its smallest and largest network, and others at even distances in what the model
reads of them. The next take the architectures of which the model is least sure, each in the light of those chosen
before it. It ends when the error on held-out architectures no longer falls, or the budget is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices.modelling import LEAST, CostFit, features, fit_costs
from llmnas_mcp.devices.own import (
    Measured,
    OwnDevice,
    fingerprint_id,
    fingerprints,
    fitted_to_times,
    held,
    keep,
    measured_costs,
    time_of,
    times_of,
)
from llmnas_mcp.errors import LabError, UnknownNameError
from llmnas_mcp.measuring.phone import PROGRAMS
from llmnas_mcp.measuring.session import Session, measure
from llmnas_mcp.runtimes import runtime_of
from llmnas_mcp.spaces import Dataset, Genotype, Space
from llmnas_mcp.spaces.reference import reference_of

TOGETHER = 15  # architectures of a session, beside the reference
POOL = 1500  # architectures that are looked at to choose from
FALLING = 0.95  # an error below this share of the one before has fallen
GOOD = 0.005  # below it an error is of the times themselves
SEED = 0
BUSY, DRIFTING = 0.25, 0.03  # above these there is a warning

Progress = Callable[[int, int, str], None]


@dataclass
class Campaign:
    """How measuring went: errors of the model after each session, warnings, and what could not be measured.

    no_energy: why the energy of a run is not known there; None where it is, or nothing was measured anew.
    """

    measured: int
    errors: list[float] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refused: dict[Genotype, str] = field(default_factory=dict)
    fit: CostFit | None = None
    no_energy: str | None = None


def check_device(device: OwnDevice) -> None:
    """Raise LabError, with what is allowed, for settings that no measurement could be made with."""
    runtime = runtime_of(device.runtime)
    for name, value, allowed in (
        ("precision", device.precision, runtime.precisions),
        ("accelerator", device.accelerator, runtime.accelerators),
    ):
        if value not in allowed:
            raise UnknownNameError(f"{name} of {runtime.title}", value, allowed)
    if sum(map(bool, (device.ssh, device.run, device.adb))) > 1:
        raise LabError("--ssh, --run and --adb: a device is in one place, give one of them.")
    for option, place in (("--ssh", device.ssh), ("--adb", device.adb)):
        if place and place.startswith("-"):
            raise LabError(
                f"{option} {place}: give a {'host, as ssh knows it' if option == '--ssh' else 'serial number'}."
            )
    if device.run and "{folder}" not in device.run:
        raise LabError(f"--run {device.run}: write {{folder}} where the folder of models is to stand.")
    if device.adb and device.runtime not in PROGRAMS:
        raise UnknownNameError("runtime of a phone", device.runtime, PROGRAMS)
    if device.graphs and not (device.accelerator == "cuda" and device.runtime.startswith("torch")):
        raise LabError("--cuda-graphs is for --runtime torch or torch-compile with --accelerator cuda.")
    compared_here = device.adb is not None and device.runtime == "litert"  # its program tells no outputs
    runtime.check(runtime.converting + (runtime.running if device.here or compared_here else ()))
    if device.here and device.accelerator == "cuda" and device.runtime.startswith("torch"):
        import torch

        if not torch.cuda.is_available():
            raise LabError(
                "accelerator=cuda: torch sees no CUDA GPU on this machine. Use --accelerator cpu, or --ssh HOST."
            )


def measure_space(
    device: OwnDevice,
    space: Space,
    dataset: Dataset,
    data: Path,
    *,
    architectures: int = 150,
    progress: Progress = lambda *_: None,
) -> Campaign:
    """Measure up to so many architectures of a space, those of earlier calls included; keeps each session's at once.

    progress(measured, architectures, what is done now). Raises LabError where the device cannot be measured on; what
    was kept until then stays, and the same call goes on from there.
    """
    if not 2 <= architectures <= 10_000:
        raise LabError(f"{architectures} architectures: choose 2 to 10,000.")
    pool = candidates(space, dataset)
    calm = 0
    with held(device.name, data):
        done = Campaign(measured=len(_known(device, space, dataset, data)))
        done.fit = fitted_to_times(device.name, space, dataset.name, "latency", data)
        while done.measured < architectures and calm < 2:
            known = _known(device, space, dataset, data)
            tried = [*known, *done.refused]
            count = min(TOGETHER, architectures - done.measured)
            chosen = choose(space, dataset, pool, tried, count, done.fit)
            if not chosen:
                break
            step = partial(progress, done.measured, architectures)
            session = measure(device, space, chosen, dataset, step)
            earlier = times_of(device.name, data)
            keep(session.measured, session.fingerprint, device.name, data, session.energy)
            if earlier and earlier[-1].fingerprint != fingerprint_id(session.fingerprint):
                done.warnings.append(
                    f"The machine, the runtime or its settings changed ({changed(device, earlier[-1], session, data)}):"
                    f" {len(earlier)} earlier times no longer count."
                )
            if session.lost:
                raise session.lost
            done.refused |= session.refused
            done.no_energy = session.energy
            done.warnings += warnings_of(session)
            known = _known(device, space, dataset, data)
            if len(known) <= done.measured and not session.measured:
                reason = next(iter(session.refused.values()), "")
                raise LabError(f"None of {len(chosen)} networks could be measured on {device.name}. One {reason}")
            done.measured = len(known)
            if len(known) >= LEAST:
                done.fit = fit_costs(space, dataset, list(known), np.array(list(known.values())))
                falls = not done.errors or GOOD < done.fit.error < FALLING * min(done.errors)
                calm = 0 if falls else calm + 1
                done.errors.append(done.fit.error)
            progress(done.measured, architectures, "")
    return done


def candidates(space: Space, dataset: Dataset) -> list[Genotype]:
    """What is chosen from: a seeded sample of the space, its smallest and largest network; none of them constant."""
    standing = reference_of(space, dataset).genotypes
    counts = space.macs(standing, dataset)
    ends = [tuple(map(int, standing[i])) for i in (counts.argmin(), counts.argmax())]
    drawn = [tuple(row) for row in space.sample(POOL, np.random.default_rng(SEED)).tolist()]
    return [genotype for genotype in dict.fromkeys([*ends, *drawn]) if not space.constant(genotype)]


def choose(
    space: Space,
    dataset: Dataset,
    pool: list[Genotype],
    tried: list[Genotype],
    count: int,
    fit: CostFit | None,
) -> list[Genotype]:
    """So many of the pool that were not tried: far from all others, or where the model is least sure."""
    left = [genotype for genotype in pool if genotype not in set(tried)]
    if not tried:
        return left[:2] + choose(space, dataset, pool, left[:2], count - 2, fit) if count > 2 else left[:count]
    if fit is not None:
        return [left[i] for i in least_sure(fit, left, count)]
    x, y = features(space, left, dataset), features(space, tried, dataset)
    distance = ((x[:, None] - y) ** 2).sum(2).min(1) if len(left) else np.empty(0)
    chosen: list[Genotype] = []
    for _ in range(min(count, len(left))):
        i = int(distance.argmax())
        chosen.append(left[i])
        distance = np.minimum(distance, ((x - x[i]) ** 2).sum(1))
    return chosen


def least_sure(fit: CostFit, genotypes: list[Genotype], count: int) -> list[int]:
    """Which architectures to measure next, one after the other: the largest variance, given those before.

    What a Gaussian process does not know does not depend on what will be measured, only on where.
    """
    x = features(fit.space, genotypes, fit.dataset)
    covariance: NDArray[np.float64] = fit.process.predict(x, return_cov=True)[1]
    chosen: list[int] = []
    for _ in range(min(count, len(x))):
        variance = covariance.diagonal().copy()
        variance[chosen] = -1
        i = int(variance.argmax())
        chosen.append(i)
        covariance = covariance - np.outer(covariance[i], covariance[i]) / max(covariance[i, i], 1e-12)
    return chosen


def warnings_of(session: Session) -> list[str]:
    """What in a session makes its times doubtful."""
    found = []
    if session.busy > BUSY:
        found.append(
            f"Other work ran on the machine: the reference network's median run took {session.busy:.0%} longer than its"
            " shortest."
        )
    if session.drift > DRIFTING:
        found.append(
            f"The machine slowed down: the reference network took {session.drift:.0%} longer in the last pass."
        )
    if unsettled := [m for m in session.measured if not m.settled]:
        found.append(f"{len(unsettled)} times still fell when the time for them was used: they are unsettled.")
    return found


@dataclass(frozen=True)
class Check:
    """A few architectures timed again.

    drift: the median of new times by old, less 1; spread: the largest such difference. changed: what differs in the
    fingerprint, empty where nothing does.
    """

    architectures: int
    drift: float
    spread: float
    changed: str
    warnings: list[str]


def check(device: OwnDevice, space: Space, dataset: Dataset, data: Path, *, architectures: int = 8) -> Check:
    """Time a few that were measured again, and say how far the new times are from the old; nothing is kept."""
    old = [m for m in times_of(device.name, data) if (m.space, m.dataset) == (space.name, dataset.name)]
    if not old:
        raise LabError(
            f"Nothing was measured on {device.name} in {space.name} on {dataset.name}: llmnas device measure"
            f" {device.name} --space {space.name} --dataset {dataset.name}"
        )
    picked = [old[i] for i in np.linspace(0, len(old) - 1, min(architectures, len(old))).round().astype(int)]
    with held(device.name, data):
        session = measure(device, space, [m.genotype for m in picked], dataset)
    if session.lost:
        raise session.lost
    new = {m.genotype: m for m in session.measured}
    times: list[tuple[Measured, Measured]] = [(m, new[m.genotype]) for m in picked if m.genotype in new]
    if not times:
        raise LabError(f"None could be measured again: {next(iter(session.refused.values()), '')}")
    ratios = np.array([time_of(b) / time_of(a) - 1 for a, b in times])
    return Check(
        *(len(times), float(np.median(ratios)), float(np.abs(ratios).max())),
        changed=changed(device, old[-1], session, data),
        warnings=warnings_of(session),
    )


def changed(device: OwnDevice, old: Measured, session: Session, data: Path) -> str:
    """What differs between the fingerprints of an earlier time and of a session; empty where nothing does."""
    before, now = fingerprints(device.name, data)[old.fingerprint], session.fingerprint
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return "; ".join(f"{name} was {before.get(name)}, is {now.get(name)}" for name in names)


def _known(device: OwnDevice, space: Space, dataset: Dataset, data: Path) -> dict[Genotype, float]:
    return measured_costs(device.name, space.name, dataset.name, "latency", data)
