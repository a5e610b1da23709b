from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.agents.asking import Serve
from tests.agents.stub_anthropic import Request, Script, StubAnthropic
from tests.thorough import HUNG

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "LLMNAS_STORE": f"sqlite:///{folder}/llmnas.db", "LLMNAS_DATA": str(folder / "tables")}


@pytest.fixture
def llmnas(tmp_path: Path) -> Run:
    """Runs the command line as a process, with a store of the test's own."""

    def run(*arguments: str, check: bool = True, folder: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        done = warm.run(list(arguments), env=environment(folder), check=False, timeout=HUNG)
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own counts: no key, no address, no profile."""
    for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("LLMNAS_MODEL", raising=False)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path / "anthropic"))


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterable[Serve]:
    """Starts a server with a script; what is asked from then on goes there."""
    with ExitStack() as stack:

        def start(script: Iterable[Script] | Callable[[Request], Script]) -> StubAnthropic:
            stub = stack.enter_context(StubAnthropic(script))
            for name, value in stub.environment.items():
                monkeypatch.setenv(name, value)
            return stub

        yield start


def parsed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(done.stdout)


def timeless(front: dict[str, Any]) -> dict[str, Any]:
    """A front.json without its times, which alone may differ between runs of one seed."""
    return {key: value for key, value in front.items() if key != "wall_s"}
