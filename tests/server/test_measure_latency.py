"""The tool that times networks on the owner's devices, through a real client of a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from llmnas_mcp.devices.own import OwnDevice, add_device
from tests.server.conftest import CELL, answer, error, session

pytestmark = pytest.mark.anyio

SMALL = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    add_device(OwnDevice("laptop", "onnxruntime"), tmp_path / "tables")
    return tmp_path


async def test_networks_are_timed_once_and_told_with_their_source(folder: Path) -> None:
    asked: dict[str, Any] = {"architectures": [CELL, SMALL, CELL], "device": "laptop"}
    said: list[str] = []

    async def hear(_: float, __: float | None, message: str | None) -> None:
        said.append(message or "")

    async with session(folder) as client:
        result = await client.call_tool("measure_latency", asked, progress_callback=hear)
        assert not result.is_error, result.content[0].text
        timed = result.structured_content["results"]
        assert [row["architecture"] for row in timed] == [CELL, SMALL, CELL]
        assert {(row["unit"], row["source"], row["error"] < 0.5, row["reason"]) for row in timed} == {
            ("ms", "host:laptop", True, None)
        }
        assert timed[0]["value"] > timed[1]["value"] > 0
        assert any(text.startswith("timed 0 of 2 networks, pass ") for text in said)
        # Asked again it is looked up: in what it costs, too.
        with anyio.fail_after(60):
            assert await answer(client, "measure_latency", **asked) == result.structured_content | {"warnings": []}
        looked_up = await answer(client, "query_latency", **asked)
        assert looked_up["results"] == timed
        listed = (await answer(client, "list_devices"))["devices"]
        own = next(row for row in listed if row["device"] == "laptop" and row["objective"] == "latency")
        assert (own["title"], own["source"], own["error"]) == (
            "laptop (onnxruntime, 1 thread, on this machine)",
            "host:laptop",
            None,
        )
        assert "onnxruntime" in own["measured"]
        assert "fingerprint" in own["measured"]


async def test_what_cannot_be_timed_is_told_with_the_fix(folder: Path) -> None:
    async with session(folder) as client:
        assert "Unknown own device 'raspi4'. Allowed: laptop" in await error(
            client, "measure_latency", architectures=[CELL], device="raspi4"
        )
        assert "send at most 50" in await error(client, "measure_latency", architectures=[CELL] * 51, device="laptop")
        assert "architectures[0]" in await error(client, "measure_latency", architectures=["|x|"], device="laptop")
        told = await error(client, "start_search", device="laptop")
        assert "llmnas device measure laptop --space nasbench201 --dataset cifar10" in told
