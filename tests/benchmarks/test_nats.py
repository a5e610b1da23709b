"""The official files of NATS-Bench, in small: their layout, as the package's own writer makes it."""

from __future__ import annotations

import bz2
import collections
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmnas_mcp import unpickler
from llmnas_mcp.benchmarks import accuracy_of, import_accuracies
from llmnas_mcp.benchmarks.tables import import_measured
from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import Space

CELLS = [(3, 3, 3, 3, 3, 3), (3, 0, 3, 0, 0, 3), (0, 0, 0, 1, 0, 0)]
SETS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test", "ori-test"),
    "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
}
PUBLISHED = {"cifar10": "ori-test", "cifar100": "x-test", "ImageNet16-120": "x-test"}


def accuracy(cell: int, dataset: str, name: str, seed: int, epoch: int) -> float:
    """A made-up accuracy that is different for everything it could be mistaken for."""
    return 20 * cell + 5 * list(SETS).index(dataset) + len(name) / 10 + (seed % 10) / 100 + epoch / 1e6


def result(space: Space, cell: int, dataset: str, seed: int, epochs: int) -> dict[str, Any]:
    """One training as `ResultsCount.state_dict` gives it: seeds apart, every epoch and set."""
    by_epoch = [
        (f"{name}@{e}", accuracy(cell, dataset, name, seed, e)) for name in SETS[dataset] for e in range(epochs)
    ]
    return {
        "name": dataset,
        "net_state_dict": None,
        "train_acc1es": dict.fromkeys(range(epochs), 99.0),
        "train_acc5es": None,
        "train_losses": collections.OrderedDict((e, 0.1) for e in range(epochs)),
        "train_times": collections.OrderedDict((e, 1.0) for e in range(epochs)),
        "arch_config": {"channel": 16, "num_cells": 5, "arch_str": space.format(CELLS[cell]), "class_num": 10},
        "params": 1.0,
        "flop": 2.0,
        "seed": seed,
        "epochs": epochs,
        "latency": [0.01],
        "eval_names": list(SETS[dataset]),
        "eval_acc1es": dict(by_epoch),
        "eval_times": {name: 0.5 for name, _ in by_epoch},
        "eval_losses": {name: 0.4 for name, _ in by_epoch},
    }


def architecture(space: Space, cell: int) -> dict[str, Any]:
    """One architecture as `ArchResults.state_dict` gives it, for 12 and for 200 epochs; one has more seeds."""
    seeds = {d: [777, 888, 999] if cell == 0 and d != "cifar10" else [777] for d in SETS}
    return {
        hp: {
            "arch_index": cell,
            "arch_str": space.format(CELLS[cell]),
            "all_results": {(d, seed): result(space, cell, d, seed, int(hp)) for d in SETS for seed in seeds[d]},
            "dataset_seed": seeds,
            "clear_net_done": True,
        }
        for hp in ("12", "200")
    }


def expected(cell: int, dataset: str) -> float:
    seeds = [777, 888, 999] if cell == 0 and dataset != "cifar10" else [777]
    return sum(accuracy(cell, dataset, PUBLISHED[dataset], seed, 199) for seed in seeds) / len(seeds)


def pack(path: Path, content: object, protocol: int = 4) -> Path:
    path.write_bytes(bz2.compress(content if isinstance(content, bytes) else pickle.dumps(content, protocol)))
    return path


