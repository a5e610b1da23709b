"""SIGKILL at random moments of a training and of a halving: resumed, it ends as if it had not been."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import time
from pathlib import Path

import pytest
import torch

from tests import warm
from tests.agents.conftest import environment
from tests.spaces.own import TINYNET
from tests.training.conftest import NETWORKS, trainings

HALVING = (*NETWORKS, "--epochs", "8")
ONE = (NETWORKS[1], "--epochs", "8")


def start(folder: Path, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
    whole = ["train", *arguments, "--space", TINYNET, "--data", "digits", "--json"]
    pipe = subprocess.PIPE
    return warm.Popen(whole, env=environment(folder), stdout=pipe, stderr=pipe, text=True)


def ended(folder: Path) -> tuple[list[dict[str, object]], dict[str, str]]:
    """What is remembered, and the weights to the last bit."""
    weights = {}
    for path in (folder / "tables" / "training").glob("*.pt"):
        own = torch.load(path, weights_only=True)["state_dict"]
        weights[path.name] = hashlib.sha256(b"".join(t.numpy().tobytes() for t in own.values())).hexdigest()
    return trainings(folder), weights


def check(tmp_path: Path, arguments: tuple[str, ...], kills: int, seed: int) -> None:
    rng = random.Random(seed)
    begun = time.monotonic()
    process = start(tmp_path / "whole", arguments)
    told = json.loads(process.communicate()[0])["results"]
    takes = time.monotonic() - begun
    whole = ended(tmp_path / "whole")
    folder, number = tmp_path / "0", 0
    while True:
        before = trainings(folder)
        with start(folder, arguments) as process:
            try:
                out, err = process.communicate(timeout=rng.uniform(0, takes) if kills > 0 else None)
            except subprocess.TimeoutExpired:
                process.kill()
                kills -= 1
                process.communicate()
                continue
        assert process.returncode == 0, err
        assert [row for row in trainings(folder) if row in before] == before
        assert json.loads(out)["results"] == told
        assert ended(folder) == whole
        assert not list((folder / "tables" / "training").glob("*.partial"))
        if kills <= 0:
            return
        number += 1
        folder = tmp_path / str(number)


@pytest.mark.parametrize(
    "arguments", [pytest.param(ONE, id="one"), pytest.param(HALVING, marks=pytest.mark.thorough, id="halving")]
)
def test_a_training_killed_at_random_moments_ends_as_if_it_had_not_been(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    check(tmp_path, arguments, kills=1, seed=20261130)


@pytest.mark.thorough
@pytest.mark.parametrize("arguments", [ONE, HALVING], ids=["one", "halving"])
def test_a_training_killed_at_ten_random_moments_ends_as_if_it_had_not_been(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    check(tmp_path, arguments, kills=10, seed=20261201)
