"""Judges against a plain twin of how fronts are held against published tables, and by made-up tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from llmnas_mcp.benchmarks import Judge, import_accuracies
from llmnas_mcp.benchmarks.tables import import_measured
from llmnas_mcp.devices import DEVICES, Objective
from llmnas_mcp.errors import DataError, LabError
from llmnas_mcp.pareto import hypervolume
from llmnas_mcp.spaces import DATASETS, Space, get_space

SPACE = get_space("nasbench201")
CELLS = list(SPACE.genotypes())
NOWHERE = Path("none")


def plain_front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return sorted({p for p in points if not any(q[0] <= p[0] and q[1] <= p[1] and q != p for q in points)})


def plain_area(points: list[tuple[float, float]]) -> float:
    """What points dominate below (1, 1), strip by strip."""
    front = plain_front(points)
    ends = [cost for cost, _ in front[1:]] + [1.0]
    return sum((end - cost) * (1 - error) for (cost, error), end in zip(front, ends, strict=True))


def plain_verdict(table: pd.DataFrame, asked: list[str]) -> dict[str, Any]:
    """By a table (acc, cost) of all that can run: everything scaled over it, architectures looked up as given."""
    cost = (table.cost - table.cost.min()) / (table.cost.max() - table.cost.min())
    error = (table.acc.max() - table.acc) / (table.acc.max() - table.acc.min())
    points = dict(zip(table.index, zip(cost, error, strict=True), strict=True))
    low, best = [], math.inf
    for point in sorted(points.values()):  # a plain front of all pairs would take minutes here
        if point[1] < best:
            low, best = [*low, point], point[1]
    mine = [points[a] for a in asked if a in points]
    worse = [[(max(m[0] - t[0], 0), max(m[1] - t[1], 0)) for m in mine] for t in low]
    return {
        "share": plain_area(mine) / plain_area(low),
        "igd": np.mean([min(math.dist(t, m) for m in mine) for t in low]),
        "igd_plus": np.mean([min(math.hypot(*w) for w in row) for row in worse]),
        "best_accuracy": max(table.acc[a] for a in asked if a in points),
        "front_size": len(plain_front(mine)),
    }


@pytest.fixture(scope="module")
def imported(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the published tables imported."""
    data = tmp_path_factory.mktemp("tables")
    for name in ("nb201_accuracy", "hwnasbench_nb201_cifar10", "hwnasbench_nb201_cifar100"):
        import_measured(measured / f"{name}.csv.gz", SPACE, data)
    return data


def published(measured: Path, dataset: str, device: str) -> pd.DataFrame:
    accuracy = pd.read_csv(measured / "nb201_accuracy.csv.gz").set_index("arch_str")[f"{dataset}_test_200"]
    cost = pd.read_csv(measured / f"hwnasbench_nb201_{dataset}.csv.gz").set_index("arch_str")[f"{device}_latency"]
    table = pd.DataFrame({"acc": accuracy, "cost": cost})
    return table[table.cost > 0]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_a_judge_by_the_published_tables_says_what_its_plain_twin_says(
    measured: Path, imported: Path, device: str, dataset: str
) -> None:
    judge = Judge.of(SPACE, dataset, device, ["latency"], imported)
    assert not judge.estimated
    assert judge.error is None
    assert judge.source == f"table:nb201_accuracy, table:hwnasbench_nb201_{dataset}"
    table = published(measured, dataset, device)
    for size in (1, 20, 200):
        cells = SPACE.sample(size, np.random.default_rng(size))
        cells[0] = 1  # skips alone, which every device runs
        expected = plain_verdict(table, [SPACE.format(tuple(cell)) for cell in cells.tolist()])
        assert vars(judge.verdict(cells)) == pytest.approx(expected, rel=1e-9)


def test_the_exact_front_has_the_whole_share(imported: Path) -> None:
    judge = Judge.of(SPACE, "cifar10", "edgetpu", ["latency"], imported)
    verdict = judge.verdict([SPACE.parse(architecture) for architecture, _, _ in judge.front])
    assert (verdict.share, verdict.igd, verdict.igd_plus) == (pytest.approx(1), 0, 0)
    assert verdict.best_accuracy == judge.front[-1][1]
    assert verdict.front_size == len(judge.front)


