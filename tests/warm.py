"""The command line, and the server, as processes that need not start from nothing.

To import what a search needs takes seconds, and the tests start our commands hundreds of times. So one process imports
it all, and each command is a fork of it: a process of its own, with its own arguments, environment, pipes and signals.
Commands that build networks are forks of another, which has torch and what exports need: no search may import these.
Where there is no fork, and where Python itself is to start otherwise, a process is begun the usual way.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CLI = "from llmnas_agents.cli import main; main()"
SERVER = "from llmnas_mcp.server.main import main; main()"
FORKS = hasattr(os, "fork") and hasattr(socket, "send_fds")
IMPORTED = """
import llmnas_agents.cli, llmnas_agents.graph, llmnas_agents.runner, llmnas_mcp.server.app
import anthropic, matplotlib.pyplot, moocore, pymoo.algorithms.moo.nsga2, scipy.linalg
"""
# Not onnxruntime: it starts a thread, and who has threads must not fork.
TORCH = "import torch, torch._dynamo, torch.export._trace, torch.onnx._internal.exporter, onnx, sympy"
WITH_TORCH = {"train", "export", "score", "space", "device"}
FORKING = """
from llmnas_mcp.process import prepare
prepare()
%s
import gc; gc.freeze()
from tests.warm import forked
exec(forked())
"""


def started_with(env: Any) -> dict[str, str]:
    """What an interpreter reads of an environment before it runs anything."""
    return {name: value for name, value in env.items() if name.startswith(("PYTHON", "LD_", "OMP_", "OPENBLAS_"))}


AT_START = started_with(os.environ)


class Popen(subprocess.Popen):  # type: ignore[type-arg]
    """A process that runs `program`, code; called as `subprocess.Popen` is, by the arguments of the program."""

    _status: socket.socket | None = None

    def __init__(self, arguments: list[str], program: str = CLI, **options: Any) -> None:
        super().__init__([sys.executable, "-c", program, *arguments], **options)

    def _execute_child(self, args: list[str], *rest: Any) -> None:
        # As subprocess calls it from Python 3.11 to 3.14.
        cwd, env = rest[4:6]
        reads, writes, errors, new_session = rest[9], rest[12], rest[14], rest[20]
        env = dict(os.environ if env is None else env)
        if not FORKS or started_with(env) != AT_START:
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        ours, theirs = socket.socketpair()
        fds = [own if own != -1 else std for std, own in enumerate((reads, writes, errors))]
        socket.send_fds(_server(args[3:4])[0], [b"."], [theirs.fileno(), *fds])
        asked = {
            "program": args[2],
            "argv": args[3:],
            "env": env,
            "cwd": os.fspath(cwd or Path.cwd()),
            "session": new_session,
        }
        ours.sendall(json.dumps(asked).encode() + b"\n")
        theirs.close()
        for own in {reads, writes, errors} - {-1, getattr(self, "_devnull", -1)}:
            if own > 2:
                os.close(own)
        if getattr(self, "_devnull", -1) != -1:
            os.close(self._devnull)
        self._status = ours
        self.pid = int(_line(ours))
        self._child_created = True

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self._status is None:
            return super()._try_wait(wait_flags)  # type: ignore[misc, no-any-return]
        if wait_flags and not select.select([self._status], [], [], 0)[0]:
            return 0, 0
        status = int(_line(self._status))
        self._status.close()
        return self.pid, status

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self._status is None:
            return super()._internal_poll(*_, **__)  # type: ignore[misc, no-any-return]
        if self.returncode is None and self._waitpid_lock.acquire(False):
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode


def run(
    arguments: list[str], *, check: bool = False, timeout: float | None = None, **more: Any
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with output captured as text, by the arguments that follow the program."""
    with Popen(arguments, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    if check and process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args, out, err)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


# What asks for a fork in a process of its own, for who starts processes by a command and nothing else.
LAUNCHER = """
import json, os, signal, socket, sys
ours, theirs = socket.socketpair()
with socket.socket(socket.AF_UNIX) as door:
    door.connect(sys.argv[1])
    socket.send_fds(door, [b"."], [theirs.fileno(), 0, 1, 2])
theirs.close()
env = dict(os.environ)
asked = {"program": sys.argv[2], "argv": sys.argv[3:], "env": env, "session": False, "cwd": os.getcwd()}
ours.sendall(json.dumps(asked).encode() + b"\\n")
lines = ours.makefile()
child = int(lines.readline())
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(child, number))
sys.exit(os.waitstatus_to_exitcode(int(lines.readline())) & 255)
"""


def command(*arguments: str, program: str = CLI) -> list[str]:
    """A command line that runs a program; what stops the process that it starts, stops the program."""
    if not FORKS:
        return [sys.executable, "-c", program, *arguments]
    return [sys.executable, "-I", "-S", "-c", LAUNCHER, str(_server(arguments[:1])[1]), program, *arguments]


def _server(command: Sequence[str]) -> tuple[socket.socket, Path]:
    return _started(IMPORTED + TORCH if WITH_TORCH.intersection(command) else IMPORTED)


@lru_cache
def _started(imported: str) -> tuple[socket.socket, Path]:
    """What takes requests of this process, and a socket that takes those of others."""
    ours, theirs = socket.socketpair()
    door, path = socket.socket(socket.AF_UNIX), Path(tempfile.mkdtemp()) / "door"
    door.bind(str(path))
    door.listen()
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    process = subprocess.Popen(
        [sys.executable, "-c", FORKING % imported, str(theirs.fileno()), str(door.fileno())],
        pass_fds=[theirs.fileno(), door.fileno()],
        start_new_session=True,  # Ctrl-C at the terminal is not meant for it
        env=env,
    )
    theirs.close()
    door.close()
    atexit.register(shutil.rmtree, path.parent)
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours, path


def _line(connection: socket.socket) -> str:
    """The next line; nothing is read beyond it."""
    found = b""
    while not found.endswith(b"\n"):
        if not (byte := connection.recv(1)):
            raise EOFError("the process that forks the command line is gone")
        found += byte
    return found.decode()


# what follows runs in the process that forks -------------------------------------------------------------------------


def forked() -> str:
    """Return in each child, which then is as if it had been started so, the program to run; ends with the tests."""
    channel, door = (socket.socket(fileno=int(fd)) for fd in sys.argv[1:])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        if channel in select.select([channel, door], [], [])[0]:
            message, fds, _, _ = socket.recv_fds(channel, 1, 4)
            if not message:
                os._exit(0)
        else:
            with door.accept()[0] as other:
                _, fds, _, _ = socket.recv_fds(other, 1, 4)
        if os.fork() == 0:
            channel.close()
            door.close()
            return _begun(socket.socket(fileno=fds[0]), fds[1:])
        for fd in fds:
            os.close(fd)


def _begun(connection: socket.socket, fds: list[int]) -> str:
    """Fork the command and return its program in it; the process in between waits for its end and tells it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked = json.loads(_line(connection))
    if child := os.fork():
        for fd in fds:
            os.close(fd)
        os.closerange(0, 3)
        connection.sendall(f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        connection.sendall(f"{status}\n".encode())
        os._exit(0)
    connection.close()
    for standard, fd in enumerate(fds):
        os.dup2(fd, standard)
    for fd in fds:
        if fd > 2:
            os.close(fd)
    if asked["session"]:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv[1:] = asked["argv"]
    sys.path[0] = ""
    return str(asked["program"])
