"""Judges against a plain twin of how fronts are held against published tables, and by made-up tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from llmnas_mcp.benchmarks import Judge, import_accuracies
from llmnas_mcp.benchmarks.tables import import_measured
from llmnas_mcp.devices import DEVICES
from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import Space, get_space

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
    judge = Judge.of(SPACE, dataset, device, "latency", imported)
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
    judge = Judge.of(SPACE, "cifar10", "edgetpu", "latency", imported)
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
    judge = Judge.of(SPACE, "cifar10", "edgetpu", "latency", data, max_cost=4.0)
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
        Judge.of(SPACE, "cifar10", "edgetpu", "latency", data, max_cost=0.5)


def test_what_cannot_run_counts_for_nothing(data: Path, write: Callable[..., Path]) -> None:
    made_up(write, data)
    judge = Judge.of(SPACE, "cifar10", "edgetpu", "latency", data)
    refused, good = (0, 3, 3, 3, 3, 3), SPACE.parse(judge.front[0][0])
    assert judge.verdict([refused, good]) == judge.verdict([good])
    verdict = judge.verdict([refused])
    assert (verdict.share, verdict.igd, verdict.igd_plus, verdict.front_size) == (0, math.inf, math.inf, 0)
    assert judge.verdict([]) == verdict


def test_the_best_accuracy_is_told_under_each_limit(data: Path, write: Callable[..., Path]) -> None:
    truth = made_up(write, data)
    judge = Judge.of(SPACE, "cifar10", "edgetpu", "latency", data)
    asked = [a for a in truth if a.startswith("|skip")][:50]
    expected = [max((truth[a][0] for a in asked if truth[a][1] <= limit), default=None) for limit in (0.5, 3, 9)]
    assert judge.best_accuracy_under([SPACE.parse(a) for a in asked], [0.5, 3, 9]) == expected
    assert expected[0] is None


def test_a_judge_by_a_table_that_lacks_a_cell_is_an_estimate_and_says_so(
    data: Path, write: Callable[..., Path]
) -> None:
    made_up(write, data, leave_out=1)
    judge = Judge.of(SPACE, "cifar10", "edgetpu", "latency", data)
    assert judge.estimated
    assert "table:made_cifar10" in judge.source
    assert "fitted:nasbench201-accuracy" in judge.source


def test_a_judge_without_tables_is_an_estimate_with_its_error() -> None:
    judge = Judge.of(SPACE, "cifar100", "raspi4", "latency", NOWHERE)
    assert judge.estimated
    assert judge.source == "fitted:nasbench201-accuracy, fitted:hwnasbench"
    assert judge.error is not None
    assert 0 < judge.error[0] <= 0.7
    assert 0 < judge.error[1] < 0.06


def test_a_dataset_without_accuracies_is_refused(space: Space, data: Path, write: Callable[..., Path]) -> None:
    rows = [{"arch_str": SPACE.format(CELLS[0]), "flowers_test_200": 0}]
    with pytest.raises(DataError, match="available: cifar10, cifar100"):
        Judge.of(space, "flowers", "raspi4", "latency", data)
    import_accuracies(write("t.csv", rows), space, data)
    with pytest.raises(DataError, match="Nothing is known of the latency of raspi4"):
        Judge.of(space, "flowers", "raspi4", "latency", data)
