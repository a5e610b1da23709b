"""Costs, scores and networks through the server."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from llmnas_mcp.search import exports
from llmnas_mcp.search.store import Store
from tests.exporting.alone import run_alone
from tests.server.conftest import CELL, answer, error, session

pytestmark = pytest.mark.anyio

REFUSED_ON_EDGETPU = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


async def test_a_thousand_architectures_are_priced_in_one_call_and_more_are_refused_with_the_fix(
    tmp_path: Path,
) -> None:
    async with session(tmp_path) as client:
        found = await answer(client, "query_latency", architectures=[CELL] * 1000, device="raspi4")
        text = await error(client, "query_latency", architectures=[CELL] * 1001, device="raspi4")
    assert len(found["results"]) == 1000
    assert "1,001" in text
    assert "at most 1,000" in text


async def test_every_cost_carries_unit_source_and_error(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        latency = (await answer(client, "query_latency", architectures=[CELL], device="raspi4"))["results"][0]
        energy = (await answer(client, "query_latency", architectures=[CELL], device="edgegpu", objective="energy"))[
            "results"
        ][0]
    assert latency["architecture"] == CELL
    assert latency["unit"] == "ms"
    assert energy["unit"] == "mJ"
    for cost in (latency, energy):
        assert cost["value"] > 0
        assert cost["source"].startswith("fitted:")
        assert 0 < cost["error"] < 0.1


async def test_an_architecture_that_cannot_run_is_null_with_the_reason(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        found = await answer(client, "query_latency", architectures=[REFUSED_ON_EDGETPU, CELL], device="edgetpu")
    refused, runs = found["results"]
    assert refused["value"] is None
    assert refused["reason"]
    assert runs["value"] > 0
    assert runs["reason"] is None


async def test_energy_nobody_published_is_an_error_that_names_devices_that_have_it(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        text = await error(client, "query_latency", architectures=[CELL], device="raspi4", objective="energy")
    assert "edgegpu" in text
    assert "eyeriss" in text


async def test_mistakes_name_the_value_and_what_is_allowed(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        device = await error(client, "query_latency", architectures=[CELL], device="raspi")
        cell = await error(client, "query_latency", architectures=[CELL, CELL.replace("3x3", "5x5")], device="fpga")
        dataset = await error(client, "query_latency", architectures=[CELL], device="fpga", dataset="svhn")
        unknown = await error(client, "query_latency", architectures=[CELL], device="fpga", batch=1)
    assert "Did you mean 'raspi4'?" in device
    assert "architectures[1]" in cell
    assert "nor_conv_3x3" in cell
    assert "llmnas data import" in dataset
    assert "batch" in unknown


async def test_scores_come_with_params_macs_and_proxies(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        told = await answer(client, "score_zero_cost", architectures=[CELL])
        live = await answer(client, "score_zero_cost", architectures=[CELL], proxies=["zen", "params"])
    found = told["results"][0]
    assert live["results"][0]["proxies"].keys() == {"zen", "params"}
    assert (live["results"][0]["source"], live["results"][0]["score"]) == ("computed", found["score"])
    assert [worth["name"] for worth in told["worth"]] == ["score", "params", "macs"]
    assert all(w["spearman_95"][0] < w["spearman"] < w["spearman_95"][1] for w in told["worth"])
    assert "15,625" in told["worth_source"]
    assert 0 <= found["score"] <= 1
    assert found["source"] == "atlas"
    assert {"params", "macs", "growth", "swap", "jacov"} <= found["proxies"].keys()
    assert found["params_m"] == pytest.approx(0.587386)
    assert found["macs_m"] == pytest.approx(82.49413)


async def test_an_exported_network_runs_without_us(tmp_path: Path) -> None:
    import subprocess

    async with session(tmp_path) as client:
        exported = await answer(client, "export_architecture", architecture=CELL, dataset="cifar100")
    (tmp_path / exported["filename"]).write_text(exported["code"])
    code = (
        "import sys, torch; sys.modules['llmnas_mcp'] = None;"
        f"from {exported['filename'].removesuffix('.py')} import build; net = build();"
        "print(tuple(net(torch.zeros(2, 3, 32, 32)).shape), sum(p.numel() for p in net.parameters()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split(") ") == ["(2, 100", f"{587386 + 90 * 65}\n"]


async def test_a_network_is_exported_to_a_resource_that_runs_where_there_is_no_torch(tmp_path: Path) -> None:
    import hashlib

    import numpy as np

    said: list[str | None] = []

    async def hear(_: float, __: float | None, message: str | None) -> None:
        said.append(message)

    async with session(tmp_path) as client:
        asked = {"architecture": CELL, "format": "onnx", "dataset": "cifar100"}
        result = await client.call_tool("export_architecture", asked, progress_callback=hear)
        assert not result.is_error, result.content[0].text
        found = result.structured_content
        (read,) = (await client.read_resource(found["uri"])).contents
        (card,) = (await client.read_resource(found["uri"] + ".md")).contents
        with pytest.raises(Exception, match=r"There is no exported file 'other\.onnx'\. Files: nasbench201_3n3sn1"):
            await client.read_resource("llmnas://exports/other.onnx")
    content = base64.b64decode(read.blob)
    assert (len(content), hashlib.sha256(content).hexdigest()) == (found["bytes"], found["sha256"])
    assert (found["code"], str(result.content[1].uri)) == (None, found["uri"])
    assert said == ["writing onnx", "checking it in ONNX Runtime"]
    assert CELL in base64.b64decode(card.blob).decode()
    file = tmp_path / "a.onnx"
    file.write_bytes(content)
    ((logits,),) = run_alone([file], [[np.zeros((2, 3, 32, 32), np.float32)]])
    assert logits.shape == (2, 100)


@pytest.mark.thorough
async def test_two_networks_asked_for_at_once_are_both_exported(tmp_path: Path) -> None:
    found: dict[str, str] = {}

    async def ask(cell: str) -> None:
        found[cell] = (await answer(client, "export_architecture", architecture=cell, format="onnx"))["filename"]

    async with session(tmp_path) as client, anyio.create_task_group() as group:
        for cell in ("nnnsnn", "nnn1nn"):
            group.start_soon(ask, cell)
    assert len(set(found.values())) == 2


async def test_a_format_that_takes_no_file_of_its_own_is_refused_with_those_there_are(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        text = await error(client, "export_architecture", architecture=CELL, format="tflite")
    assert "'torch', 'onnx' or 'executorch'" in text


@pytest.mark.thorough
def test_of_exported_files_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST_FILES", 2)
    store = Store(f"sqlite:///{tmp_path}/llmnas.db")
    asked: dict[str, Any] = {"space": "nasbench201", "dataset": None, "format": "onnx", "store": store}
    for cell in ("nnnsnn", "nnn1nn", "nnn3nn"):
        exports.export_architecture(cell, **asked, data=tmp_path / "tables", say=lambda _: None)
    store.close()
    folder = tmp_path / "tables" / exports.FOLDER
    kept = {path.name.rpartition("_")[0] for path in folder.iterdir()}
    assert kept == {"nasbench201_nnn1nn", "nasbench201_nnn3nn"}
    assert len(list(folder.iterdir())) == 2 * 3
