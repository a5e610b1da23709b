"""Live scores in these tests are of tiny inputs: more than one thread only gets in the way."""

from __future__ import annotations

import pytest
import torch

from llmnas_mcp import jobs


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured in this process, where tests can look on; test_workers.py has the others."""
    monkeypatch.setattr(jobs, "shared", lambda: jobs.Processes(1))
