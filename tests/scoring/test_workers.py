"""Proxies measured by several processes: the same values, kept as they come, and nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import pytest
from torch import nn

from llmnas_mcp.errors import LabError, UnknownNameError, UnscorableError
from llmnas_mcp.jobs import Failed, Job, Processes
from llmnas_mcp.scoring import atlas, engine, workers
from llmnas_mcp.scoring.kept import Kept, kept_in
from llmnas_mcp.scoring.workers import measure_all
from llmnas_mcp.spaces import Dataset, Space, get_space
from tests.jobs import chores
from tests.jobs.children import children

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="processes are looked at as Linux shows them")
SPACE = get_space("nasbench201")
TINY = Dataset("tiny", 8, 4)
CELLS = [(3, 1, 3, 1, 2, 3), (3, 3, 3, 3, 3, 3), (3, 0, 0, 2, 0, 3), (2, 2, 2, 2, 2, 2), (2, 3, 0, 1, 2, 3)]
NAMES = ("growth", "jacov", "swap")


class Counting:
    """Two processes, and what they were asked to do."""

    def __init__(self, size: int = 2) -> None:
        self.processes = Processes(size)
        self.size = size
        self.asked: list[tuple[int, ...]] = []

    @property
    def warm(self) -> bool:
        return self.processes.warm

    def run(
        self, jobs: Sequence[Job], arrived: Callable[[int, Any], None] | None = None
    ) -> Generator[tuple[int, Any], None, None]:
        self.asked += [job.arguments[2] for job in jobs]
        return self.processes.run(jobs, arrived)


@pytest.fixture
def by() -> Iterator[Counting]:
    own = Counting()
    yield own
    own.processes.close()


def stop_after(number: int) -> Callable[[int, int], None]:
    def progress(done: int, _: int) -> None:
        if done == number:
            raise KeyboardInterrupt

    return progress


def kept(data: Path) -> Kept:
    return Kept((data / atlas.file_name(SPACE, TINY)).with_suffix(".jsonl"))


def test_processes_measure_what_this_process_does_to_the_last_bit(tmp_path: Path, by: Counting) -> None:
    names = tuple(engine.OBSERVED)
    steps: list[tuple[int, int]] = []
    found = dict(measure_all(SPACE, CELLS, TINY, names, tmp_path, lambda *step: steps.append(step), by=by))
    assert set(by.asked) == set(found) == set(CELLS)
    assert steps == [(i, 5) for i in range(1, 6)]
    engine.measure_genotype.cache_clear()
    assert found == {cell: engine.measure_genotype(SPACE, cell, TINY, names) for cell in CELLS}
    assert found == {cell: kept(tmp_path).get(cell, names) for cell in CELLS}


def test_an_architecture_asked_for_twice_is_measured_once(tmp_path: Path, by: Counting) -> None:
    assert [cell for cell, _ in measure_all(SPACE, CELLS[:1] * 3, TINY, NAMES, tmp_path, by=by)] == CELLS[:1]


@pytest.mark.thorough
def test_progress_that_raises_stops_and_leaves_no_process_and_the_same_call_goes_on(
    tmp_path: Path, by: Counting
) -> None:
    before = children()
    outcomes = measure_all(SPACE, CELLS, TINY, NAMES, tmp_path, stop_after(2), by=by)
    seen = {next(outcomes)[0], next(outcomes)[0]}
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    assert children() == before
    done = {cell for cell in CELLS if kept(tmp_path).get(cell, NAMES)}
    assert seen <= done

    by.asked.clear()
    kept_in.cache_clear()  # as in a process that starts anew
    assert {cell for cell, _ in measure_all(SPACE, CELLS, TINY, NAMES, tmp_path, by=by)} == set(CELLS)
    assert set(by.asked) <= set(CELLS) - done
    by.asked.clear()
    assert {cell for cell, _ in measure_all(SPACE, CELLS, TINY, NAMES, tmp_path, by=by)} == set(CELLS)
    assert by.asked == []


def test_who_asks_for_no_more_leaves_no_process(tmp_path: Path, by: Counting) -> None:
    before = children()
    with closing(measure_all(SPACE, CELLS, TINY, NAMES, tmp_path, by=by)) as outcomes:
        next(outcomes)
    assert children() == before


@pytest.mark.thorough
def test_an_architecture_that_ends_its_process_is_named_and_the_others_go_on(
    tmp_path: Path, by: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "measure_one", chores.measure_unless_deadly)
    found = dict(measure_all(SPACE, CELLS, TINY, NAMES, tmp_path, by=by))
    error = found.pop(chores.DEADLY)
    assert isinstance(error, LabError)
    assert str(error) == (
        f"The network {SPACE.format(chores.DEADLY)} ended the process that measured it: killed by SIGKILL, as where"
        " memory runs out."
    )
    assert set(found) == set(CELLS) - {chores.DEADLY}
    assert not any(isinstance(values, UnscorableError) for values in found.values())
    assert kept(tmp_path).get(chores.DEADLY, NAMES) is None


@pytest.mark.thorough
def test_a_few_at_a_time_are_measured_here_until_processes_would_have_been_worth_it(
    tmp_path: Path, by: Counting
) -> None:
    for cell in CELLS:
        dict(measure_all(SPACE, [cell], TINY, NAMES, tmp_path, by=by))
    assert by.asked == CELLS[workers.FEW - 1 :]


@pytest.mark.thorough
def test_few_are_measured_here_unless_processes_are_there_already(tmp_path: Path, by: Counting) -> None:
    dict(measure_all(SPACE, CELLS[:3], TINY, NAMES, tmp_path / "one", by=by))
    assert by.asked == []
    assert not by.warm
    dict(measure_all(SPACE, CELLS, TINY, NAMES, tmp_path / "two", by=by))
    dict(measure_all(SPACE, CELLS[:3], TINY, NAMES, tmp_path / "three", by=by))
    assert by.asked == CELLS + CELLS[:3]


@pytest.mark.thorough
def test_one_core_needs_no_second_process(tmp_path: Path) -> None:
    alone = Counting(1)
    dict(measure_all(SPACE, CELLS, TINY, NAMES, tmp_path, by=alone))
    assert alone.asked == []


class Fragile(Space):
    """A user's space with a mistake in it, and networks that no proxy knows."""

    name = "fragile"
    choices: ClassVar = {"kind": ("linear", "mistake")}

    def build(self, chosen: Mapping[str, Any], dataset: Dataset) -> nn.Module:
        if chosen["kind"] == "mistake":
            raise KeyError("width")
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * dataset.resolution**2, dataset.classes))


