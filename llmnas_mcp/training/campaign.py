"""Many networks in training: by the rungs of a plan, the better ones longer, and each result told as it comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmnas_mcp import jobs
from llmnas_mcp.errors import LabError
from llmnas_mcp.images import Images
from llmnas_mcp.images.known import saved
from llmnas_mcp.jobs import Engine, Failed, Job
from llmnas_mcp.jobs.processes import Processes
from llmnas_mcp.spaces import Genotype, Space
from llmnas_mcp.training.halving import Rung
from llmnas_mcp.training.recipe import VALIDATE, Recipe
from llmnas_mcp.training.record import Trained

if TYPE_CHECKING:
    from llmnas_mcp.training.training import Course

FOLDER = "training"  # in the folder of tables
VISIBLE = "CUDA_VISIBLE_DEVICES"

# Told with what is done and what is to do, in milliseconds of the estimate, and what is done now.
Progress = Callable[[int, int, str], None]
Known = Callable[[str, int], Trained | None]  # what came of a training, by its key, after so many epochs


@dataclass(frozen=True)
class Ask:
    """What is to be trained: distinct canonical genotypes, on images, until the end of the plan's epochs."""

    space: Space
    genotypes: Sequence[Genotype]
    images: Images
    recipe: Recipe
    rungs: Sequence[Rung]
    seed: int

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        from llmnas_mcp.images.images import SEED, held_out

        count = int((~held_out(self.images.train_y, VALIDATE, SEED)).sum())
        return count // min(self.recipe.batch, count)


class Campaign:
    """The trainings that were asked for, in the folder `data`; files of them are ours alone until `close`.

    Raises LabError where another process trains one of them.
    """

    def __init__(self, ask: Ask, data: Path) -> None:
        from llmnas_mcp.training.training import Course, alone

        self.ask, self.folder = ask, data / FOLDER
        gpus = gpus_seen()
        how = (ask.images, ask.recipe, ask.rungs[-1].epochs, ask.seed, "cuda" if gpus else "cpu")
        self.courses = [Course(ask.space, genotype, *how) for genotype in ask.genotypes]
        # A process sees one GPU and takes whatever network is next, so as long as there are enough none is idle.
        self._engine: Engine = Processes(each=[{VISIBLE: gpu} for gpu in gpus]) if gpus else jobs.shared()
        self._pace = dict.fromkeys((course.key for course in self.courses), 1.0)
        self._stack = ExitStack()
        try:
            for course in self.courses:
                self._stack.enter_context(alone(course, self.folder))
            self._images = saved(ask.images, data, self.folder)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Campaign:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        if isinstance(self._engine, Processes) and self._engine is not jobs.shared():
            self._engine.close()

    def estimate(self, known: Known) -> float:
        """The seconds that the whole plan takes, by a timed step of each network, or by what was trained before.

        As many side by side as fit.
        """
        from llmnas_mcp.training.worker import time_step

        new = []
        for course in self.courses:
            if record := known(course.key, self.ask.rungs[0].epochs):
                self._pace[course.key] = record.seconds / (record.epochs * self.ask.steps)
            else:
                new.append(course)
        for course, answer in self._run(new, lambda its: Job(time_step, (its,))):
            if not isinstance(answer, Failed):
                self._pace[course.key] = float(answer)
        return self._seconds()

    def _seconds(self) -> float:
        mean = sum(self._pace.values()) / len(self._pace)
        epochs, before = 0, 0
        for rung in self.ask.rungs:
            epochs += rung.networks * (rung.epochs - before)
            before = rung.epochs
        return epochs * self.ask.steps * mean / min(self._engine.size, len(self.courses))

    def train(
        self,
        known: Known,
        remember: Callable[[Trained], None],
        progress: Progress | None = None,
    ) -> tuple[list[Trained], dict[Genotype, str]]:
        """Train by the rungs of the plan: what came of each network at last, best first, and why others failed.

        Best is by accuracy on the images held out from training. What is known, `known(key, epochs)`, is not trained
        again; each result is given to `remember` at once, so a call that is stopped or killed loses no more than
        seconds, and the same call goes on. progress may raise to stop. Raises LabError where none can be trained.
        """
        best: dict[str, Trained] = {}
        failed: dict[Genotype, str] = {}
        left, before, done = list(self.courses), 0, 0.0
        size = min(self._engine.size, len(self.courses))
        whole = max(1, round(1000 * self._seconds()))

        def tell(what: str) -> None:
            if progress:
                progress(min(round(1000 * done / size), whole), whole, what)

        tell(f"training {len(left)} networks")  # so that whoever tells the time left knows when this began
        for rung in self.ask.rungs:
            left = sorted(left, key=lambda course: _order(best.get(course.key)))[: rung.networks]
            at = {course.key: before * self.ask.steps for course in left}
            todo = []
            for course in left:
                if record := known(course.key, rung.epochs):
                    best[course.key] = record
                    done += self._pace[course.key] * (rung.epochs - before) * self.ask.steps
                else:
                    todo.append(course)
            while todo:
                for course, answer in self._turn(todo, rung.epochs):
                    if isinstance(answer, Failed):
                        failed[course.genotype] = _why(course, answer)
                        left.remove(course)
                        todo.remove(course)
                        continue
                    done += self._pace[course.key] * max(0, answer["step"] - at[course.key])
                    at[course.key] = max(at[course.key], answer["step"])
                    what = f"{course.name} at epoch {at[course.key] / self.ask.steps:.1f} of {rung.epochs}"
                    if found := answer.get("record"):
                        record = best[course.key] = Trained(**found)
                        remember(record)
                        if record.epochs == record.of_epochs:
                            (self.folder / f"{course.key}.resume").unlink(missing_ok=True)
                        todo.remove(course)
                        what = f"{course.name} after {rung.epochs} epochs: {record.valid:.2f} % of held-out images"
                    tell(what)
            before = rung.epochs
        if not best:
            raise LabError(f"None of the networks could be trained. {next(iter(failed.values()))}")
        return sorted(best.values(), key=_order), failed

    def _turn(self, courses: Sequence[Course], epochs: int) -> Iterator[tuple[Course, Any]]:
        """Some seconds of each."""
        from llmnas_mcp.training.worker import advance

        return self._run(list(courses), lambda its: Job(advance, (its, epochs, str(self.folder)), limit=None))

    def _run(self, courses: Sequence[Course], work: Callable[[dict[str, Any]], Job]) -> Iterator[tuple[Course, Any]]:
        from llmnas_mcp.training.worker import told

        works = [work(told(course, self._images)) for course in courses]
        if not works:
            return
        with closing(self._engine.run(works)) as answers:
            for index, answer in answers:
                yield courses[index], answer


def gpus_seen() -> list[str]:
    """The GPUs that torch sees here, by the names that the variable VISIBLE has for them."""
    import torch

    if not torch.cuda.is_available():
        return []
    count = torch.cuda.device_count()
    return (os.environ.get(VISIBLE) or ",".join(map(str, range(count)))).split(",")[:count]


def _why(course: Course, failed: Failed) -> str:
    what = {"refused": "", "raised": "can't be trained: ", "ended": "ended the process that trained it: ", "late": ""}
    return failed.why if failed.kind == "refused" else f"{course.name} {what[failed.kind]}{failed.why}."


def _order(record: Trained | None) -> tuple[float, ...]:
    """Sorts the best first: trained longer, then better on held-out images; equal ones stay as they were."""
    return (0, 0) if record is None else (-record.epochs, -record.valid)
