"""The front of a search on an own device is timed at its end. The device's clock is a formula here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llmnas_agents import runner
from llmnas_agents.laboratory import open_laboratory

from llmnas_mcp.devices.own import Measured, OwnDevice, add_device, fingerprint_id, keep, times_of
from llmnas_mcp.errors import LabError
from llmnas_mcp.measuring.session import Session
from llmnas_mcp.search import timing
from llmnas_mcp.spaces import DATASETS, Genotype, get_space

pytestmark = pytest.mark.anyio
SPACE = get_space("nasbench201")


def timed(genotypes: Sequence[Genotype], factor: float = 1.0) -> list[Measured]:
    """As a device with a formula would: a millisecond and a half, and more with MACs."""
    macs = SPACE.macs(list(genotypes), DATASETS["cifar10"]) / 1e6
    return [
        Measured(
            "nasbench201", "cifar10", g, fingerprint_id({}), "2026-01-01", ((factor * (1.5 + m / 30) / 1000,),), True
        )
        for g, m in zip(genotypes, macs, strict=True)
    ]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tables"
    monkeypatch.setenv("LLMNAS_DATA", str(folder))
    add_device(OwnDevice("laptop", "onnxruntime"), folder)
    drawn = SPACE.sample(60, np.random.default_rng(0)).tolist()
    keep(timed(list(dict.fromkeys(map(tuple, drawn)))), {}, "laptop", folder)
    return folder


async def searched(folder: Path, **options: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    store = f"sqlite:///{folder}/llmnas.db"
    async with open_laboratory(None, store) as lab:
        started = await lab.start_search(device="laptop", evaluations=60, seed=1)
        front = await runner.run(lab, started.search_id, store, folder / "out", events.append, **options)
    assert json.loads((folder / "out" / "front.json").read_text()) == front
    return front, events


async def test_the_front_and_what_is_near_it_is_timed_and_told_apart_from_what_is_modelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def measure(_: OwnDevice, __: Any, genotypes: list[Genotype], ___: Any, progress: Any) -> Session:
        calls.append(len(genotypes))
        progress("pass 1")
        return Session(measured=timed(genotypes, 1.2), fingerprint={})  # slower than the model says

    monkeypatch.setattr(timing, "measure", measure)
    front, events = await searched(tmp_path)
    assert sum(calls) >= len(front["front"])
    assert {point["source"] for point in front["front"]} == {"host:laptop"}
    for point in front["front"]:
        (exact,) = timed([SPACE.parse(point["architecture"])], 1.2)
        assert point["cost"] in (
            pytest.approx(1000 * exact.seconds[0][0]),  # timed now
            pytest.approx(1000 * exact.seconds[0][0] / 1.2),  # or before the search
        )
    assert sum(event["networks"] for event in events if event["event"] == "timing") == sum(calls)


@pytest.mark.thorough
async def test_without_measuring_the_front_stays_modelled_and_says_so(tmp_path: Path) -> None:
    front, events = await searched(tmp_path, measure=False)
    assert "fitted:laptop" in {point["source"] for point in front["front"]}
    assert not [event for event in events if event["event"] == "timing"]


@pytest.mark.thorough
async def test_times_of_a_machine_that_changed_are_not_taken_and_the_earlier_ones_stay(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(_: OwnDevice, __: Any, genotypes: list[Genotype], *___: Any) -> Session:
        return Session(measured=timed(genotypes), fingerprint={"versions": "newer"})

    monkeypatch.setattr(timing, "measure", changed)
    before = len(times_of("laptop", data))
    _, events = await searched(tmp_path)
    (reason,) = [event["reason"] for event in events if event["event"] == "untimed"]
    assert "versions was None, is newer" in reason
    assert "llmnas device measure laptop" in reason
    assert len(times_of("laptop", data)) == before


async def test_where_the_device_is_out_of_reach_the_reason_is_told_and_the_front_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Session:
        raise LabError("laptop could not be measured on: it does not answer.")

    monkeypatch.setattr(timing, "measure", away)
    front, events = await searched(tmp_path)
    assert front["front"]
    assert {"event": "untimed", "reason": "laptop could not be measured on: it does not answer."} in events
