"""Networks of a user's space, exported with the file in which the space is written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmnas_mcp.errors import SpaceError
from llmnas_mcp.spaces import DATASETS, Dataset, Genotype, Space
from llmnas_mcp.spaces.checking import check_space
from llmnas_mcp.spaces.counting import count
from llmnas_mcp.spaces.registry import load_space
from tests.spaces.own import BUILD, CHOICES, CIFAR10, HEAD, NAME, ROOT, SMALL, TINYNET, Write


def test_the_space_in_the_examples_is_short_in_order_and_works_from_eight_pixels_on() -> None:
    assert len((ROOT / "examples" / "tinynet.py").read_text().splitlines()) <= 40
    space = load_space(TINYNET)
    for dataset in (SMALL, DATASETS["ImageNet16-120"], Dataset("odd", 33, 7, channels=1)):
        found = check_space(space, dataset)
        assert len(found.reference.genotypes) == 42
    assert space.parse("depth=1,width=24,kernel.0=5") == space.parse("1-24-5-_-_") == (0, 1, 1, 0, 0)


EXPORTED = """
import runpy, sys
sys.modules["llmnas_mcp"] = None
import torch
network = runpy.run_path(sys.argv[1])["build"]()
images = torch.zeros(2, 3, int(sys.argv[2]), int(sys.argv[2]))
print(sum(p.numel() for p in network.parameters()), *network(images).shape)
"""


def exported(space: Space, genotype: Genotype, dataset: Dataset, folder: Path) -> list[int]:
    """Parameters and the shape of the output of what was written, in a process that has nothing of ours."""
    path = folder / "exported.py"
    path.write_text(space.source_code(genotype, dataset), encoding="utf-8")
    command = [sys.executable, "-I", "-W", "error", "-c", EXPORTED, str(path), str(dataset.resolution)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_a_network_is_exported_with_the_file_of_its_space_and_needs_nothing_of_ours(tmp_path: Path) -> None:
    space, dataset = load_space(TINYNET), DATASETS["ImageNet16-120"]
    genotype = space.parse(space.example)
    assert exported(space, genotype, dataset, tmp_path) == [count(space, genotype, dataset).params, 2, 120]


@pytest.mark.thorough
def test_what_a_file_imports_of_ours_is_replaced_however_it_is_written(write_space: Write, tmp_path: Path) -> None:
    text = (
        '"""A space."""\n\nfrom __future__ import annotations\n\nfrom typing import TYPE_CHECKING\n'
        "\nfrom torch import nn\n"
        "from llmnas_mcp.spaces import (\n    Dataset,\n    Space as Base,\n)\n\nif TYPE_CHECKING:\n"
        "    from llmnas_mcp.spaces.datasets import Dataset as Data\n\n\nclass Mine(Base):\n"
    )
    space = load_space(
        write_space(text + NAME + CHOICES + BUILD.replace("chosen, dataset", "chosen, dataset: Dataset"))
    )
    assert exported(space, (1, 1), CIFAR10, tmp_path) == [count(space, (1, 1), CIFAR10).params, 2, 10]


@pytest.mark.thorough
def test_what_was_loaded_is_exported_and_not_what_became_of_the_file(write_space: Write, tmp_path: Path) -> None:
    space = load_space(write_space())
    write_space("# nothing left\n")
    assert exported(space, (1, 1), CIFAR10, tmp_path) == [count(space, (1, 1), CIFAR10).params, 2, 10]


@pytest.mark.parametrize(
    "line", ["import llmnas_mcp", "from llmnas_mcp.spaces import DATASETS", "from llmnas_mcp.errors import LabError"]
)
def test_a_space_that_needs_more_of_ours_cannot_be_exported_and_says_which_line(line: str, write_space: Write) -> None:
    space = load_space(write_space(f"{line}\n{HEAD}{NAME}{CHOICES}{BUILD}"))
    with pytest.raises(SpaceError, match=rf"its file has `{re.escape(line)}`.*must stand in the file"):
        space.source_code((0, 0), CIFAR10)
