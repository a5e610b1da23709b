"""Own devices: real networks, timed in ONNX Runtime on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from llmnas_mcp.devices import cost_models, cost_of
from llmnas_mcp.devices.own import (
    FOLDER,
    Measured,
    OwnDevice,
    add_device,
    figure_of,
    held,
    keep,
    measured_costs,
    own_device,
    own_devices,
    remove_device,
    times_of,
)
from llmnas_mcp.errors import LabError
from llmnas_mcp.measuring import campaign, places, runner, session
from llmnas_mcp.measuring.campaign import check, check_device, measure_space
from llmnas_mcp.runtimes import catalogue
from llmnas_mcp.spaces import DATASETS, get_space

SPACE, DATASET = get_space("nasbench201"), DATASETS["cifar10"]
HERE = OwnDevice("here", "onnxruntime")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    add_device(HERE, tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def few_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PASSES", (3, 4))


def times(*milliseconds: float, genotype: tuple[int, ...] = (0,) * 6, fingerprint: str = "one") -> Measured:
    seconds = tuple((ms / 1000,) for ms in milliseconds)
    return Measured("nasbench201", "cifar10", genotype, fingerprint, "2026-01-01", seconds, True)


def test_ten_networks_are_timed_kept_and_gone_on_from(data: Path) -> None:
    said: list[tuple[int, int, str]] = []
    first = measure_space(HERE, SPACE, DATASET, data, architectures=6, progress=lambda *step: said.append(step))
    assert (first.measured, first.fit, first.refused) == (6, None, {})
    assert said[-1] == (6, 6, "")
    assert {total for _, total, _ in said} == {6}
    whole = measure_space(HERE, SPACE, DATASET, data, architectures=10)
    assert whole.measured == 10
    known = measured_costs("here", "nasbench201", "cifar10", "latency", data)
    counts = SPACE.macs(list(known), DATASET)
    # The smallest and the largest network are among them, and their times are as far apart as one would think.
    everything = SPACE.macs(list(SPACE.distinct()), DATASET)
    assert (counts.min(), counts.max()) == (everything.min(), everything.max())
    small, large = (list(known.values())[int(at)] for at in (counts.argmin(), counts.argmax()))
    assert 0 < 2 * small < large < 1000
    told = cost_of(
        SPACE, [*known, (1, 2, 3, 1, 2, 3)], device="here", dataset="cifar10", objective="latency", data=data
    )
    assert told.values[:-1].tolist() == list(known.values())
    assert told.sources[0] == "host:here"
    assert np.isnan(told.values[-1])
    assert "10 were measured on here, too few to predict others" in str(told.reasons[-1])
    memory = measured_costs("here", "nasbench201", "cifar10", "memory", data)
    assert all(10 < megabytes < 2000 for megabytes in memory.values())
    listed = {(m.objective, m.source, m.cells) for m in cost_models(SPACE, data) if m.device == "here"}
    assert listed >= {("latency", "host:here", 10), ("memory", "host:here", 10)}
    again = check(HERE, SPACE, DATASET, data, architectures=2)
    assert (again.architectures, again.changed) == (2, "")


def test_a_network_whose_outputs_differ_is_no_measurement(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert = session._convert

    def wrong(device: OwnDevice, space: Any, genotype: Any, *rest: Any) -> list[float]:
        expected = convert(device, space, genotype, *rest)
        return expected if genotype == SPACE.parse(SPACE.example) else [value + 1 for value in expected]

    monkeypatch.setattr(session, "_convert", wrong)
    with pytest.raises(LabError, match=r"None of 2 networks could be measured on here\. One gives other outputs there"):
        measure_space(HERE, SPACE, DATASET, data, architectures=2)
    assert times_of("here", data) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9"),
        pytest.param(
            "raise SystemExit('No space left on device')",
            "its disk is full: make room there",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            *(
                "raise ModuleNotFoundError('No module named onnxruntime')",
                "the runtime or numpy is not installed there",
            ),
            marks=pytest.mark.thorough,
        ),
        pytest.param("print('hello')", "the runner ended with 0", marks=pytest.mark.thorough),
    ],
)
def test_a_runner_that_goes_away_is_told_and_loses_nothing(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, reason: str
) -> None:
    keep([times(5.0)], {"processor": "this"}, "here", data)
    before = times_of("here", data)
    broken = tmp_path / "runner.py"
    broken.write_text(code)
    monkeypatch.setattr(places, "RUNNER", broken)
    with pytest.raises(LabError, match=reason) as raised:
        measure_space(HERE, SPACE, DATASET, data, architectures=4)
    assert "What was measured before is kept" in str(raised.value)
    assert times_of("here", data) == before


@pytest.mark.thorough
def test_a_runner_that_goes_away_after_enough_passes_leaves_what_it_timed(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "runner.py"
    step = '        say("pass", '
    broken.write_text(
        places.RUNNER.read_text().replace(step, f"        if number == 3:\n            os._exit(9)\n{step}")
    )
    monkeypatch.setattr(places, "RUNNER", broken)
    monkeypatch.setattr(session, "PASSES", (3, 9))
    with pytest.raises(LabError, match="the runner ended with 9"):
        measure_space(HERE, SPACE, DATASET, data, architectures=4)
    assert [(len(m.seconds), m.settled) for m in times_of("here", data)] == [(3, False)] * 4


def test_where_the_reference_network_does_not_run_its_reason_is_told(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = session._convert

    def broken(device: OwnDevice, space: Any, genotype: Any, dataset: Any, path: Path, given: Path) -> list[float]:
        expected = convert(device, space, genotype, dataset, path, given)
        path.write_bytes(b"no model")
        return expected

    monkeypatch.setattr(session, "_convert", broken)
    with pytest.raises(LabError, match=r"the reference network .* does not run there: "):
        measure_space(HERE, SPACE, DATASET, data, architectures=2)


def test_what_was_measured_before_is_fitted_without_measuring_anew(data: Path) -> None:
    drawn = list(dict.fromkeys(tuple(row) for row in SPACE.sample(40, np.random.default_rng(0)).tolist()))
    keep([times(1.0 + sum(g), genotype=g) for g in drawn], {}, "here", data)
    done = measure_space(HERE, SPACE, DATASET, data, architectures=len(drawn))
    assert (done.measured, done.errors) == (len(drawn), [])
    assert done.fit is not None


@pytest.mark.thorough
def test_a_device_by_a_command_is_timed_by_it(data: Path) -> None:
    there = OwnDevice("there", "onnxruntime", run=f"sh -c 'cd {{folder}} && exec {sys.executable} runner.py .'")
    add_device(there, data)
    assert measure_space(there, SPACE, DATASET, data, architectures=2).measured == 2


@pytest.mark.parametrize(
    ("device", "message"),
    [
        (replace(HERE, runtime="abacus"), "Unknown runtime 'abacus'. Allowed: "),
        (replace(HERE, precision="f8"), "Unknown precision of ONNX Runtime 'f8'. Allowed: f32"),
        (replace(HERE, run="python x"), "write {folder} where"),
        (replace(HERE, ssh="a", run="b {folder}"), "a device is in one place"),
        (replace(HERE, ssh="-oProxyCommand=x"), "give a host"),
        (replace(HERE, runtime="torch", accelerator="cuda"), "torch sees no CUDA GPU"),
        (replace(HERE, runtime="executorch"), r"pip install 'llmnas-mcp[executorch]'"),
    ],
)
def test_settings_that_nothing_could_be_measured_with_are_refused(
    device: OwnDevice, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "_installed", lambda module: not module.startswith("executorch"))
    if "CUDA" in message:
        import torch

        if torch.cuda.is_available():
            pytest.skip("there is a GPU here, which is what this refuses the want of")
    with pytest.raises(LabError) as raised:
        check_device(device)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("here", "was added already"), ("raspi4", "is a device already"), ("a b", "cannot be a device's name")],
)
def test_a_name_is_given_once_and_can_be_written_anywhere(data: Path, name: str, message: str) -> None:
    with pytest.raises(LabError, match=message):
        add_device(replace(HERE, name=name), data)


def test_a_device_is_known_until_it_is_removed(data: Path) -> None:
    keep([times(1.0)], {}, "here", data)
    assert own_devices(data) == {"here": HERE}
    remove_device("here", data)
    assert own_devices(data) == {}
    with pytest.raises(LabError, match="'here' is no own device: there are none yet"):
        own_device("here", data)
    add_device(HERE, data)
    assert times_of("here", data) == []


def test_two_cannot_measure_on_one_device_at_once(data: Path) -> None:
    with held("here", data), pytest.raises(LabError, match="Another process measures on here now"):
        measure_space(HERE, SPACE, DATASET, data, architectures=4)


def test_times_of_another_fingerprint_do_not_count_and_a_time_replaces_an_earlier_one(data: Path) -> None:
    other = (1,) * 6
    keep([times(9.0), times(9.0, genotype=other)], {"version": 1}, "here", data)
    keep([replace(times(2.0), fingerprint="two")], {"version": 2}, "here", data)
    assert measured_costs("here", "nasbench201", "cifar10", "latency", data) == {(0,) * 6: pytest.approx(2.0)}
    keep([replace(times(3.0), fingerprint="two")], {"version": 2}, "here", data)
    assert measured_costs("here", "nasbench201", "cifar10", "latency", data) == {(0,) * 6: pytest.approx(3.0)}


def test_a_line_that_was_cut_off_is_no_time(data: Path) -> None:
    keep([times(2.0)], {}, "here", data)
    path = data / FOLDER / "here" / "times.jsonl"
    path.write_text(path.read_text() + '{"space": "nasb')
    assert len(times_of("here", data)) == 1


def test_the_figure_is_the_one_that_repeats_best() -> None:
    assert figure_of([times(5.0, 5.0, 9.0, 5.0, 8.0, 5.0)]) == "minimum"
    # A minimum that a single odd run sets repeats worse than a median of many.
    steady = [5.0, 5.1] * 20
    assert figure_of([times(1.0, *steady)]) != "minimum"


def test_measuring_ends_when_the_error_no_longer_falls(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Callable[[tuple[int, ...]], float] = lambda g: 1.0 + sum(g)  # noqa: E731

    def fake(_: OwnDevice, __: Any, genotypes: list[tuple[int, ...]], *___: Any) -> session.Session:
        rows = [times(clock(g), genotype=g, fingerprint=campaign.fingerprint_id({})) for g in genotypes]
        return session.Session(measured=rows, reference=rows[0])

    monkeypatch.setattr(campaign, "measure", fake)
    done = measure_space(HERE, SPACE, DATASET, data, architectures=150)
    assert done.fit is not None
    assert done.fit.error < 0.01
    assert done.measured == len({*measured_costs("here", "nasbench201", "cifar10", "latency", data)}) <= 90
    values = done.fit.predict([(0,) * 6, (3,) * 6])
    assert values == pytest.approx([1.0, 19.0], rel=0.05)
    told = json.loads((data / FOLDER / "here" / "fingerprints.json").read_text())
    assert told == {campaign.fingerprint_id({}): {}}


def test_a_measured_latency_says_how_far_it_repeats_and_when_and_on_what_it_was_measured(data: Path) -> None:
    steady, shaky = times(5.0, 5.0, 5.0, 5.0), times(4.0, 5.0, 4.0, 5.0, genotype=(1,) * 6)
    told = {"processor": "Old Faithful", "versions": {"onnxruntime": "1.2"}}
    number = campaign.fingerprint_id(told)
    keep(
        [replace(m, fingerprint=number) for m in (steady, shaky, replace(steady, genotype=(2,) * 6))],
        told,
        "here",
        data,
    )
    costs = cost_of(SPACE, [(0,) * 6, (1,) * 6], device="here", dataset="cifar10", objective="latency", data=data)
    assert costs.errors == pytest.approx([0.0, 0.2])
    (listed,) = [m for m in cost_models(SPACE, data) if m.device == "here"]
    assert listed.measured == f"2026-01-01, Old Faithful, onnxruntime 1.2, fingerprint {number}"


def test_energy_that_was_not_measured_is_refused_with_the_reason(data: Path) -> None:
    keep([times(5.0)], {}, "here", data, "no counter of this machine can be read")
    with pytest.raises(LabError, match=r"not known on here: no counter of this machine can be read\. Ask for its lat"):
        cost_of(SPACE, [(0,) * 6], device="here", dataset="cifar10", objective="energy", data=data)


@pytest.mark.thorough
def test_energy_comes_from_the_counter_of_the_processor_and_its_want_is_told(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counter = tmp_path / "energy_uj"
    counter.write_text("1000000")
    monkeypatch.setenv("LLMNAS_RAPL", str(tmp_path))
    assert measure_space(HERE, SPACE, DATASET, data, architectures=2).no_energy is None
    energy = measured_costs("here", "nasbench201", "cifar10", "energy", data)
    assert list(energy.values()) == [0.0, 0.0]  # of a counter that stands still
    counter.unlink()
    gone = measure_space(HERE, SPACE, DATASET, data, architectures=3).no_energy
    assert gone == f"the processor's energy counter cannot be read: {counter} (No such file or directory)"


def test_energy_of_a_gpu_is_nvmls_and_its_want_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = ModuleType("pynvml")
    nvml.NVMLError = type("NVMLError", (Exception,), {})  # type: ignore[attr-defined]
    nvml.nvmlInit = lambda: None  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetHandleByIndex = nvml.nvmlDeviceGetHandleByUUID = str  # type: ignore[attr-defined]
    millijoules = {"1": 5000, "GPU-a": 7000}
    nvml.nvmlDeviceGetTotalEnergyConsumption = millijoules.__getitem__  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    for visible, joules in (("1,0", 5.0), ("GPU-a", 7.0)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert runner.energy_meter({"accelerator": "cuda"})() == joules

    def refuse(_: object) -> int:
        raise nvml.NVMLError("Not Supported")

    nvml.nvmlDeviceGetTotalEnergyConsumption = refuse  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="NVML does not tell the GPU's energy: Not Supported"):
        runner.energy_meter({"accelerator": "cuda"})
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(RuntimeError, match="pip install nvidia-ml-py"):
        runner.energy_meter({"accelerator": "cuda"})
