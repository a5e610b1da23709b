"""Which GPU trains which network. That torch trains on one is not tried here: the GPUs are made up."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
import torch

from llmnas_mcp.images import load_images
from llmnas_mcp.jobs import Job, Processes
from llmnas_mcp.spaces.registry import load_space
from llmnas_mcp.training import Ask, Campaign, Rung, recipe_for
from llmnas_mcp.training.campaign import gpus_seen
from tests.jobs import chores
from tests.spaces.own import TINYNET
from tests.training.conftest import NETWORKS


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def ask() -> Ask:
    space, images = load_space(TINYNET), load_images("digits", Path("none"))
    genotypes = [space.canonical(space.parse(name)) for name in NETWORKS]
    return Ask(space, genotypes, images, recipe_for(space, images), [Rung(len(genotypes), 1)], 0)


@pytest.mark.usefixtures("two_gpus")
def test_networks_are_trained_by_a_process_a_gpu_whichever_is_free(tmp_path: Path) -> None:
    with Campaign(ask(), tmp_path) as campaign:
        assert {course.device for course in campaign.courses} == {"cuda"}
        assert campaign._engine.size == 2
        works = [Job(chores.meet, (str(tmp_path / "met"), 2))] * 2
        assert sorted(gpu for _, gpu in campaign._engine.run(works)) == ["0", "1"]


@pytest.mark.usefixtures("two_gpus")
def test_of_gpus_that_are_not_all_to_be_used_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5a,-1,7")
    assert gpus_seen() == ["3", "GPU-5a"]


def test_without_a_gpu_networks_are_trained_on_the_cores(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with Campaign(ask(), tmp_path) as campaign:
        assert {course.device for course in campaign.courses} == {"cpu"}


def test_a_process_that_died_is_followed_by_one_with_the_same_gpu(tmp_path: Path) -> None:
    with closing(Processes(each=[{"CUDA_VISIBLE_DEVICES": gpu} for gpu in ("3", "5")])) as engine:
        for turn in range(2):
            works = [Job(chores.meet, (str(tmp_path / str(turn)), 2))] * 2
            assert sorted(gpu for _, gpu in engine.run(works)) == ["3", "5"]
            list(engine.run([Job(chores.die)]))
