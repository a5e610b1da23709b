"""All runs of a plan, several at once, each remembered as soon as it is done: a bench that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from llmnas_agents.bench.job import work
from llmnas_agents.bench.plan import Job, Plan, Row
from llmnas_mcp.errors import LabError, leaves
from llmnas_mcp.jobs import Failed, Processes
from llmnas_mcp.jobs import Job as Task

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
        rows, outcomes = (out / ROWS).open("a", encoding="utf-8"), _work(plan, todo, out / "stores", processes)
        with rows as file, closing(outcomes):
            for job, outcome in outcomes:
                if isinstance(outcome, str):
                    failed[job.key] = outcome
                else:
                    before = judges.setdefault((job.dataset, job.device), outcome["judge"])
                    if outcome["judge"] != before:
                        raise LabError(
                            f"{out} holds runs on {job.device}, {job.dataset} that were judged by {before}, now it"
                            f" is {outcome['judge']}: they cannot be compared. Name another folder with --out."
                        )
                    done[job.key] = {"key": job.key, **outcome}
                    file.write(json.dumps(done[job.key]) + "\n")
                    file.flush()
                tell(job, failed.get(job.key))
        return [done[job.key] for job in jobs if job.key in done], failed


def _work(plan: Plan, jobs: list[Job], stores: Path, processes: int) -> Generator[tuple[Job, Row | str], None, None]:
    """Each run's row, or why there is none, as they end; closed early, it ends what is under way."""
    content = plan.model_dump_json()
    asked = [Task(_outcome, (content, asdict(job), str(stores)), limit=None) for job in jobs]
    with closing(Processes(processes)) as engine, closing(engine.run(asked)) as answers:
        for index, answer in answers:
            ended = f"Its process ended: {answer.why}." if isinstance(answer, Failed) else None
            yield jobs[index], ended or answer


def _outcome(plan: str, job: dict[str, Any], stores: str) -> Row | str:
    """A run's row, or why there is none: a method from outside may raise anything, and the other runs go on."""
    try:
        return work(plan, Job(**job), Path(stores))
    except BaseException as error:  # noqa: BLE001 - also SystemExit, which would end the bench without a word
        causes = leaves(error)
        return "; ".join(str(e) if isinstance(e, LabError) else f"{type(e).__name__}: {e}" for e in causes)


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
