"""The tool that trains networks, through a real client of a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from llmnas_mcp.images import add_images
from tests.images.made import class_folders
from tests.server.conftest import CELL, answer, error, session
from tests.training.conftest import trainings

pytestmark = pytest.mark.anyio

SMALL = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


async def test_networks_are_trained_once_and_their_search_shows_it(tmp_path: Path) -> None:
    said: list[tuple[float, float | None, str]] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        said.append((done, total, message or ""))

    async with session(tmp_path) as client:
        started = await answer(
            client, "start_search", objective="params", dataset="digits", niches=1, scored_by="params"
        )
        search = {"search_id": started["search_id"]}
        await answer(client, "submit_architectures", **search, architectures=[SMALL])
        asked: dict[str, Any] = {"architectures": [SMALL, SMALL], "dataset": "digits", "epochs": 2}
        result = await client.call_tool("train_architectures", asked, progress_callback=hear)
        assert not result.is_error, result.content[0].text
        (row,) = result.structured_content["results"]
        assert (row["data"], row["epochs"], row["of_epochs"], row["seed"]) == ("digits", 2, 2, 0)
        assert row["test"] > 15
        assert said[0][2].startswith("2 epochs in all take about ")
        assert [done for done, _, _ in said] == sorted(done for done, _, _ in said)
        shown = await answer(client, "get_search", **search)
        assert shown["trained"] == [row]
        rows = trainings(tmp_path)
        again = await answer(client, "train_architectures", **asked)
        assert again["results"] == [row]
        assert trainings(tmp_path) == rows


@pytest.mark.thorough
async def test_a_call_that_is_cancelled_stops_and_the_same_call_goes_on(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"architectures": [CELL, SMALL], "dataset": "digits", "epochs": 100, "budget": 200}
    async with session(tmp_path) as client:
        with anyio.move_on_after(600) as scope:

            async def hear(done: float, _: float | None, __: str | None) -> None:
                if done:
                    scope.cancel()

            await client.call_tool("train_architectures", asked, progress_callback=hear)
        assert scope.cancelled_caught
        await answer(client, "list_searches")
    saved = list((tmp_path / "tables" / "training").glob("*.resume"))
    assert saved
    assert trainings(tmp_path) == []


async def test_what_cannot_be_trained_is_told_with_the_fix_and_no_path_is_taken(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "pets")
    add_images("pets", str(source), tmp_path / "tables")
    async with session(tmp_path) as client:
        asked = {"architectures": [CELL], "dataset": str(source)}
        told = await error(client, "train_architectures", **asked)
        assert "Unknown data" in told
        assert "Allowed: digits, pets" in told
        told = await error(client, "train_architectures", architectures=["|x|"], dataset="digits")
        assert "architectures[0]" in told
        told = await error(client, "train_architectures", architectures=[CELL], dataset="digits", epochs=0)
        assert "epochs=0 is out of range" in told