def made_up(write: Callable[..., Path], data: Path, leave_out: int = 0) -> dict[str, tuple[float, float]]:
    """Imports a whole table of accuracies and latencies, where a cell with `none` first cannot run."""
    rng = np.random.default_rng(3)
    truth = {SPACE.format(cell): (rng.uniform(50, 95), rng.uniform(1, 9)) for cell in CELLS}
    rows = [
        {"arch_str": a, "cifar10_test_200": accuracy, "edgetpu_latency": -1 if a.startswith("|none") else cost}
        for a, (accuracy, cost) in truth.items()
    ]
    import_measured(write("made_cifar10.csv", rows[leave_out:]), SPACE, data)
    return {a: point for a, point in truth.items() if not a.startswith("|none")}


def test_within_a_limit_only_what_costs_no_more_counts_on_both_sides(data: Path, write: Callable[..., Path]) -> None:
    truth = made_up(write, data)
    judge = Judge.of(SPACE, "cifar10", "edgetpu", ["latency"], data, {"latency": 4.0})
    within = {a: point for a, point in truth.items() if point[1] <= 4}
    assert [row[0] for row in judge.front] == [
        a
        for a, (accuracy, cost) in sorted(within.items(), key=lambda item: item[1][1])
        if not any(other > accuracy and price < cost for other, price in within.values() if price < cost)
    ]
    over = next(SPACE.parse(a) for a, point in truth.items() if point[1] > 4)
    front = [SPACE.parse(row[0]) for row in judge.front]
    assert judge.verdict([*front, over]).share == pytest.approx(1)
    assert judge.verdict([over]).share == 0
    assert judge.verdict([over]).best_accuracy is None


def test_nothing_within_a_limit_is_refused(data: Path, write: Callable[..., Path]) -> None:
    made_up(write, data)
    with pytest.raises(DataError, match=r"within 0\.5 ms; raise the limit"):
        Judge.of(SPACE, "cifar10", "edgetpu", ["latency"], data, {"latency": 0.5})


def made_up_costs(write: Callable[..., Path], data: Path) -> NDArray[np.float64]:
    """Imports a whole table of accuracies, latencies and energies, few enough of each for ties; returns these."""
    rng = np.random.default_rng(7)
    truth = np.column_stack([rng.integers(50, 95, 15625), rng.integers(1, 40, 15625), rng.integers(1, 40, 15625)])
    rows = [
        {
            "arch_str": SPACE.format(cell),
            **dict(zip(("cifar10_test_200", "fpga_latency", "fpga_energy"), row, strict=True)),
        }
        for cell, row in zip(CELLS, truth.tolist(), strict=True)
    ]
    import_measured(write("three_cifar10.csv", rows), SPACE, data)
    return truth.astype(float)


@pytest.mark.parametrize("limits", [{}, {"energy": 25.0, "params": 0.8}])
def test_a_judge_of_two_costs_says_what_its_plain_twin_says(
    data: Path, write: Callable[..., Path], limits: dict[Objective, float]
) -> None:
    truth = made_up_costs(write, data)
    judge = Judge.of(SPACE, "cifar10", "fpga", ["latency", "energy"], data, limits)
    assert not judge.estimated
    assert judge.source == "table:three_cifar10"
    params = SPACE.params(np.array(CELLS), DATASETS["cifar10"]) / 1e6
    within = (truth[:, 2] <= limits.get("energy", np.inf)) & (params <= limits.get("params", np.inf))
    assert (judge.values([CELLS[i] for i in np.flatnonzero(within)]) == truth[within]).all()
    points = np.column_stack([truth[:, 1:], -truth[:, 0]])
    points = (points - points.min(0)) / (points.max(0) - points.min(0))
    exact = [CELLS.index(SPACE.parse(architecture)) for architecture, _, _ in judge.front]
    assert within[exact].all()
    assert [(accuracy, *costs) for _, accuracy, costs in judge.front] == [tuple(row) for row in truth[exact].tolist()]
    best = {tuple(point) for point in points[exact].tolist()}
    assert len(best) == len(exact)
    for i in np.flatnonzero(within)[::50].tolist():  # of every fiftieth: it is beaten, or as good as one of the front
        beaten = ((points[within] <= points[i]).all(1) & (points[within] < points[i]).any(1)).any()
        assert beaten == (tuple(points[i].tolist()) not in best)
    asked = range(0, 15625, 400)
    mine = [i for i in asked if within[i]]
    verdict = judge.verdict([CELLS[i] for i in asked])
    apart = points[mine][None] - points[exact][:, None]
    assert verdict.share == pytest.approx(hypervolume(points[mine], (1, 1, 1)) / hypervolume(points[exact], (1, 1, 1)))
    assert verdict.igd == pytest.approx(np.linalg.norm(apart, axis=2).min(1).mean())
    assert verdict.igd_plus == pytest.approx(np.linalg.norm(np.maximum(apart, 0), axis=2).min(1).mean())
    assert verdict.best_accuracy == truth[mine, 0].max()
    assert judge.verdict([CELLS[i] for i in exact]).share == pytest.approx(1)
    under = truth[[i for i in mine if truth[i, 1] <= 20], 0].max()
    assert judge.best_accuracy_under([CELLS[i] for i in asked], [20.0]) == [under]


