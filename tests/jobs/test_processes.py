"""Jobs in processes: what comes back, what fails, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llmnas_mcp.errors import LabError
from llmnas_mcp.jobs import Failed, Job, Processes, processes
from tests.jobs import chores
from tests.jobs.children import children, wait_for_end
from tests.thorough import HUNG

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="processes are looked at as Linux shows them")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def engine() -> Iterator[Processes]:
    own = Processes(2)
    yield own
    own.close()
    assert not own.warm


def script(text: str) -> subprocess.Popen[str]:
    """A program that uses two processes, in a process group of its own."""
    begin = "from llmnas_mcp.jobs import Job, Processes\nfrom tests.jobs import chores\nengine = Processes(2)\n"
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", begin + text], cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def test_every_job_comes_back_with_its_value_to_the_last_bit(engine: Processes) -> None:
    values = [[0.1 + 0.2, -1e-300, 5e-324], "Grüße\n", {"a": None}, 2**70, []]
    found = dict(engine.run([Job(chores.same, (value,)) for value in values]))
    assert [found[i] for i in range(len(values))] == values


def test_processes_stay_for_the_next_call_and_are_no_more_than_asked_for(engine: Processes) -> None:
    assert not engine.warm
    first = {pid for _, pid in engine.run([Job(chores.pid)] * 8)}
    assert first <= set(engine.pids)
    assert len(engine.pids) <= 2
    assert engine.warm
    assert {pid for _, pid in engine.run([Job(chores.pid)] * 8)} <= set(engine.pids)


def test_a_process_works_with_one_thread(engine: Processes) -> None:
    assert next(engine.run([Job(chores.threads)])) == (0, [1, 1])


@pytest.mark.parametrize(
    ("job", "kind", "why"),
    [
        (Job(chores.die), "ended", "killed by SIGKILL, as where memory runs out"),
        (Job(chores.leave, (3,)), "ended", "it exited with 3"),
        (Job(chores.hang, limit=0.1), "late", "it took over 0.1 s"),
        (Job(chores.refuse), "refused", "There is no such file: name another."),
        (Job(chores.stumble), "raised", "KeyError: 'my own mistake'"),
        (Job(chores.quit_politely), "raised", "SystemExit: enough"),
        (Job(chores.not_plain), "raised", "TypeError: Object of type object is not JSON serializable"),
    ],
    ids=lambda value: value.function.__name__ if isinstance(value, Job) else "",
)
def test_a_job_that_fails_says_why_and_the_others_go_on(engine: Processes, job: Job, kind: str, why: str) -> None:
    found = dict(engine.run([Job(chores.same, (0,)), job, *(Job(chores.same, (i,)) for i in range(2, 6))]))
    assert found.pop(1) == Failed(kind, why)  # type: ignore[arg-type]
    assert found == {i: i for i in (0, 2, 3, 4, 5)}
    assert set(engine.pids) <= children()


def test_a_process_that_was_killed_between_two_calls_is_replaced(engine: Processes) -> None:
    pids = set(engine.pids) | {pid for _, pid in engine.run([Job(chores.pid)] * 4)}
    for pid in engine.pids:
        os.kill(pid, signal.SIGKILL)
    wait_for_end(pids)
    assert {pid for _, pid in engine.run([Job(chores.pid)] * 4)}.isdisjoint(pids)


def test_a_run_that_is_closed_leaves_no_process(engine: Processes) -> None:
    before = children()
    with closing(engine.run([Job(chores.same, (1,)), *[Job(chores.hang)] * 5])) as answers:
        assert next(answers) == (0, 1)
        assert children() > before
    assert children() == before


def test_a_run_that_is_closed_leaves_another_calls_processes_at_work(engine: Processes) -> None:
    with closing(engine.run([Job(chores.same, (1,)), Job(chores.same, (2,)), Job(chores.hang)])) as one:
        assert {next(one)[1], next(one)[1]} == {1, 2}  # and hangs in one process from now on
        with closing(engine.run([Job(chores.same, (i,)) for i in range(4)])) as other:
            next(other)
        assert next(engine.run([Job(chores.same, (7,))])) == (0, 7)
        assert engine.warm


def test_two_calls_share_the_processes_in_turns(engine: Processes) -> None:
    told: list[str] = []
    halfway = threading.Event()

    def late() -> None:
        halfway.wait(HUNG)
        told.extend("late" for _ in engine.run([Job(chores.same, (0,))]))

    thread = threading.Thread(target=late)
    thread.start()
    for index, _ in engine.run([Job(chores.same, (0,))] * 400):
        if index == 5:
            halfway.set()
        told.append("long")
    thread.join(HUNG)
    assert told.index("late") < len(told) - 1
    assert len(engine.pids) <= 2


def test_what_arrived_is_told_even_where_nobody_asks_for_it_any_more(engine: Processes) -> None:
    arrived: dict[int, object] = {}
    all_there = threading.Event()

    def note(index: int, value: object) -> None:
        arrived[index] = value
        if len(arrived) == 6:
            all_there.set()

    with closing(engine.run([Job(chores.same, (i,)) for i in range(6)], note)) as answers:
        next(answers)
        assert all_there.wait(HUNG)
    assert arrived == {i: i for i in range(6)}


def test_idle_processes_are_ended_after_a_while() -> None:
    engine = Processes(2, idle=0.01)
    pids = [pid for _, pid in engine.run([Job(chores.pid)] * 2)]
    wait_for_end(pids)
    assert next(engine.run([Job(chores.pid)]))[1] not in pids
    engine.close()


def test_a_system_that_starts_no_process_is_told(engine: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", fail)
    with pytest.raises(LabError, match="No process can be started"):
        list(engine.run([Job(chores.pid)]))


def test_there_is_a_process_for_each_core_and_one_where_multiprocessing_has_made_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert 1 <= processes.cores() <= len(os.sched_getaffinity(0))
    monkeypatch.setattr("multiprocessing.parent_process", lambda: object())
    assert processes.cores() == 1


def test_what_a_job_prints_never_reaches_standard_output() -> None:
    program = script("print([value for _, value in engine.run([Job(chores.chatter)])]); engine.close()")
    out, err = program.communicate(timeout=HUNG)
    assert out == "['']\n"
    assert err.split("\n")[:3] == ["by print", "by number", "by another process"]


def test_no_process_holds_its_parents_standard_output_open() -> None:
    program = script("print('here', flush=True); import os; os.dup2(2, 1); list(engine.run([Job(chores.hang)]))")
    assert program.stdout is not None
    assert program.stderr is not None
    assert program.stderr.readline()
    assert program.stdout.read() == "here\n"  # to its end, while a process is at work
    program.kill()
    program.communicate(timeout=HUNG)


def test_a_script_needs_no_guard_around_its_main_part(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(
        "import sys\n"
        "from llmnas_mcp.jobs import Job, Processes\n"
        "from tests.jobs import chores\n"
        "print('once')\n"
        "engine = Processes(2)\n"
        "print(dict(engine.run([Job(chores.same, (1,)), Job(chores.same, (2,))])))\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, file], env=env, capture_output=True, text=True, timeout=HUNG)
    assert done.stdout in ("once\n{0: 1, 1: 2}\n", "once\n{1: 2, 0: 1}\n")
    assert (done.stderr, done.returncode) == ("", 0)


def test_processes_end_with_a_parent_that_is_killed() -> None:
    program = script("list(engine.run([Job(chores.hang)] * 4))")
    assert program.stderr is not None
    pids = [int(program.stderr.readline()) for _ in range(2)]
    program.kill()
    wait_for_end(pids)
    program.communicate(timeout=HUNG)


def test_ctrl_c_ends_the_program_and_its_processes_without_a_word_of_theirs() -> None:
    program = script(
        "try:\n    list(engine.run([Job(chores.hang)] * 4))\nexcept KeyboardInterrupt:\n    print('stopped')"
    )
    assert program.stderr is not None
    pids = [int(program.stderr.readline()) for _ in range(2)]
    os.killpg(program.pid, signal.SIGINT)
    out, err = program.communicate(timeout=HUNG)
    assert (out, err, program.returncode) == ("stopped\n", "", 0)
    wait_for_end(pids)
