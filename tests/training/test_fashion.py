"""Training on 60,000 images, which Debian's package dataset-fashion-mnist installs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agents.conftest import Run, llmnas, parsed
from tests.spaces.own import TINYNET
from tests.training.conftest import NETWORKS

__all__ = ["llmnas"]
FASHION = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.thorough
@pytest.mark.skipif(not FASHION.is_dir(), reason="Fashion-MNIST is not here: apt-get install dataset-fashion-mnist")
def test_a_network_learns_to_tell_clothes_apart(llmnas: Run) -> None:
    added = parsed(llmnas("data", "add", "fashion", str(FASHION), "--json"))
    assert (added["train"], added["test"], added["resolution"], added["channels"]) == (60_000, 10_000, 28, 1)
    asked = ("--space", TINYNET, "--data", "fashion", "--epochs", "1", "--flip")
    found = parsed(llmnas("train", NETWORKS[1], *asked, "--json"))
    assert found["results"][0]["test"] > 60
    assert found["plain"] is None, "logistic regression of so many would take minutes"
