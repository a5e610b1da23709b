"""Proxies of many architectures, measured on all cores, each kept as it comes."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from llmnas_mcp import jobs
from llmnas_mcp.errors import LabError, SpaceError, UnscorableError
from llmnas_mcp.jobs import Engine, Failed, Job
from llmnas_mcp.scoring import atlas, engine
from llmnas_mcp.scoring.kept import Kept, kept_in
from llmnas_mcp.spaces import Dataset, Genotype, Genotypes, Space, space_of

FEW = 4  # fewer in all are measured before a process for them would have started

Value = float | str  # or why there is none
Outcome = tuple[Value, ...] | UnscorableError
Outcomes = Generator[tuple[Genotype, Outcome], None, None]
_ALONE = threading.Lock()
_measured_here = WeakKeyDictionary[Engine, int]()  # though the engine could have


def measure_all(
    space: Space,
    genotypes: Genotypes,
    dataset: Dataset,
    proxies: Iterable[str],
    data: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    by: Engine | None = None,
) -> Outcomes:
    """Each distinct canonical genotype with its `proxies`, in their order, or why they cannot be told, as it is done.

    A single proxy outside OBSERVED that cannot be told is a text in its place, the reason.

    What is kept in the folder `data` comes first and is not measured again; what is measured is kept there at once. So
    a call that is stopped, or a process that is killed, loses only what is in the works. `progress(done, total)` is
    called in this thread after each, when the next is asked for, and may raise to stop: then no process is left. Nor is
    one where the generator is closed; contextlib.closing says when.

    Measured `by` the processes of this machine; in this one the first FEW, or where there is one core. The values are
    the same to the last bit. An architecture that ends its process (more memory than there is, a crash) or takes over
    `jobs.base.LIMIT` is told as any that cannot be measured, and the others go on. Raises UnknownNameError for a proxy
    there is not, and LabError where another process cannot load the space, or none can be started.
    """
    names = engine.check_proxies(proxies)
    kept = kept_in((data / atlas.file_name(space, dataset)).with_suffix(".jsonl"))
    cells: list[Genotype] = list(dict.fromkeys(tuple(map(int, genotype)) for genotype in genotypes))
    known = {cell: values for cell in cells if (values := kept.get(cell, names)) is not None}
    todo = [cell for cell in cells if cell not in known]
    answers = _answers(space, todo, dataset, names, kept, by or jobs.shared())
    with closing(answers):
        for done, outcome in enumerate(chain(known.items(), answers), start=1):
            yield outcome
            if progress:
                progress(done, len(cells))


def _answers(
    space: Space, cells: list[Genotype], dataset: Dataset, names: tuple[str, ...], kept: Kept, by: Engine
) -> Outcomes:
    """Measure these, here or by others."""

    def arrived(index: int, answer: Any) -> None:
        if isinstance(answer, list):
            told = zip(names, answer, strict=True)
            kept.add(cells[index], {name: value for name, value in told if not isinstance(value, str)})

    here = _measured_here.get(by, 0) + len(cells)
    if by.size == 1 or (here < FEW and not by.warm):
        _measured_here[by] = here
        for index, cell in enumerate(cells):
            answer: Any = _values(space, cell, dataset, names)
            gc.collect()  # networks hold themselves by their hooks: left alone they fill gigabytes
            arrived(index, answer)
            yield cell, _outcome(space, cell, answer)
        return
    spec = space.spec or space.name
    works = [Job(measure_one, (spec, space.edition, cell, asdict(dataset), names)) for cell in cells]
    with closing(by.run(works, arrived)) as answers:
        for index, answer in answers:
            yield cells[index], _outcome(space, cells[index], answer)


def _outcome(space: Space, cell: Genotype, answer: list[Value] | str | Failed) -> Outcome:
    if isinstance(answer, list):
        return tuple(answer)
    if isinstance(answer, str):
        return UnscorableError(answer.removeprefix("The network "))
    if answer.kind == "refused":
        raise LabError(answer.why)
    what = {"raised": "cannot be measured", "ended": "ended the process that measured it", "late": "was given up"}
    return UnscorableError(f"{_name(space, cell)} {what[answer.kind]}: {answer.why}.")


def measure_one(
    spec: str, edition: str, genotype: list[int], dataset: dict[str, Any], names: list[str]
) -> list[Value] | str:
    """What a process does for one architecture: its values, or why there are none."""
    space = space_of(spec)
    if space.edition != edition:
        raise SpaceError(
            f"The file of the space {spec} has changed since this program read it: start the program again."
        )
    return _values(space, tuple(genotype), Dataset(**dataset), tuple(names))


def _values(space: Space, cell: Genotype, dataset: Dataset, names: tuple[str, ...]) -> list[Value] | str:
    try:
        with _one_thread():
            return list(engine.measure_genotype(space, cell, dataset, names))
    except UnscorableError as error:
        return str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - of a user's own space, whose `build` may raise anything
        return f"The network {_name(space, cell)} cannot be built: {type(error).__name__}: {error}".splitlines()[0]


def _name(space: Space, cell: Genotype) -> str:
    name = space.format(cell)
    return name if len(name) <= 160 else f"{name[:157]}..."


@contextmanager
def _one_thread() -> Iterator[None]:
    """The numbers of one thread, as in every other process; one architecture at a time in this."""
    import torch

    with _ALONE:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
