"""What was trained shows wherever the network does, and leaves with its weights: through a real client of a server."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from llmnas_mcp.images import load_images
from tests.exporting.alone import run_alone
from tests.server.conftest import answer, session

pytestmark = pytest.mark.anyio

WEAK = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
STRONG = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
# The same as WEAK, with an operation that leads nowhere.
WEAK_AS_WELL = "|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
BUILT = """
import sys, numpy, torch
sys.modules["llmnas_mcp"] = None
from exported import build
network = build()
network.load_state_dict(torch.load("weights.pt", weights_only=True)["state_dict"])
images = torch.from_numpy(numpy.load("images.npy"))
print(*network.eval()(images).argmax(1).tolist())
"""


@asynccontextmanager
async def trained(folder: Path) -> AsyncIterator[tuple[Client, str, list[dict[str, Any]]]]:
    """A client, a search of two networks for digits, and what training them showed."""
    async with session(folder) as client:
        asked = {"objective": "params", "dataset": "digits", "niches": 1, "scored_by": "params"}
        search_id = (await answer(client, "start_search", **asked))["search_id"]
        both = [WEAK, STRONG]
        await answer(client, "submit_architectures", search_id=search_id, architectures=both)
        found = await answer(client, "train_architectures", architectures=both, dataset="digits", epochs=2, budget=4)
        yield client, search_id, found["results"]


async def test_fronts_and_briefs_show_accuracies_beside_scores(tmp_path: Path) -> None:
    async with trained(tmp_path) as (client, search_id, rows):
        accuracies = {row["architecture"]: row["valid"] for row in rows}
        found = await answer(client, "compute_pareto_front", search_id=search_id)
        shown = {point["architecture"]: point for point in found["front"]}
        assert {name: point["accuracy"] for name, point in shown.items()} == accuracies
        assert {(p["grade"], p["accuracy_source"]) for p in shown.values()} == {
            ("trained", "own training on digits, 2 epochs")
        }
        assert "accuracy_error" not in shown[WEAK]
        best = [point["accuracy"] for point in found["trained_front"]]
        assert best == sorted(best)
        assert best[-1] == max(accuracies.values())
        assert found["trained_front"][0]["architecture"] == WEAK  # none has fewer parameters
        brief = await answer(client, "get_brief", search_id=search_id, niche=0)
        assert sorted(brief["trained"], key=lambda row: -row["valid"]) == rows
        told = (await client.get_prompt("explain_front", {"search_id": search_id})).messages[0].content.text
        assert all(word in told for word in ("picks", "trained_front", "train_architectures"))


async def test_a_network_that_was_trained_is_exported_with_its_weights_and_says_with_which(tmp_path: Path) -> None:
    digits = load_images("digits", tmp_path)
    images = digits.normalise(digits.test_x)
    async with trained(tmp_path) as (client, _, rows):
        (row,) = (row for row in rows if row["architecture"] == WEAK)
        source = await answer(client, "export_architecture", architecture=WEAK_AS_WELL)
        (weights,) = (await client.read_resource(source["uri"])).contents
        onnx = await answer(client, "export_architecture", architecture=WEAK, dataset="digits", format="onnx")
        (file,) = (await client.read_resource(onnx["uri"])).contents
        (card,) = (await client.read_resource(onnx["uri"] + ".json")).contents
        with pytest.raises(Exception, match="There is no exported file"):
            await client.read_resource(source["uri"] + ".md")
        other = await answer(client, "export_architecture", architecture=WEAK, dataset="cifar10")
        never = await answer(client, "export_architecture", architecture="nnn3nn", dataset="digits")
    assert source["trained"] == onnx["trained"] == f"digits, 2 epochs, {row['test']:.2f} % of the test images"
    assert (other["trained"], other["uri"], never["trained"]) == (None, None, None)
    assert "It is untrained" in never["next"]
    assert "It is untrained: it was trained here on digits, 2 epochs" in other["next"]
    assert 'which dataset="digits" exports' in other["next"]
    assert "in its canonical form, which computes the same" in source["next"]
    (tmp_path / "exported.py").write_text(source["code"])
    (tmp_path / "weights.pt").write_bytes(base64.b64decode(weights.blob))
    (tmp_path / "a.onnx").write_bytes(base64.b64decode(file.blob))
    import numpy as np

    np.save(tmp_path / "images.npy", images)
    done = subprocess.run([sys.executable, "-c", BUILT], cwd=tmp_path, capture_output=True, text=True, check=True)
    ((logits,),) = run_alone([tmp_path / "a.onnx"], [[images]])
    for answers in (np.array(done.stdout.split(), dtype=int), logits.argmax(1)):
        assert 100 * (answers == digits.test_y).mean() == pytest.approx(row["test"])
    told = json.loads(base64.b64decode(card.blob))
    assert (told["trained"], told["dataset"], told["training"]["epochs"]) == (True, "digits", 2)
