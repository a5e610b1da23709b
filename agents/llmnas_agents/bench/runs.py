"""All runs of a plan, several at once, each remembered as soon as it is done: a bench that was stopped goes on."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from llmnas_agents.bench.job import work
from llmnas_agents.bench.plan import Job, Plan, Row
from llmnas_mcp.errors import LabError, leaves

ROWS, PLAN = "runs.jsonl", "plan.json"
Told = Callable[[Job, str | None], None]


def run_plan(
    plan: Plan, out: Path, processes: int, begin: Callable[[int], None], tell: Told
) -> tuple[list[Row], dict[str, str]]:
    """The rows of all runs that are in the plan and done, and of those that failed the reason, by key.

    `begin` hears how many are done already, `tell` of every run as it ends, with the reason where it failed. Raises
    LabError where the folder is that of a bench whose runs cannot be compared with these, or in use.
    """
    with _alone(out):
        _check_same(plan, out / PLAN)
        done = {row["key"]: row for row in _read(out / ROWS)}
        judges = {(row["dataset"], row["device"]): row["judge"] for row in done.values()}
        jobs = plan.jobs()
        todo = [job for job in jobs if job.key not in done]
        begin(len(jobs) - len(todo))
        failed: dict[str, str] = {}
        with (out / ROWS).open("a", encoding="utf-8") as file:
            for job, outcome in _work(plan, todo, out / "stores", processes):
                if isinstance(outcome, str):
                    failed[job.key] = outcome
                else:
                    before = judges.setdefault((job.dataset, job.device), outcome["judge"])
                    if outcome["judge"] != before:
                        raise LabError(
                            f"{out} holds runs on {job.device}, {job.dataset} that were judged by {before}, now it is"
                            f" {outcome['judge']}: they cannot be compared. Name another folder with --out."
                        )
                    done[job.key] = {"key": job.key, **outcome}
                    file.write(json.dumps(done[job.key]) + "\n")
                    file.flush()
                tell(job, failed.get(job.key))
        return [done[job.key] for job in jobs if job.key in done], failed


def _work(plan: Plan, jobs: list[Job], stores: Path, processes: int) -> Iterator[tuple[Job, Row | str]]:
    """Each run's row, or why there is none, as they end."""
    if not jobs:
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the processes share the cores, each with small matrices
    content = plan.model_dump_json()
    pool = ProcessPoolExecutor(min(processes, len(jobs)), multiprocessing.get_context("spawn"), _begin_process)
    left = iter(jobs)
    under_way: dict[Future[Row | str], Job] = {}
    try:
        while True:
            # No more are given out than are worked on, so that an end comes soon.
            while len(under_way) < 2 * processes and (job := next(left, None)) is not None:
                under_way[pool.submit(_outcome, content, job, stores)] = job
            if not under_way:
                break
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                job = under_way.pop(future)
                try:
                    yield job, future.result()
                except BrokenProcessPool:
                    methods = ", ".join(dict.fromkeys(one.method for one in (job, *under_way.values())))
                    raise LabError(
                        f"A process of the bench was killed, at {methods}. Nothing is lost: run the same again, without"
                        " a method that ends its process."
                    ) from None
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _outcome(plan: str, job: Job, stores: Path) -> Row | str:
    """A run's row, or why there is none: a method from outside may raise anything, and the other runs go on."""
    try:
        return work(plan, job, stores)
    except BaseException as error:  # noqa: BLE001 - also SystemExit, which would end the bench without a word
        causes = leaves(error)
        return "; ".join(str(e) if isinstance(e, LabError) else f"{type(e).__name__}: {e}" for e in causes)


def _begin_process() -> None:
    """In each process: Ctrl-C is the bench's business, and when that is gone, however it went, this ends too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end, daemon=True).start()


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / ".lock", timeout=0):
            yield
    except Timeout:
        raise LabError(f"--out {out} is in use by another bench. Wait for it, or name another folder.") from None
    except OSError as error:
        raise LabError(
            f"--out {out}: cannot write there ({error.strerror}). Name a folder you can write to."
        ) from error


def _check_same(plan: Plan, path: Path) -> None:
    same = json.loads(json.dumps(plan.same))
    if not path.exists():
        path.write_text(json.dumps(same) + "\n", encoding="utf-8")
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        before = None
    if before != same:
        raise LabError(
            f"{path.parent} holds runs that cannot be compared with these: they have {before}, these {same}. Name"
            " another folder with --out."
        )


def _read(path: Path) -> Iterator[Row]:
    """The rows of a file; a last line that was cut off by a kill is cut off here too."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            yield json.loads(line)
        except ValueError:
            raise LabError(f"{path}, line {number} is no run: delete the line, its run will be done again.") from None