def test_what_cannot_be_measured_comes_with_the_reason_and_is_not_kept(tmp_path: Path, by: Counting) -> None:
    found = dict(measure_all(Fragile(), [(0,), (1,)], TINY, NAMES, tmp_path, by=by))
    assert all(isinstance(error, UnscorableError) for error in found.values())
    assert str(found[0,]).startswith("The network has fewer than two blocks")
    assert str(found[1,]) == "The network kind=mistake cannot be built: KeyError: 'width'"
    assert not list(tmp_path.iterdir())


def test_a_space_that_another_process_cannot_load_is_refused_as_a_whole(tmp_path: Path, by: Counting) -> None:
    next(by.processes.run([Job(chores.pid)]))
    with pytest.raises(LabError, match="fragile"):
        dict(measure_all(Fragile(), [(0,), (1,)], TINY, NAMES, tmp_path, by=by))


def test_a_space_whose_file_has_changed_since_is_refused() -> None:
    assert workers.measure_one(SPACE.name, "", list(CELLS[2]), asdict(TINY), ["swap"])
    with pytest.raises(LabError, match="has changed"):
        workers.measure_one(SPACE.name, "an older one", list(CELLS[2]), asdict(TINY), ["swap"])


@pytest.mark.parametrize(
    ("failed", "text"),
    [
        (Failed("late", "it took over 600 s"), "The network kind=linear was given up: it took over 600 s."),
        (Failed("raised", "MemoryError"), "The network kind=linear cannot be measured: MemoryError."),
    ],
    ids=lambda value: value.kind if isinstance(value, Failed) else "",
)
def test_a_job_that_failed_is_told_with_the_architecture(failed: Failed, text: str) -> None:
    assert str(workers._outcome(Fragile(), (0,), failed)) == text


def test_a_proxy_there_is_not_is_refused_before_anything_is_measured(tmp_path: Path, by: Counting) -> None:
    with pytest.raises(UnknownNameError):
        next(measure_all(SPACE, CELLS, TINY, ("zenn",), tmp_path, by=by))
    assert not by.warm
