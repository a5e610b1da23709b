"""Methods a search is held against: they pay for an architecture once, within limits, and end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from llmnas_mcp.baselines import METHODS, Problem, curve, method_of, of_search, run
from llmnas_mcp.errors import LabError
from llmnas_mcp.pareto import hypervolume
from llmnas_mcp.search.landscape import NO_LIMITS, Landscape, Limits
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import dataset_shape, get_space

SPACE = get_space("nasbench201")
DRAWING = sorted(METHODS.keys() - {"exhaustive"})


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    return Landscape(SPACE, dataset_shape("cifar10"), "edgetpu", ("latency",), Path("no tables"))


@pytest.fixture(scope="module")
def of_two_costs() -> Landscape:
    return Landscape(SPACE, dataset_shape("cifar10"), "edgegpu", ("latency", "energy"), Path("no tables"))


@pytest.mark.parametrize("name", DRAWING)
def test_a_method_searches_for_two_costs_within_limits_on_others(of_two_costs: Landscape, name: str) -> None:
    limits = Limits(macs=90, energy=float(np.quantile(of_two_costs.candidates(NO_LIMITS).costs[:, 1], 0.7)))
    first, again, other = (run(METHODS[name], Problem(of_two_costs, 80, limits), seed) for seed in (3, 3, 4))
    assert len(first.paid) == len(other.paid) == 80
    assert list(first.paid) == list(again.paid) != list(other.paid)
    assert first.objectives == 3
    assert first.points.shape == (80, 3)
    assert ((first.points >= 0) & (first.points <= 1)).all()
    assert (of_two_costs.excess(first.architectures, limits) == 0).all()
    scale = of_two_costs.candidates(limits).scale
    assert (first.points == of_two_costs.points(first.architectures, scale)).all()
    costs = first.points[:, :2] * scale.widths + scale.low
    assert first.costs(first.architectures) == pytest.approx(costs)
    assert curve(first.points)[-1] == (80, pytest.approx(hypervolume(first.points, (1, 1, 1))))


def test_the_exhaustive_method_reaches_the_best_front_of_two_costs(of_two_costs: Landscape) -> None:
    problem = run(METHODS["exhaustive"], Problem(of_two_costs, 10), seed=0)
    best = of_two_costs.best_front(NO_LIMITS, of_two_costs.candidates(NO_LIMITS).scale)
    assert best is not None
    assert hypervolume(problem.points, (1, 1, 1)) == pytest.approx(hypervolume(best, (1, 1, 1)))


@pytest.mark.parametrize("name", DRAWING)
def test_a_method_pays_for_its_budget_of_distinct_architectures_that_can_run(landscape: Landscape, name: str) -> None:
    problem = run(METHODS[name], Problem(landscape, 60), seed=3)
    assert len(problem.paid) == 60
    assert np.isfinite(landscape.costs(problem.architectures).values).all()
    assert not any(map(SPACE.constant, problem.architectures))
    assert ((problem.points >= 0) & (problem.points <= 1)).all()
    names = {SPACE.format(SPACE.canonical(genotype)) for genotype in problem.architectures}
    assert len(names) == 60


@pytest.mark.parametrize("name", DRAWING)
def test_the_same_seed_gives_the_same_architectures_and_another_seed_others(landscape: Landscape, name: str) -> None:
    paid = [list(run(METHODS[name], Problem(landscape, 40), seed).paid) for seed in (0, 0, 1)]
    assert paid[0] == paid[1]
    assert paid[0] != paid[2]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_ends_where_the_limit_leaves_fewer_architectures_than_its_budget(
    landscape: Landscape, name: str
) -> None:
    limits = Limits(latency=float(np.quantile(landscape.candidates(NO_LIMITS).costs, 0.004)))
    within = len(landscape.candidates(limits).genotypes)
    assert 5 < within < 40
    problem = run(METHODS[name], Problem(landscape, 400, limits), seed=0)
    assert 1 <= len(problem.paid) <= within
    assert (landscape.costs(problem.architectures).values <= limits.latency).all()


def test_the_exhaustive_method_reaches_the_best_front(landscape: Landscape) -> None:
    problem = run(METHODS["exhaustive"], Problem(landscape, 10), seed=0)
    best = landscape.best_front(NO_LIMITS, landscape.candidates(NO_LIMITS).scale)
    assert best is not None
    assert hypervolume(problem.points, (1, 1)) == pytest.approx(hypervolume(best, (1, 1)))


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"exhaustive", "random"}))
def test_every_method_that_looks_at_results_beats_random_sampling(landscape: Landscape, name: str) -> None:
    def mean(method: str) -> float:
        ends = [run(METHODS[method], Problem(landscape, 200), seed).points for seed in range(5)]
        return float(np.mean([hypervolume(points, (1, 1)) for points in ends]))

    assert mean(name) > mean("random")


def test_costs_are_free_and_none_is_told_of_what_cannot_run(landscape: Landscape) -> None:
    problem = Problem(landscape, 5)
    every = landscape.reference.genotypes
    runs = np.isfinite(landscape.costs(every).values).all(axis=1)
    genotypes = [every[int(runs.argmin())], every[int(runs.argmax())], np.zeros(6, dtype=int)]
    assert np.isnan(problem.costs(genotypes)).tolist() == [[True], [False], [True]]
    assert not problem.paid
    assert np.isinf(problem.evaluate(genotypes)).all(axis=1).tolist() == [True, False, True]
    assert len(problem.paid) == 1


def test_a_curve_rises_and_ends_at_the_whole_hypervolume(landscape: Landscape) -> None:
    points = run(METHODS["random"], Problem(landscape, 250), seed=0).points
    told = curve(points)
    assert len(told) == 100
    assert told[0][0] == 1
    assert told[-1] == (250, pytest.approx(hypervolume(points, (1, 1))))
    values = [value for _, value in told]
    assert values == sorted(values)
    assert curve(points[:0]) == []


def test_a_method_from_outside_is_found_in_the_current_folder(
    landscape: Landscape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_alone.py").write_text(
        "def first(problem, seed):\n    problem.evaluate(problem.landscape.reference.genotypes)\nnumber = 3\n"
    )
    for name, content in {"unread": "def f(:", "quits": "raise SystemExit", "divides": "1 / 0"}.items():
        (tmp_path / f"{name}_alone.py").write_text(content)
    monkeypatch.chdir(tmp_path)
    assert len(run(method_of("mine_alone:first"), Problem(landscape, 7), 0).paid) == 7
    for wrong, told in {
        "mine_alone:second": "MODULE:FUNCTION",
        "mine_alone:number": "is no function",
        "no_such_module:first": "MODULE:FUNCTION",
        ":first": "Empty module name",
        ".mine_alone:first": "relative import",
        "unread_alone:f": "SyntaxError",
        "quits_alone:f": "SystemExit",
        "divides_alone:f": "division by zero",
        "nsga": "Did you mean 'nsga2'",
    }.items():
        with pytest.raises(LabError, match=told):
            method_of(wrong)


def test_baselines_of_a_search_use_its_own_scores_limit_and_number_of_evaluations(tmp_path: Path) -> None:
    lab = Laboratory(Settings(store=f"sqlite:///{tmp_path}/llmnas.db", data=tmp_path))
    search_id = lab.start_search(
        device="raspi4", limits=Limits(latency=20), evaluations=50, scored_by="params"
    ).search_id
    handle, _ = lab.members(search_id)
    found = of_search(handle, 30, seeds=2)
    assert [(one.name, one.seeds, one.curve[-1][0]) for one in found] == [("random", 2, 30), ("nsga2", 2, 30)]
    params = np.sort(handle.landscape.reference.params)
    for one in found:
        assert one.low <= one.curve[-1][1] <= one.high
        assert all(cost <= 20 for _, cost in one.front)
        ranks = {round(rank * len(params)) for rank, _ in one.front}
        assert all(params[rank - 1] < params[min(rank, len(params) - 1)] for rank in ranks)
    assert json.dumps([one.curve for one in found]) == json.dumps([one.curve for one in of_search(handle, 30, seeds=2)])
    lab.close()


def test_baselines_of_a_search_for_two_costs_have_fronts_of_both(tmp_path: Path) -> None:
    lab = Laboratory(Settings(store=f"sqlite:///{tmp_path}/llmnas.db", data=tmp_path))
    limits = Limits(params=1)
    search_id = lab.start_search(device="edgegpu", objective=["energy", "latency"], limits=limits).search_id
    handle, _ = lab.members(search_id)
    found = of_search(handle, 30, seeds=2)
    assert [(one.name, one.curve[-1][0]) for one in found] == [("random", 30), ("nsga2", 30)]
    low, high = handle.scale.low, handle.scale.high
    for one in found:
        assert one.low <= one.curve[-1][1] <= one.high <= 1
        assert [len(point) for point in one.front] == [3] * len(one.front)
        assert [point[1] for point in one.front] == sorted(point[1] for point in one.front)
        for score, energy, latency in one.front:
            assert 0 <= score <= 1
            assert low[0] <= energy <= high[0]
            assert low[1] <= latency <= high[1]
    lab.close()


def test_there_are_no_baselines_where_scores_would_have_to_be_measured(tmp_path: Path) -> None:
    lab = Laboratory(Settings(store=f"sqlite:///{tmp_path}/llmnas.db", data=tmp_path))
    search_id = lab.start_search(device="raspi4").search_id
    handle, _ = lab.members(search_id)
    object.__setattr__(handle.landscape, "dataset", handle.landscape.dataset.__class__("mine", 48, 7))
    assert of_search(handle, 30) == []
    assert of_search(handle, 0) == []
    lab.close()