def test_a_judge_of_two_costs_without_tables_is_an_estimate_with_the_larger_error_of_both() -> None:
    both = Judge.of(SPACE, "cifar10", "edgegpu", ["latency", "energy"], NOWHERE)
    each = [Judge.of(SPACE, "cifar10", "edgegpu", [name], NOWHERE) for name in ("latency", "energy")]
    assert both.estimated
    assert both.source == "fitted:nasbench201-accuracy, fitted:hwnasbench"
    assert both.error == (each[0].error[0], max(one.error[1] for one in each))
    assert both.best < min(one.best for one in each)  # what a point dominates is a part of what it does by one cost


def test_limits_on_costs_that_are_no_objectives_need_their_device(data: Path) -> None:
    with pytest.raises(LabError, match="latency depends on the device"):
        Judge.of(SPACE, "cifar10", None, ["macs"], data, {"latency": 5.0})
    judge = Judge.of(SPACE, "cifar10", "fpga", ["macs"], data, {"latency": 5.0})
    assert 0 < judge.best < Judge.of(SPACE, "cifar10", None, ["macs"], data).best
    with pytest.raises(DataError, match=r"runs on fpga within 0\.5 ms and 1 M; raise the limit\."):
        Judge.of(SPACE, "cifar10", "fpga", ["macs"], data, {"latency": 0.5, "params": 1})


def test_what_cannot_run_counts_for_nothing(data: Path, write: Callable[..., Path]) -> None:
    made_up(write, data)
    judge = Judge.of(SPACE, "cifar10", "edgetpu", ["latency"], data)
    refused, good = (0, 3, 3, 3, 3, 3), SPACE.parse(judge.front[0][0])
    assert judge.verdict([refused, good]) == judge.verdict([good])
    verdict = judge.verdict([refused])
    assert (verdict.share, verdict.igd, verdict.igd_plus, verdict.front_size) == (0, math.inf, math.inf, 0)
    assert judge.verdict([]) == verdict


def test_the_best_accuracy_is_told_under_each_limit(data: Path, write: Callable[..., Path]) -> None:
    truth = made_up(write, data)
    judge = Judge.of(SPACE, "cifar10", "edgetpu", ["latency"], data)
    asked = [a for a in truth if a.startswith("|skip")][:50]
    expected = [max((truth[a][0] for a in asked if truth[a][1] <= limit), default=None) for limit in (0.5, 3, 9)]
    assert judge.best_accuracy_under([SPACE.parse(a) for a in asked], [0.5, 3, 9]) == expected
    assert expected[0] is None


def test_a_judge_by_a_table_that_lacks_a_cell_is_an_estimate_and_says_so(
    data: Path, write: Callable[..., Path]
) -> None:
    made_up(write, data, leave_out=1)
    judge = Judge.of(SPACE, "cifar10", "edgetpu", ["latency"], data)
    assert judge.estimated
    assert "table:made_cifar10" in judge.source
    assert "fitted:nasbench201-accuracy" in judge.source


def test_a_judge_without_tables_is_an_estimate_with_its_error() -> None:
    judge = Judge.of(SPACE, "cifar100", "raspi4", ["latency"], NOWHERE)
    assert judge.estimated
    assert judge.source == "fitted:nasbench201-accuracy, fitted:hwnasbench"
    assert judge.error is not None
    assert 0 < judge.error[0] <= 0.7
    assert 0 < judge.error[1] < 0.06


def test_a_dataset_without_accuracies_is_refused(space: Space, data: Path, write: Callable[..., Path]) -> None:
    rows = [{"arch_str": SPACE.format(CELLS[0]), "flowers_test_200": 0}]
    with pytest.raises(DataError, match="available: cifar10, cifar100"):
        Judge.of(space, "flowers", "raspi4", ["latency"], data)
    import_accuracies(write("t.csv", rows), space, data)
    with pytest.raises(DataError, match="Nothing is known of the latency of raspi4"):
        Judge.of(space, "flowers", "raspi4", ["latency"], data)
