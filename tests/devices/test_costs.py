from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp.devices import ANYWHERE, DEVICES, NAMES, ON_DEVICE, UNITS, Costs, Objective, cost_models, cost_of
from llmnas_mcp.devices.tables import import_table
from llmnas_mcp.errors import DataError, LabError, UnknownNameError
from llmnas_mcp.spaces import Genotypes, Space, get_space

CONVS, CHAIN, DEAD = (3, 3, 3, 3, 3, 3), (3, 0, 3, 0, 0, 3), (3, 0, 3, 1, 0, 0)
NOWHERE = Path("no-such-folder")


def ask(space: Space, device: str | None, data: Path, cells: Genotypes = (CONVS, CHAIN), **more: Any) -> Costs:
    arguments = {"dataset": "cifar10", "objective": "latency"} | more
    return cost_of(space, cells, device=device, data=data, **arguments)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_every_device_has_a_latency_on_both_datasets(space: Space, device: str, dataset: str, data: Path) -> None:
    costs = ask(space, device, data, dataset=dataset)
    assert costs.unit == "ms"
    assert (costs.values > 0).all()
    assert costs.sources == ("fitted:hwnasbench",) * 2
    assert (costs.errors < 0.06).all()
    assert costs.reasons == (None, None)


@pytest.mark.parametrize("device", [d.name for d in DEVICES.values() if d.energy])
def test_energy_is_in_millijoules(space: Space, device: str, data: Path) -> None:
    costs = ask(space, device, data, objective="energy")
    assert costs.unit == "mJ"
    assert (costs.values > 0).all()


@pytest.mark.parametrize("device", ["raspi4", "edgetpu", "pixel3"])
def test_unpublished_energy_is_refused_with_the_devices_that_have_it(space: Space, device: str, data: Path) -> None:
    with pytest.raises(DataError, match=f"No energy was published for {device}.*edgegpu, eyeriss, fpga"):
        ask(space, device, data, objective="energy")


