"""Data that a user adds: known by its name everywhere, whole or not at all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import anyio
import numpy as np
import pytest

from llmnas_mcp.images import add_images, load_images
from llmnas_mcp.spaces import dataset_shape
from tests.agents.conftest import Run, llmnas, parsed
from tests.agents.test_cli_space import refused
from tests.images.made import cifar, class_folders, idx, save_picture
from tests.server.conftest import session

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"

__all__ = ["llmnas"]


def test_data_is_added_listed_and_removed(llmnas: Run, tmp_path: Path) -> None:
    class_folders(tmp_path / "pets", ("train", "val"))
    told = parsed(llmnas("data", "add", "pets", str(tmp_path / "pets"), "--json"))
    assert (told["resolution"], told["channels"], told["classes"]) == (8, 3, ["cat", "dog"])
    (listed,) = [row for row in parsed(llmnas("data", "list", "--json"))["images"] if row["name"] == "pets"]
    assert (listed["train"], listed["test"], listed["source"]) == (8, 8, str(tmp_path / "pets"))
    assert "pets" in llmnas("data", "list").stdout
    assert "pets is the name of images already" in refused(llmnas("data", "add", "pets", "digits", check=False))
    llmnas("data", "remove", "pets")
    assert [row["name"] for row in parsed(llmnas("data", "list", "--json"))["images"]] == ["digits"]
    assert "comes with scikit-learn" in refused(llmnas("data", "remove", "digits", check=False))


def test_nothing_is_kept_of_data_that_cannot_be_read(llmnas: Run, tmp_path: Path) -> None:
    class_folders(tmp_path / "pets")
    (tmp_path / "pets" / "dog" / "3.png").write_bytes(b"\x89PNG")
    assert "3.png is damaged" in refused(llmnas("data", "add", "pets", str(tmp_path / "pets"), check=False))
    assert "differ in size" not in refused(llmnas("data", "add", "pets", str(tmp_path / "none"), check=False))
    assert list((tmp_path / "tables").glob("**/*")) == []


def test_what_was_added_stays_when_its_source_goes(tmp_path: Path) -> None:
    data = tmp_path / "tables"
    source = class_folders(tmp_path / "pets")
    added = add_images("pets", str(source), data)
    for file in source.rglob("*.png"):
        file.unlink()
    again = load_images("pets", data)
    assert again.digest == added.digest
    assert (again.train_x == added.train_x).all()
    assert (again.mean, again.std, again.classes) == (added.mean, added.std, added.classes)
    assert dataset_shape("pets", data) == added.shape


def test_a_published_name_is_taken_only_for_images_of_its_shape(tmp_path: Path, llmnas: Run) -> None:
    archive = cifar(tmp_path, 10)
    llmnas("data", "add", "cifar10", str(archive))
    line = refused(llmnas("data", "add", "cifar100", str(archive), check=False))
    assert "cifar100 is a published dataset of 32x32 pixels, 3 channels and 100 classes" in line


def test_networks_of_every_space_are_counted_for_data_of_ones_own(llmnas: Run, tmp_path: Path) -> None:
    llmnas("data", "add", "fashion", str(idx(tmp_path / "fashion")), "--resolution", "32")
    spaces = {row["space"]: row for row in parsed(llmnas("spaces", "--json"))["spaces"]}
    for name, row in spaces.items():
        assert "fashion" in row["datasets"]
        assert ("digits" in row["datasets"]) == (not name.startswith("autoformer"))
        found = llmnas(
            "latency", row["example"], "--space", name, "--dataset", "fashion", "--objective", "params", "--json"
        )
        assert parsed(found)["results"][0]["value"] > 0


def test_what_a_space_does_not_take_is_told_with_the_fix(llmnas: Run, tmp_path: Path) -> None:
    for side in (10, 8):
        (folder := tmp_path / f"of{side}").mkdir()
        for label in ("a", "b"):
            for i in range(4):
                save_picture(folder / label / f"{i}.png", (side, side), seed=i)
        llmnas("data", "add", f"of{side}", str(folder))
    search = ("search", "--objective", "macs", "--dataset")
    line = refused(llmnas(*search, "of10", check=False))
    assert "nasbench201 halve images twice, and of10 has 10 pixels a side" in line
    assert "--resolution 8" in line
    line = refused(llmnas(*search, "of8", "--space", "autoformer-tiny", check=False))
    assert "patches of 16x16 pixels, and of8 has 8 pixels a side" in line


def test_a_published_device_says_what_is_possible_for_data_of_ones_own(llmnas: Run) -> None:
    line = refused(llmnas("search", "--device", "raspi4", "--dataset", "digits", check=False))
    for word in ("latency of raspi4 on digits, your own data", "--objective macs", "llmnas device add"):
        assert word in line


@pytest.mark.thorough
def test_a_server_knows_added_data_by_name_and_takes_no_path(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "pets")
    add_images("pets", str(source), tmp_path / "tables")

    async def main() -> None:
        async with session(tmp_path) as client:
            asked = {"architectures": [CELL], "dataset": "pets"}
            found = await client.call_tool("score_zero_cost", asked)
            assert not found.is_error, found.content
            assert 0 <= found.structured_content["results"][0]["score"] <= 1
            for bad in (str(source), "../images/pets", "pets/../pets"):
                found = await client.call_tool("score_zero_cost", {**asked, "dataset": bad})
                assert found.is_error
                assert "Unknown dataset" in found.content[0].text

    anyio.run(main)


@pytest.mark.thorough
def test_a_search_for_data_of_ones_own_needs_no_device(llmnas: Run) -> None:
    done: subprocess.CompletedProcess[str] = llmnas(
        "search", "--space", "examples/tinynet.py:TinyNet", "--dataset", "digits", "--objective", "macs",
        "--evaluations", "12", "--json",
    )  # fmt: skip
    front = parsed(done)
    assert front["dataset"] == "digits"
    assert front["front"]
    assert np.isfinite([point["score"] for point in front["front"]]).all()


@pytest.mark.parametrize("name", ["../x", "a b", "", ".hidden"])
def test_a_name_that_cannot_be_one_is_refused(llmnas: Run, name: str) -> None:
    assert "cannot be a name" in refused(llmnas("data", "add", "--", name, "digits", check=False))
