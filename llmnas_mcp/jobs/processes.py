"""Jobs in processes of this machine, one a core, kept for the next call.

Why not a library: concurrent.futures, pebble and loky all start their processes through multiprocessing, where each of
them has the standard output of its parent, which in an MCP server is the protocol (so have the trackers these start).
The first two also run the program's main file again in each process, so that a script without a guard fails; and of
concurrent.futures and loky, one killed process takes all jobs down. `subprocess` gives each process pipes of its own,
which is most of what is needed: a pipe that ends says that this one job is lost, or to the process that its parent is
gone, however that went. Jobs are JSON: nothing is unpickled.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any

from llmnas_mcp.errors import LabError
from llmnas_mcp.jobs.base import Failed, Job

IDLE = 60.0  # seconds without a job after which processes are ended
EACH = 1 << 30  # bytes of memory that there must be for each process; one with torch takes about half of it

_BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from llmnas_mcp.jobs.worker import main; main()"
# Processes share the cores: threads in each would only get in each other's way, and sums would differ in the last bit.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_MARK = "LLMNAS_JOB"  # in the environment of a process that does jobs


class Processes:
    """An engine of at most `size` processes, by default one a core, whoever asks for them. Safe to use from threads.

    They are started when needed, and ended by a timer `idle` seconds after the last job. each: for as many processes as
    there are of these, what the environment of each has that the others' have not, such as the GPU it sees.
    """

    def __init__(self, size: int | None = None, idle: float = IDLE, each: Sequence[Mapping[str, str]] = ()) -> None:
        self.size = size or len(each) or cores()
        self._each = each or [{}] * self.size
        self._for, self._last = idle, 0.0
        self._turns = _Turns(self.size)
        self._lock = threading.Lock()
        self._all: set[_Process] = set()
        self._idle: list[_Process] = []
        self._timer: threading.Timer | None = None

    @property
    def warm(self) -> bool:
        """Whether there are processes."""
        return bool(self._all)

    @property
    def pids(self) -> list[int]:
        """The process ids, for whoever looks at memory."""
        return [process.pid for process in list(self._all)]

    def run(
        self, jobs: Sequence[Job], arrived: Callable[[int, Any], None] | None = None
    ) -> Generator[tuple[int, Any], None, None]:
        """See Engine. Raises LabError where no process can be started."""
        run = _Run(self, jobs, arrived)
        try:
            yield from run.answers()
        finally:
            if run.stop():
                self.rest()

    def rest(self) -> None:
        """End the processes that have nothing to do."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._all.difference_update(idle)
        for process in idle:
            process.end()

    def close(self) -> None:
        """End all processes, also those at work."""
        with self._lock:
            every, self._all, self._idle = self._all, set(), []
            if self._timer:
                self._timer.cancel()
                self._timer = None
        for process in every:
            process.end()

    def take(self) -> _Process:
        """A process for one job."""
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.alive:
                    return process
                self._all.discard(process)
                process.end()
            taken = {process.place for process in self._all}
            place = next(place for place in range(self.size) if place not in taken)
            process = _Process(place, self._each[place])
            self._all.add(process)
            return process

    def give(self, process: _Process) -> None:
        """Have it back, to keep or to bury."""
        with self._lock:
            if process.alive and process in self._all:
                self._idle.append(process)
                self._last = monotonic()
                if self._timer is None:
                    self._look_in(self._for)
                return
            self._all.discard(process)
        process.end()

    def _look_in(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        """End what is idle for long enough, or look again when it may be."""
        with self._lock:
            if threading.current_thread() is not self._timer:
                return  # closed meanwhile
            self._timer = None
            left = self._last + self._for - monotonic()
            if left > 0:
                self._look_in(left)
                return
        self.rest()


class _Run:
    """One call's jobs: a thread for each process asks it for one after the other."""

    def __init__(self, engine: Processes, jobs: Sequence[Job], arrived: Callable[[int, Any], None] | None) -> None:
        self._engine, self._jobs, self._arrived = engine, jobs, arrived
        self._lock = threading.Lock()
        self._left = iter(enumerate(jobs))
        self._stopped, self._at_work = False, set[_Process]()
        self._answers: SimpleQueue[tuple[int, Any] | BaseException] = SimpleQueue()

    def answers(self) -> Iterator[tuple[int, Any]]:
        for _ in range(min(self._engine.size, len(self._jobs))):
            threading.Thread(target=self._work, name="jobs", daemon=True).start()
        for _ in self._jobs:
            answer = self._answers.get()
            if isinstance(answer, BaseException):
                raise answer
            yield answer

    def stop(self) -> bool:
        """Begin no more jobs, and end the processes that are at one; whether there were any left."""
        with self._lock:
            self._stopped = True
            left = bool(self._at_work) or next(self._left, None) is not None
            for process in self._at_work:
                process.end()
            self._at_work.clear()
        return left

    def _work(self) -> None:
        try:
            while self._one():
                pass
        except OSError as error:
            self._answers.put(LabError(f"No process can be started to measure in ({error.strerror or error})."))
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
            self._answers.put(error)

    def _one(self) -> bool:
        """One job, when it is this run's turn; False where there is none left."""
        with self._engine._turns:
            with self._lock:
                if self._stopped or (index_and_job := next(self._left, None)) is None:
                    return False
                index, job = index_and_job
                process = self._engine.take()
                self._at_work.add(process)
            answer = process.do(job)
            with self._lock:
                lost = process not in self._at_work and isinstance(answer, Failed)
                self._at_work.discard(process)
                self._engine.give(process)
        if not lost:
            if self._arrived:
                self._arrived(index, answer)
            self._answers.put((index, answer))
        return True


class _Process:
    """A process that does one job at a time. place: its number among those of an engine; own: of its environment."""

    def __init__(self, place: int, own: Mapping[str, str]) -> None:
        self.place = place
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-c", _BEGIN, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | _ONE_THREAD | {_MARK: "1"} | dict(own),
            # Ctrl-C is for the program alone, which then ends this.
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self.pid = self._popen.pid
        self._lock = threading.Lock()
        self._at: Job | None = None
        self._late = False

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def do(self, job: Job) -> Any:
        """The value of a job, or why it Failed; by then the process may be gone."""
        if self._popen.stdin is None or self._popen.stdout is None:
            raise RuntimeError("A process is started with pipes.")
        call = [job.function.__module__, job.function.__qualname__, job.arguments]
        line = json.dumps(call).encode() + b"\n"
        self._at = job
        timer = threading.Timer(job.limit or 0, self._end_late, [job])
        timer.daemon = True
        if job.limit is not None:
            timer.start()
        answer = None
        try:
            self._popen.stdin.write(line)
            self._popen.stdin.flush()
            answer = json.loads(self._popen.stdout.readline())
        except (OSError, ValueError):  # a pipe that ends, or a process that wrote what we did not ask for
            self._popen.kill()
        with self._lock:
            self._at = None
        timer.cancel()
        if answer is None:
            code = self._popen.wait()
            return Failed("late", f"it took over {job.limit:g} s") if self._late else Failed("ended", _told(code))
        return Failed(answer["kind"], answer["why"]) if "kind" in answer else answer["value"]

    def _end_late(self, job: Job) -> None:
        with self._lock:
            if self._at is job:
                self._late = True
                self._popen.kill()

    def end(self) -> None:
        """End it now, and leave nothing of it."""
        self._popen.kill()
        self._popen.wait()
        with self._lock:
            if self._at is None:  # else the thread that waits for the answer still reads, and gives it back
                for pipe in (self._popen.stdin, self._popen.stdout):
                    if pipe:
                        with suppress(OSError):  # what could not be sent
                            pipe.close()


class _Turns:
    """At most so many at once, in the order in which they asked: no call waits for the whole of another."""

    def __init__(self, most: int) -> None:
        self._free, self._waiting, self._lock = most, deque[threading.Lock](), threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


def _told(code: int) -> str:
    """How a process ended, by its exit code."""
    if code >= 0:
        return f"it exited with {code}"
    with suppress(ValueError):
        name = signal.Signals(-code).name
        return f"killed by {name}" + (", as where memory runs out" if name == "SIGKILL" else "")
    return f"killed by signal {-code}"


def cores() -> int:
    """How many processes are worth starting: the cores this one may use, and the memory there is for them.

    One in a process that does jobs, or that multiprocessing started: it is one of many already.
    """
    if _MARK in os.environ or multiprocessing.parent_process() is not None:
        return 1
    count = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with suppress(OSError, ValueError):  # a container's share; "max" where there is none
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        count = min(count, float(quota) / float(period))
    with suppress(OSError, ValueError, AttributeError):
        count = min(count, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / EACH)
    with suppress(OSError, ValueError):
        count = min(count, float(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")) / EACH)
    return max(1, int(count))


@lru_cache(maxsize=1)
def shared() -> Processes:
    """The engine of this process, closed with it."""
    engine = Processes()
    atexit.register(engine.close)
    return engine


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=shared.cache_clear)  # the processes of a parent are not the child's to ask