def test_an_unknown_device_is_refused_with_a_suggestion(space: Space, data: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'raspi4'"):
        ask(space, "raspi", data)


def test_an_unknown_objective_is_refused(space: Space, data: Path) -> None:
    with pytest.raises(UnknownNameError, match="Unknown objective 'power'"):
        ask(space, "raspi4", data, objective="power")


@pytest.mark.parametrize("dataset", ["flowers", "", "../../etc/passwd", "a\0b", "x" * 5000])
def test_an_unknown_dataset_is_refused_with_those_there_are(space: Space, dataset: str, data: Path) -> None:
    with pytest.raises(DataError, match=r"available: cifar10, cifar100.*llmnas data import FILE --dataset NAME"):
        ask(space, "raspi4", data, dataset=dataset)


def test_dead_operations_cost_time(space: Space, data: Path) -> None:
    given, canonical = ask(space, "eyeriss", data, [DEAD, space.canonical(DEAD)]).values
    assert given > canonical


def test_a_cell_the_edge_tpu_refuses_has_no_cost_but_a_reason(space: Space, data: Path) -> None:
    costs = ask(space, "edgetpu", data, [(0, 3, 3, 1, 0, 1), CONVS])
    assert np.isnan(costs.values).tolist() == [True, False]
    assert np.isnan(costs.errors).tolist() == [True, False]
    assert costs.reasons == (
        "Google Edge TPU (Coral Dev Board) cannot run this cell: an operation is fed with zeros.",
        None,
    )


@pytest.mark.thorough
@given(st.lists(st.integers(0, 15624), max_size=20))
def test_the_answer_does_not_depend_on_what_else_is_asked(wanted: list[int]) -> None:
    space = get_space("nasbench201")
    cells = np.array(list(space.genotypes()))
    together = ask(space, "pixel3", NOWHERE, cells).values
    assert ask(space, "pixel3", NOWHERE, cells[wanted]).values.tolist() == together[wanted].tolist()


def test_an_answer_can_be_changed_without_changing_the_next(space: Space, data: Path) -> None:
    first = ask(space, "fpga", data).values.copy()
    ask(space, "fpga", data).values[:] = 0
    assert (ask(space, "fpga", data).values == first).all()


def test_cells_of_equal_cost_come_out_equal(space: Space, data: Path) -> None:
    values = ask(space, "fpga", data, list(space.genotypes())).values
    assert len(np.unique(values)) == len(np.unique(values.round(6)))


def test_asking_imports_nothing_heavier_than_numpy() -> None:
    program = (
        "import sys; from pathlib import Path; from llmnas_mcp.devices import cost_models\n"
        "from llmnas_mcp.spaces import get_space\n"
        "cost_models(get_space('nasbench201'), Path('none'))\n"
        "print(sorted({'torch', 'sklearn', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_list_of_models_has_every_device_objective_and_dataset(space: Space, data: Path) -> None:
    models = cost_models(space, data)
    assert len(models) == 27
    assert list(dict.fromkeys(m.device for m in models)) == list(DEVICES)
    for model in models:
        assert model.cells == 15625
        assert model.held_out is not None
        assert model.held_out > 1000
        costs = ask(space, model.device, data, dataset=model.dataset, objective=model.objective)
        assert costs.errors[0] == model.error
        assert costs.unit == model.unit


def test_an_imported_table_takes_precedence_over_the_predictor(
    space: Space, data: Path, write: Callable[..., Path]
) -> None:
    before = ask(space, "raspi4", data)
    import_table(write("mine_cifar10.csv", [{"arch_str": space.format(CONVS), "raspi4_latency": 12.5}]), space, data)
    costs = ask(space, "raspi4", data)
    assert costs.values.tolist() == [12.5, before.values[1]]
    assert costs.sources == ("table:mine_cifar10", "fitted:hwnasbench")
    assert np.isnan(costs.errors).tolist() == [True, False]
    listed = [m for m in cost_models(space, data) if (m.device, m.dataset) == ("raspi4", "cifar10")]
    assert [(m.source, m.cells, m.error) for m in listed] == [("table:mine_cifar10", 1, None)]
    assert len(cost_models(space, data)) == 27


def test_a_table_says_what_cannot_run(space: Space, data: Path, write: Callable[..., Path]) -> None:
    import_table(write("t_cifar10.csv", [{"arch_str": space.format(CONVS), "edgetpu_latency": -1}]), space, data)
    costs = ask(space, "edgetpu", data)
    assert np.isnan(costs.values).tolist() == [True, False]
    assert costs.sources == ("table:t_cifar10", "fitted:hwnasbench")
    assert "says the table t_cifar10" in (costs.reasons[0] or "")


def test_a_new_dataset_is_answered_for_the_cells_of_its_table_only(
    space: Space, data: Path, write: Callable[..., Path]
) -> None:
    path = write("mine.csv", [{"arch_str": space.format(CONVS), "pixel3_latency": 3}])
    import_table(path, space, data, dataset="flowers")
    costs = ask(space, "pixel3", data, dataset="flowers")
    assert costs.values[0] == 3
    assert np.isnan(costs.values[1])
    assert "does not have this one" in (costs.reasons[1] or "")
    with pytest.raises(DataError, match="available: cifar10, cifar100, ImageNet16-120, flowers"):
        ask(space, "pixel3", data, dataset="flower")


def test_imported_energy_is_answered_though_none_was_published(
    space: Space, data: Path, write: Callable[..., Path]
) -> None:
    import_table(write("t_cifar10.csv", [{"arch_str": space.format(CONVS), "raspi4_energy": 7}]), space, data)
    assert ask(space, "raspi4", data, objective="energy").values[0] == 7


def test_a_running_process_sees_a_new_import(space: Space, data: Path, write: Callable[..., Path]) -> None:
    for value in (1.5, 2.25):
        import_table(write("t_cifar10.csv", [{"arch_str": space.format(CONVS), "fpga_latency": value}]), space, data)
        assert ask(space, "fpga", data).values[0] == value


def test_objectives_are_latency_energy_and_memory_on_a_device_and_counts_without_one() -> None:
    assert get_args(Objective) == ("latency", "energy", "memory", "macs", "params") == tuple(UNITS) == tuple(NAMES)
    assert (*ON_DEVICE, *ANYWHERE) == tuple(UNITS)


@pytest.mark.parametrize("device", DEVICES)
def test_memory_is_refused_where_no_table_tells_it(space: Space, device: str, data: Path) -> None:
    told = f"No memory was published for {device}. Devices with memory: none.*a column {device}_memory"
    with pytest.raises(DataError, match=told):
        ask(space, device, data, objective="memory")


def test_imported_memory_is_in_megabytes_and_listed(space: Space, data: Path, write: Callable[..., Path]) -> None:
    import_table(write("t_cifar10.csv", [{"arch_str": space.format(CONVS), "raspi4_memory": 7.25}]), space, data)
    costs = ask(space, "raspi4", data, objective="memory")
    assert (costs.values[0], costs.unit, costs.sources) == (7.25, "MB", ("table:t_cifar10",) * 2)
    assert np.isnan([costs.values[1], *costs.errors]).all()
    assert "does not have this one" in (costs.reasons[1] or "")
    models = cost_models(space, data)
    assert len(models) == 28
    (listed,) = [m for m in models if m.objective == "memory"]
    assert (listed.device, listed.dataset, listed.unit, listed.cells) == ("raspi4", "cifar10", "MB", 1)


@pytest.mark.parametrize("objective", ["latency", "energy", "memory"])
def test_what_a_cost_on_a_device_is_needs_the_device_and_counts_need_none(
    space: Space, data: Path, objective: str
) -> None:
    with pytest.raises(LabError, match=f"{objective} depends on the device: give one of .*macs and params need none"):
        ask(space, None, data, objective=objective)
    for counted in ("macs", "params"):
        assert (ask(space, None, data, objective=counted).values > 0).all()
