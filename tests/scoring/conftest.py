"""Live scores in these tests are of tiny inputs: more than one thread only gets in the way."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)