@pytest.fixture(params=["folder", "file"])
def official(request: pytest.FixtureRequest, space: Space, tmp_path: Path) -> Path:
    names = [space.format(cell) for cell in CELLS]
    if request.param == "file":
        infos = {i: architecture(space, i) for i in range(len(CELLS))}
        content = {"meta_archs": names, "arch2infos": infos, "evaluated_indexes": set(infos)}
        return pack(tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2", content)
    folder = tmp_path / "NATS-tss-v1_0-3ffb9-simple"
    folder.mkdir()
    pack(folder / "meta.pickle.pbz2", {"meta_archs": names})
    for i in range(len(CELLS)):
        pack(folder / f"{i:06d}.pickle.pbz2", architecture(space, i))
    return folder


def test_the_official_layout_gives_test_accuracies_after_200_epochs_mean_over_seeds(
    space: Space, data: Path, official: Path
) -> None:
    pytest.importorskip("nats_bench", reason="nats_bench is not here: pip install 'llmnas-mcp[nats]'")
    costs, imported = import_measured(official, space, data)
    assert costs == []
    assert [(t.dataset, t.cells) for t in imported] == [("cifar10", 3), ("cifar100", 3), ("ImageNet16-120", 3)]
    for dataset in PUBLISHED:
        found = accuracy_of(space, CELLS, dataset=dataset, data=data)
        assert found.values.tolist() == pytest.approx([expected(i, dataset) for i in range(3)])
        assert found.sources[0].startswith("table:NATS-tss-v1_0-3ffb9")


def test_one_dataset_can_be_named(space: Space, data: Path, official: Path) -> None:
    pytest.importorskip("nats_bench", reason="nats_bench is not here: pip install 'llmnas-mcp[nats]'")
    assert [t.dataset for t in import_accuracies(official, space, data, dataset="cifar100")] == ["cifar100"]
    with pytest.raises(DataError, match="no accuracy after 200 epochs on flowers"):
        import_accuracies(official, space, data, dataset="flowers")


def test_without_the_package_its_installation_is_told(
    space: Space, data: Path, official: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nats_bench", None)
    with pytest.raises(DataError, match=r"^NATS-Bench's files need its package: pip install 'llmnas-mcp\[nats\]'"):
        import_accuracies(official, space, data)
    assert not data.exists()


class Call:
    """Pickled, it asks for a call when read."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def test_a_file_that_wants_to_run_a_command_is_refused_and_runs_nothing(
    space: Space, data: Path, official: Path, tmp_path: Path
) -> None:
    pytest.importorskip("nats_bench", reason="nats_bench is not here: pip install 'llmnas-mcp[nats]'")
    mark = tmp_path / "ran"
    for file in [official] if official.is_file() else [official / "000000.pickle.pbz2", official / "meta.pickle.pbz2"]:
        pack(file, {"200": Call(os.system, f"touch {mark}")})
        with pytest.raises(DataError, match=rf"{file.name}: refused the global {os.name}\.system"):
            import_measured(official, space, data)
    assert not mark.exists()
    assert not data.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds nothing under 'meta_archs'"),
        ({"meta_archs": ["x"]}, "holds nothing under 'arch2infos'"),
        ({"meta_archs": ["x"], "arch2infos": {}}, "has no rows"),
        ({"meta_archs": [], "arch2infos": {0: {}}}, "not in the layout of NATS-Bench"),
        ({"meta_archs": ["x"], "arch2infos": {0: {"12": {}}}}, "index 0: not in the layout of NATS-Bench"),
        (
            {"meta_archs": ["x"], "arch2infos": {0: {"200": {"dataset_seed": {"cifar10": [777]}}}}},
            "index 0: not in the layout",
        ),
        ({"meta_archs": ["x"], "arch2infos": {"a": 1, 2: 3}}, "not in the layout of NATS-Bench"),
    ],
)
def test_another_layout_is_refused(space: Space, data: Path, tmp_path: Path, content: object, message: str) -> None:
    pytest.importorskip("nats_bench", reason="nats_bench is not here: pip install 'llmnas-mcp[nats]'")
    with pytest.raises(DataError, match=message):
        import_measured(pack(tmp_path / "a.pickle.pbz2", content), space, data)
    assert not data.exists()


def test_damaged_and_endless_files_are_refused(
    space: Space, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nats_bench", reason="nats_bench is not here: pip install 'llmnas-mcp[nats]'")
    path = pack(tmp_path / "a.pickle.pbz2", b"\n" * 2**20)
    monkeypatch.setattr(unpickler, "MAX_BYTES", 2**18)
    with pytest.raises(DataError, match=r"larger than 0 MB\. Give the folder"):
        import_measured(path, space, data)
    path.write_bytes(path.read_bytes()[:-9])
    monkeypatch.setattr(unpickler, "MAX_BYTES", 2**24)
    with pytest.raises(DataError, match="damaged"):
        import_measured(path, space, data)
    path.write_bytes(b"BZhello")
    with pytest.raises(DataError, match="damaged"):
        import_measured(path, space, data)
