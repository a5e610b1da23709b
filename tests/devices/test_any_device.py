"""Devices that imported tables make, of any name and in any space, and what is told of architectures these lack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp.benchmarks.tables import import_measured
from llmnas_mcp.devices import DEVICES, ON_DEVICE, Device, Objective, cost_models, cost_of, device_of, devices_of
from llmnas_mcp.devices.catalogue import NAME, column, parse_column
from llmnas_mcp.devices.layers import load_layers
from llmnas_mcp.devices.modelling import LEAST
from llmnas_mcp.devices.tables import fitted_to, import_table, imported_tables, load_columns, remove_tables
from llmnas_mcp.errors import DataError, UnknownNameError
from llmnas_mcp.measured import NoColumnsError
from llmnas_mcp.spaces import Genotypes, Space, get_space
from tests.devices.test_fbnet import BASE, CSV
from tests.devices.test_fbnet import rows as layer_rows
from tests.spaces.own import MINE

Write = Callable[..., Path]
CONVS, CHAIN = (3, 3, 3, 3, 3, 3), (3, 0, 3, 0, 0, 3)


def drawn(space: Space, count: int) -> list[tuple[int, ...]]:
    """Different architectures of a space, as they are written."""
    rows = space.sample(2 * count, np.random.default_rng(0)).tolist()
    return list(dict.fromkeys(space.parse(space.format(tuple(row))) for row in rows))[:count]


def table(space: Space, genotypes: Genotypes, **columns: object) -> list[dict[str, object]]:
    """Rows of a table; a column is a value, or a function of the genotype."""
    return [
        {"arch_str": space.format(g), **{n: c(g) if callable(c) else c for n, c in columns.items()}} for g in genotypes
    ]


def work(genotype: tuple[int, ...]) -> float:
    """A made-up cost: a sum over positions."""
    return 1.5 + sum((i + 1) * choice for i, choice in enumerate(genotype)) / 8


def ask(space: Space, device: str, data: Path, genotypes: Genotypes, **more: Any) -> Any:
    return cost_of(space, genotypes, device=device, data=data, **{"dataset": "cifar10", "objective": "latency"} | more)


# names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pi5", "My-Phone_2", "0", "a_latency", "x" * 40])
@pytest.mark.parametrize("objective", ON_DEVICE)
def test_a_column_makes_a_device_whatever_it_is_called(
    space: Space, data: Path, write: Write, name: str, objective: Objective
) -> None:
    import_table(write("t_cifar10.csv", table(space, [CONVS], **{column(name, objective): 2.5})), space, data)
    costs = ask(space, name, data, [CONVS], objective=objective)
    assert (costs.values[0], costs.unit, costs.sources) == (2.5, ON_DEVICE[objective], ("table:t_cifar10",))
    assert list(devices_of(data)) == [*DEVICES, name]
    assert devices_of(data)[name] == device_of(name, data)
    assert device_of(name, data).title == f"{name} (imported table)"
    assert [m.objective for m in cost_models(space, data) if m.device == name] == [objective]
    assert device_of(name, data).energy == (objective == "energy")


@pytest.mark.parametrize("name", ["", "_a", "-a", "a b", "é", "a/b", "x" * 41])
def test_a_column_with_another_name_is_ignored_and_a_table_without_any_told_what_could_be_given(
    space: Space, data: Path, write: Write, name: str
) -> None:
    path = write("t_cifar10.csv", table(space, [CONVS], **{f"{name}_latency": 2.5}))
    with pytest.raises(NoColumnsError, match=r"no cost column.*one column NAME_latency.*_memory \(MB\).*at most 40"):
        import_table(path, space, data)
    path = write("t_cifar10.csv", table(space, [CONVS], **{f"{name}_latency": 2.5, "pi5_energy": 1}))
    assert [t.device for t in import_table(path, space, data)] == ["pi5"]


@given(st.from_regex(NAME, fullmatch=True), st.sampled_from(list(ON_DEVICE)))
def test_the_name_of_a_column_is_read_as_it_is_written(name: str, objective: Objective) -> None:
    assert parse_column(column(name, objective)) == (name, objective)


def test_a_column_without_a_value_makes_no_device(space: Space, data: Path, write: Write) -> None:
    path = write("t_cifar10.csv", table(space, [CONVS], pi5_latency="", pi6_latency=1))
    assert [t.device for t in import_table(path, space, data)] == ["pi6"]
    with pytest.raises(NoColumnsError, match=r"no value in pi5_latency\. Give"):
        import_table(write("u_cifar10.csv", table(space, [CONVS], pi5_latency="")), space, data)
    assert list(devices_of(data)) == [*DEVICES, "pi6"]


def test_an_unknown_device_is_refused_with_the_imported_ones_and_how_to_make_one(
    space: Space, data: Path, write: Write
) -> None:
    import_table(write("t_cifar10.csv", table(space, [CONVS], pi5_latency=2)), space, data)
    with pytest.raises(UnknownNameError, match=r"Allowed: .*pi5.*Did you mean 'pi5'.*NAME_latency.*llmnas data import"):
        ask(space, "pi6", data, [CONVS])


def test_what_a_device_of_a_table_lacks_is_told_with_those_that_have_it(space: Space, data: Path, write: Write) -> None:
    import_table(write("t_cifar10.csv", table(space, [CONVS], pi5_energy=2, pi6_memory=3)), space, data)
    told = r"No memory.*for pi5\. Devices with memory: pi6\. Ask for its energy, or import .* column pi5_memory"
    with pytest.raises(DataError, match=told):
        ask(space, "pi5", data, [CONVS], objective="memory")
    with pytest.raises(DataError, match=r"energy of pi5 on dataset 'cifar100'.*available: cifar10\. Did you mean"):
        ask(space, "pi5", data, [CONVS], objective="energy", dataset="cifar100")


# any space -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fbnet", "autoformer-tiny", "autoformer-base"])
def test_a_table_may_be_of_a_space_that_nobody_can_list(data: Path, write: Write, name: str) -> None:
    space = get_space(name)
    known, other = drawn(space, 5)[:4], drawn(space, 5)[4]
    path = write("t.csv", table(space, known, pi5_latency=work, pi5_energy=3))
    imported, _ = import_measured(path, space, data, space.dataset)
    assert [(t.space, t.device, t.cells) for t in imported] == [(name, "pi5", 4)] * 2
    costs = ask(space, "pi5", data, [*known, other], dataset=space.dataset)
    assert costs.values[:4].tolist() == [work(g) for g in known]
    assert np.isnan(costs.values[4])
    assert f"has too few measured to predict others: 4, where {LEAST} are needed" in (costs.reasons[4] or "")


def test_of_fbnet_whole_networks_come_before_a_table_of_layers(tmp_path: Path, data: Path, write: Write) -> None:
    space = get_space("fbnet")
    first, other = drawn(space, 2)
    rows = [{**row, "pi5_delta_ms": row["raspi4_delta_ms"]} for row in layer_rows()]
    (tmp_path / BASE).write_text('{"all_k3_e1_latency_ms": {"raspi4": 10, "pi5": 10.5, "fpga": 3}}')
    assert [t.device for t in import_measured(write(CSV, rows), space, data)[0]] == ["raspi4", "fpga", "pi5"]
    import_measured(write("whole_cifar100.csv", table(space, [first], pi5_latency=1.25)), space, data)
    costs = ask(space, "pi5", data, [first, other], dataset="cifar100")
    added = load_layers(space, "cifar100", data)["pi5_latency"].of([other])
    assert costs.values.tolist() == [1.25, *added]
    assert costs.sources == ("table:whole_cifar100", f"table:{CSV.removesuffix('.csv')}")
    (listed,) = [m for m in cost_models(space, data) if m.device == "pi5"]
    assert (listed.source, listed.cells, listed.error) == ("table:whole_cifar100", 1, None)


def test_a_table_of_a_space_whose_choices_changed_is_refused_and_can_be_removed(
    tmp_path: Path, data: Path, write: Write
) -> None:
    before, after = _own(tmp_path / "before.py", MINE), _own(tmp_path / "after.py", MINE.replace("(4, 8)", "(8, 4)"))
    import_table(write("t_cifar10.csv", table(before, [(0, 1)], pi5_latency=2)), before, data)
    assert ask(before, "pi5", data, [(0, 1)]).values.tolist() == [2]
    with pytest.raises(DataError, match=r"another mine, whose choices have changed.*llmnas data remove t_cifar10"):
        ask(after, "pi5", data, [(0, 1)])
    assert [t.device for t in remove_tables("t_cifar10", data)] == ["pi5"]
    import_table(write("t_cifar10.csv", table(after, [(0, 1)], pi5_latency=3)), after, data)
    assert ask(after, "pi5", data, [(0, 1)]).values.tolist() == [3]


def _own(path: Path, code: str) -> Space:
    namespace: dict[str, Any] = {}
    path.write_text(code)
    exec(compile(code, path, "exec"), namespace)
    space: Space = namespace["Mine"]()
    return space


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 99)), min_size=1, max_size=12), st.data())
def test_what_a_table_has_is_told_as_it_was_last_imported_whatever_else_is_asked(
    tmp_path_factory: pytest.TempPathFactory, given_rows: list[tuple[int, int]], draws: st.DataObject
) -> None:
    space, folder = get_space("autoformer-tiny"), tmp_path_factory.mktemp("tables")
    cells, known = drawn(space, 4), dict(given_rows)
    for i, (cell, value) in enumerate(given_rows):
        path = folder / f"t{i}_imagenet.csv"
        path.write_text(f'arch_str,pi5_latency\n"{space.format(cells[cell])}",{value}\n')
        import_table(path, space, folder)
    wanted = draws.draw(st.lists(st.integers(0, 3), max_size=8))
    values = ask(space, "pi5", folder, [cells[i] for i in wanted], dataset="imagenet").values
    assert [None if np.isnan(value) else value for value in values] == [known.get(i) for i in wanted]
    assert [t.cells for t in imported_tables(folder)] == [len(known)]


# what a table lacks --------------------------------------------------------------------------------------------------


def test_what_a_table_lacks_is_told_by_a_model_fitted_to_it_with_its_error(
    space: Space, data: Path, write: Write
) -> None:
    known, others = drawn(space, 300)[:250], drawn(space, 300)[250:]
    import_table(write("mine_cifar10.csv", table(space, known, pi5_latency=work)), space, data)
    costs = ask(space, "pi5", data, [known[0], *others])
    assert (costs.values[0], costs.sources[0]) == (work(known[0]), "table:mine_cifar10")
    assert set(costs.sources[1:]) == {"fitted:mine_cifar10"}
    assert set(costs.reasons) == {None}
    off = np.median(np.abs(costs.values[1:] / [work(g) for g in others] - 1))
    assert off < 0.2
    (listed,) = [m for m in cost_models(space, data) if m.device == "pi5"]
    assert (listed.source, listed.held_out, listed.cells) == ("table:mine_cifar10", 250, 250)
    assert listed.spearman is not None
    assert listed.spearman > 0.9
    assert np.isnan(costs.errors[0])
    assert set(costs.errors[1:]) == {listed.error}
    assert listed.error == pytest.approx(off, abs=0.05)


def test_a_model_needs_thirty_measured_architectures_that_run(space: Space, data: Path, write: Write) -> None:
    *known, other = drawn(space, LEAST + 2)
    rows = table(space, known, pi5_latency=lambda g: -1 if g == known[0] else work(g))
    import_table(write("t_cifar10.csv", rows[:-1]), space, data)
    costs = ask(space, "pi5", data, [other, known[0]])
    assert np.isnan(costs.values).all()
    assert f"29, where {LEAST} are needed. Import more" in (costs.reasons[0] or "")
    assert costs.reasons[1] == "pi5 (imported table) cannot run this architecture, says the table t_cifar10."
    assert [m.error for m in cost_models(space, data) if m.device == "pi5"] == [None]
    import_table(write("t_cifar10.csv", rows), space, data)
    assert ask(space, "pi5", data, [other]).sources == ("fitted:t_cifar10",)


def test_what_cannot_run_teaches_no_cost(space: Space, data: Path, tmp_path: Path, write: Write) -> None:
    known, others = drawn(space, 80)[:50], drawn(space, 80)[50:]
    for folder, cells in ((data, known), (tmp_path / "fewer", known[10:])):
        rows = table(space, cells, pi5_latency=lambda g: -1 if g in known[:10] else work(g))
        import_table(write("t_cifar10.csv", rows), space, folder)
    told = [ask(space, "pi5", folder, others).values.tolist() for folder in (data, tmp_path / "fewer")]
    assert told[0] == told[1]


def test_a_published_fit_comes_before_one_of_the_table(space: Space, data: Path, write: Write) -> None:
    known, other = drawn(space, 60)[:50], drawn(space, 60)[50]
    published = ask(space, "raspi4", data, [other])
    import_table(write("t_cifar10.csv", table(space, known, raspi4_latency=work, raspi4_memory=work)), space, data)
    costs = ask(space, "raspi4", data, [other])
    assert (costs.values, costs.sources, costs.errors) == (published.values, published.sources, published.errors)
    assert ask(space, "raspi4", data, [other], objective="memory").sources == ("fitted:t_cifar10",)


def test_of_a_package_its_own_model_tells_what_a_table_lacks_and_where_it_knows_nothing_that_of_the_table(
    space: Space, data: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def price(_space: Space, genotypes: Genotypes, dataset: str, _objective: str) -> np.ndarray:
        if dataset != "cifar10":
            raise DataError("Give cifar10.")
        return np.full(len(genotypes), 7.0)

    monkeypatch.setitem(DEVICES.ours, "abacus", Device("abacus", "Abacus", energy=False, price=price, error=0.25))
    *known, other = drawn(space, 41)
    for dataset, source in (("cifar10", "package:abacus"), ("cifar100", "fitted:mine")):
        import_table(write("mine.csv", table(space, known, abacus_latency=work)), space, data, dataset)
        costs = ask(space, "abacus", data, [known[0], other], dataset=dataset)
        assert (costs.values[0], costs.sources) == (work(known[0]), ("table:mine", source))
    with pytest.raises(DataError, match="Give cifar10"):
        ask(space, "abacus", data, [other], dataset="flowers")


def test_a_table_of_the_whole_space_needs_no_model(data: Path, write: Write, tmp_path: Path) -> None:
    space = _own(tmp_path / "mine.py", MINE.replace("(4, 8)", "tuple(range(1, 33))"))
    import_table(write("t_cifar10.csv", table(space, list(space.genotypes()), pi5_latency=work)), space, data)
    (listed,) = cost_models(space, data)
    assert (listed.cells, listed.error, listed.held_out) == (64, None, None)


def test_a_new_import_is_fitted_anew(space: Space, data: Path, write: Write) -> None:
    *known, other = drawn(space, 40)
    for factor in (1, 100):
        rows = table(space, known, pi5_latency=lambda g: factor * work(g))  # noqa: B023
        import_table(write("t_cifar10.csv", rows), space, data)
        assert 1 < ask(space, "pi5", data, [other]).values[0] / factor < 15
    assert fitted_to(space, "cifar10", "pi5_latency", data) is fitted_to(space, "cifar10", "pi5_latency", data)


# files of older versions ---------------------------------------------------------------------------------------------


def test_a_table_by_index_as_older_versions_wrote_it_is_read_added_to_and_removed(
    space: Space, data: Path, write: Write
) -> None:
    index = space.index_of([CONVS, CHAIN])
    values, marked = np.full(space.size, np.nan), np.zeros(space.size, dtype=bool)
    values[index[0]], marked[index[1]] = 12.5, True
    data.mkdir()
    np.savez_compressed(
        data / "devices.nasbench201.cifar10.npz",
        **{"space": np.array("nasbench201"), "dataset": np.array("cifar10"), "columns": np.array(["edgetpu_latency"])},
        **{"edgetpu_latency.name": np.array("old"), "edgetpu_latency.values": values},
        **{"edgetpu_latency.cannot_run": marked},
    )
    (listed,) = imported_tables(data)
    assert (listed.name, listed.cells, listed.cannot_run) == ("old", 1, 1)
    for name in ("old", "old+new_cifar10"):
        costs = ask(space, "edgetpu", data, [CONVS, CHAIN])
        assert costs.values[0] == 12.5
        assert (
            costs.reasons[1]
            == f"Google Edge TPU (Coral Dev Board) cannot run this architecture, says the table {name}."
        )
        import_table(write("new_cifar10.csv", table(space, [(1,) * 6], edgetpu_latency=3)), space, data)
    assert load_columns(space, "cifar10", data)["edgetpu_latency"].genotypes.tolist() == [[1] * 6, [*CHAIN], [*CONVS]]
    assert [t.cells for t in remove_tables("old+new_cifar10", data)] == [2]
    assert list(data.iterdir()) == []
