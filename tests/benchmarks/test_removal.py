"""What was imported under a name is removed by it, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llmnas_mcp.benchmarks import imported_accuracies
from llmnas_mcp.benchmarks.tables import import_measured, remove_measured
from llmnas_mcp.devices import DEVICES, cost_of, devices_of
from llmnas_mcp.devices.layers import imported_layers
from llmnas_mcp.devices.tables import imported_tables
from llmnas_mcp.errors import NotFoundError, UnknownNameError
from llmnas_mcp.spaces import Space, get_space
from tests.devices.test_fbnet import BASE, CSV
from tests.devices.test_fbnet import rows as layer_rows

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
OTHER = CELL.replace("skip_connect", "none")
Write = Callable[..., Path]


def row(architecture: str = CELL, **columns: object) -> dict[str, object]:
    return {"arch_str": architecture, **columns}


def test_costs_layers_and_accuracies_of_a_name_are_removed_and_told(
    space: Space, tmp_path: Path, data: Path, write: Write
) -> None:
    fbnet = get_space("fbnet")
    (tmp_path / BASE).write_text(json.dumps({"all_k3_e1_latency_ms": {"raspi4": 10.5, "fpga": 3}}))
    name = CSV.removesuffix(".csv")
    layers, _ = import_measured(write(CSV, layer_rows()), fbnet, data)
    costs, accuracies = import_measured(
        write(CSV, [row(pi5_latency=3, fpga_energy=2, cifar10_test_200=90)]), space, data, "cifar10"
    )
    kept = import_measured(write("kept_cifar10.csv", [row(pi6_energy=4, cifar100_test_200=70)]), space, data)
    assert remove_measured(name, data) == ([*costs, *layers], accuracies)
    assert (imported_tables(data), imported_accuracies(data)) == kept
    assert imported_layers(data) == []
    assert list(devices_of(data)) == [*DEVICES, "pi6"]
    assert cost_of(
        space, [space.parse(CELL)], device="pi6", dataset="cifar10", objective="energy", data=data
    ).values.tolist() == [4]
    assert len(list(data.iterdir())) == 2
    remove_measured("kept_cifar10", data)
    assert list(data.iterdir()) == []


def test_of_a_device_with_a_column_of_a_removed_table_the_others_stay(space: Space, data: Path, write: Write) -> None:
    import_measured(write("one.csv", [row(pi5_latency=3)]), space, data, "cifar10")
    import_measured(write("two.csv", [row(pi5_energy=4)]), space, data, "cifar10")
    remove_measured("one", data)
    assert [(t.device, t.objective) for t in imported_tables(data)] == [("pi5", "energy")]


def test_columns_of_several_tables_are_removed_by_their_name_together(space: Space, data: Path, write: Write) -> None:
    import_measured(write("one.csv", [row(pi5_latency=3)]), space, data, "cifar10")
    import_measured(write("two.csv", [row(OTHER, pi5_latency=4)]), space, data, "cifar10")
    with pytest.raises(UnknownNameError, match=r"Unknown table 'one'\. Allowed: one\+two\..*by their name.*: one\+two"):
        remove_measured("one", data)
    assert [t.cells for t in remove_measured("one+two", data)[0]] == [2]
    assert list(data.iterdir()) == []


def test_an_unknown_name_is_refused_with_those_there_are(space: Space, data: Path, write: Write) -> None:
    with pytest.raises(NotFoundError, match="no table to remove: none was imported"):
        remove_measured("one", data)
    import_measured(write("one.csv", [row(pi5_latency=3, cifar10_test_200=90)]), space, data, "cifar10")
    for name in ("two", "", "../one", "one.csv"):
        with pytest.raises(UnknownNameError, match=r"Allowed: one\."):
            remove_measured(name, data)
    assert len(list(data.iterdir())) == 2
