"""Networks of every space in every format that is installed, opened where there is no torch and nothing of ours."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from llmnas_mcp.errors import LabError
from llmnas_mcp.exporting import FORMATS, Subject, export
from llmnas_mcp.exporting.checking import NEAR
from llmnas_mcp.spaces import Dataset, Genotype, Space, dataset_shape, get_space
from tests.exporting.alone import run_alone

CIFAR10 = dataset_shape("cifar10")


def can_write(name: str) -> None:
    kind = FORMATS[name]
    try:
        kind.check(Path(f"a{kind.suffix}"))
    except LabError as error:
        pytest.skip(str(error))


@lru_cache(maxsize=32)
def subject_of(space: Space, genotype: Genotype, dataset: Dataset) -> Subject:
    """One for all formats: to find what is alive takes longer than to write it."""
    return Subject(space, genotype, dataset)


def same_alone(name: str, space: Space, genotypes: list[Genotype], dataset: Dataset, folder: Path) -> None:
    """Export each, open it in a process of its own, and compare what it makes of images with what torch does."""
    import torch

    can_write(name)
    files, given, wanted = [], [], []
    for i, genotype in enumerate(genotypes):
        subject = subject_of(space, genotype, dataset)
        files.append(folder / f"{i}{FORMATS[name].suffix}")
        export(subject, name, files[-1])
        rng = np.random.default_rng(i)
        given.append([rng.normal(size=(n, *subject.size)).astype(np.float32) for n in (1, 2, 5)])
        with torch.inference_mode():
            wanted.append([subject.network(torch.from_numpy(x)).numpy() for x in given[-1]])
    for one, other in zip(run_alone(files, given), wanted, strict=True):
        for found, expected in zip(one, other, strict=True):
            assert found.shape == expected.shape
            assert np.abs(found - expected).max() <= NEAR * np.abs(expected).max()


def drawn(space: Space, count: int) -> list[Genotype]:
    return [tuple(map(int, row)) for row in space.sample(count, np.random.default_rng(16))]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "onnx" else pytest.mark.thorough) for name in FORMATS]
)
def test_a_cell_with_dead_operations_gives_what_it_does_in_torch(name: str, tmp_path: Path) -> None:
    space = get_space("nasbench201")
    same_alone(name, space, [space.parse("n13311")], CIFAR10, tmp_path)


@pytest.mark.thorough
def test_a_network_whose_channels_are_shuffled_gives_what_it_does_in_torch(tmp_path: Path) -> None:
    space = get_space("fbnet")
    same_alone("onnx", space, [space.parse("15" * 11)], dataset_shape("cifar100"), tmp_path)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "space", "count"),
    [
        *(("onnx", "nasbench201", 10), ("onnx", "fbnet", 3)),
        *(("onnx", f"autoformer-{size}", 1) for size in ("tiny", "small", "base")),
        *((name, space, 1) for name in FORMATS if name != "onnx" for space in ("nasbench201", "fbnet")),
        *((name, "autoformer-tiny", 1) for name in FORMATS if name != "onnx"),
    ],
)
def test_networks_of_every_space_give_what_they_do_in_torch(name: str, space: str, count: int, tmp_path: Path) -> None:
    """More were compared by perf/export.py: docs/results.md says how many of which."""
    where = get_space(space)
    same_alone(name, where, drawn(where, count), dataset_shape(where.dataset), tmp_path)


def test_the_graph_has_additions_for_sums_and_no_batch_normalisation_behind_a_convolution(tmp_path: Path) -> None:
    import onnx

    space = get_space("nasbench201")
    export(Subject(space, space.parse("333333"), CIFAR10), "onnx", tmp_path / "a.onnx")
    kinds = [node.op_type for node in onnx.load(tmp_path / "a.onnx").graph.node]
    assert {"Unsqueeze", "Concat", "ReduceSum", "Shape"}.isdisjoint(kinds)
    assert kinds.count("Add") == 15 * 3 + 2  # one less than the operations into each node; and the two reductions
    assert kinds.count("BatchNormalization") == 1  # before the head, behind an addition


def test_an_onnx_file_says_what_it_is(tmp_path: Path) -> None:
    import onnx

    space = get_space("nasbench201")
    card = export(subject_of(space, space.parse("n13311"), CIFAR10), "onnx", tmp_path / "a.onnx")
    model = onnx.load(tmp_path / "a.onnx")
    told = {prop.key: prop.value for prop in model.metadata_props}
    assert told["architecture"] == card["architecture"] == space.format(space.parse("n13311"))
    assert told["input"].startswith("float32, (batch, 3, 32, 32), pixels from 0 to 1")
    sizes = model.graph.input[0].type.tensor_type.shape.dim
    assert [size.dim_param or size.dim_value for size in sizes] == ["batch", 3, 32, 32]


def test_an_exported_program_and_openvinos_file_say_what_they_are(tmp_path: Path) -> None:
    import torch

    space = get_space("nasbench201")
    subject = subject_of(space, space.parse("nnnsnn"), CIFAR10)
    export(subject, "torch", tmp_path / "a.pt2")
    told = {"llmnas.json": ""}
    torch.export.load(tmp_path / "a.pt2", extra_files=told)
    assert json.loads(told["llmnas.json"]) == subject.about()
    can_write("openvino")
    import openvino

    export(subject, "openvino", tmp_path / "a.xml")
    model = openvino.Core().read_model(tmp_path / "a.xml")
    assert model.get_rt_info(["llmnas", "space"]).value == "nasbench201"
