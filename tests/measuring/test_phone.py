"""Phones by adb: a stand-in for adb and for the benchmark programs, real ONNX models and a real shell."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from llmnas_mcp.devices.own import OwnDevice, add_device, fingerprints, measured_costs, times_of
from llmnas_mcp.errors import LabError
from llmnas_mcp.measuring import phone, runner, session
from llmnas_mcp.measuring.campaign import check_device, measure_space
from llmnas_mcp.runtimes import RUNTIMES, converters
from llmnas_mcp.spaces import DATASETS, get_space

SPACE, DATASET = get_space("nasbench201"), DATASETS["cifar10"]
SERIAL = "R58M1"
PHONES = {runtime: OwnDevice(f"{runtime}-phone", runtime, adb=SERIAL) for runtime in phone.PROGRAMS}
STAND_IN = Path(__file__).with_name("adb.py")

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install onnxruntime")


def script(path: Path, *words: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {" ".join(map(str, words))} "$@"\n')
    path.chmod(0o755)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is /data/local/tmp of a phone that is connected."""
    folder = tmp_path / "phone"
    folder.mkdir()
    (folder / "serial").write_text(SERIAL)
    for program in phone.PROGRAMS.values():
        script(folder / program.name, sys.executable, STAND_IN, folder, program.name)
    script(folder / "bin" / "getprop", "echo", "prop:")
    script(tmp_path / "bin" / "adb", sys.executable, STAND_IN, folder, "adb")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(session, "PASSES", (2, 3))
    for name in phone.PROGRAMS:  # whose files the stand-ins run
        monkeypatch.setitem(
            RUNTIMES, name, replace(RUNTIMES[name], convert=converters.to_onnx, converting=(), running=())
        )
    ours = {"threads": 1, "accelerator": "cpu"}
    monkeypatch.setattr(runner, "load_litert", lambda path, _: runner.load_onnxruntime(path, ours))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for device in PHONES.values():
        add_device(device, tmp_path / "tables")
    return tmp_path / "tables"


@pytest.mark.parametrize("runtime", ["litert", pytest.param("executorch", marks=pytest.mark.thorough)])
def test_networks_are_timed_by_the_runtimes_own_program_on_the_phone_which_keeps_nothing(
    there: Path, data: Path, runtime: str
) -> None:
    device = PHONES[runtime]
    check_device(device)
    assert measure_space(device, SPACE, DATASET, data, architectures=3).measured == 3
    known = measured_costs(device.name, "nasbench201", "cifar10", "latency", data)
    assert all(0.01 < ms < 1000 for ms in known.values())
    counts = dict(zip(known, SPACE.macs(list(known), DATASET).tolist(), strict=True))
    assert known[min(counts, key=counts.__getitem__)] < known[max(counts, key=counts.__getitem__)]
    (told,) = fingerprints(device.name, data).values()
    assert told["processor"] == "prop: ro.product.model (prop: ro.board.platform)"
    assert len(told["versions"][phone.PROGRAMS[runtime].name]) == 32
    memory = measured_costs(device.name, "nasbench201", "cifar10", "memory", data)
    assert set(memory.values()) == ({12.5} if runtime == "litert" else set())
    assert not list(there.glob("llmnas-*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda there: (there / "serial").write_text("another"), "see `adb devices` for the phones that are"),
        (
            lambda there: (there / "executor_runner").unlink(),
            "has no /data/local/tmp/executor_runner.*Put it there: adb",
        ),
        (lambda there: (there.parent / "bin" / "adb").unlink(), "Install Android's platform-tools"),
        pytest.param(
            lambda there: script(there / "executor_runner", "sh -c 'echo no such operator; exit 3'"),
            "does not run there: no such operator",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            lambda there: (there / "after").write_text("3"),
            "see `adb devices`.*goes on from there",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_a_phone_that_cannot_be_measured_on_is_told(
    there: Path, data: Path, change: Callable[[Path], object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(there)
    if "platform-tools" in message:
        monkeypatch.setenv("PATH", str(there.parent / "bin"))
    with pytest.raises(LabError, match=message):
        measure_space(PHONES["executorch"], SPACE, DATASET, data, architectures=3)
    assert times_of("executorch-phone", data) == []


@pytest.mark.thorough
@pytest.mark.usefixtures("there")
def test_a_model_that_gives_other_outputs_on_the_phone_is_no_measurement(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = phone._Phone.adb

    def wrong(self: phone._Phone, *words: str) -> bytes:
        said = shell(self, *words)
        return said[4:] + said[:4] if words[0] == "exec-out" else said

    monkeypatch.setattr(phone._Phone, "adb", wrong)
    with pytest.raises(LabError, match="gives other outputs there than in torch"):
        measure_space(PHONES["executorch"], SPACE, DATASET, data, architectures=2)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        (OwnDevice("p", "onnxruntime", adb=SERIAL), "Unknown runtime of a phone 'onnxruntime'. Allowed: "),
        (OwnDevice("p", "executorch", adb="-x"), "give a serial number"),
        (OwnDevice("p", "executorch", adb=SERIAL, ssh="host"), "a device is in one place"),
        (OwnDevice("p", "onnxruntime", graphs=True), "--cuda-graphs is for --runtime torch"),
    ],
)
def test_settings_that_no_phone_could_have_are_refused(device: OwnDevice, message: str) -> None:
    with pytest.raises(LabError) as raised:
        check_device(device)
    assert message in str(raised.value)
