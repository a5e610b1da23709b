from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "LLMNAS_STORE": f"sqlite:///{folder}/llmnas.db", "LLMNAS_DATA": str(folder / "tables")}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from llmnas_agents.cli import main; main()", *arguments]


@pytest.fixture
def llmnas(tmp_path: Path) -> Run:
    """Runs the command line as a process, with a store of the test's own."""

    def run(*arguments: str, check: bool = True, folder: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*arguments), env=environment(folder), capture_output=True, text=True, check=False, timeout=300
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return run


def parsed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(done.stdout)


def timeless(front: dict[str, Any]) -> dict[str, Any]:
    """A front.json without its times, which alone may differ between runs of one seed."""
    return {key: value for key, value in front.items() if key != "wall_s"}
