"""Trainings of one network: real ones, on digits."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llmnas_mcp.errors import DataError, LabError
from llmnas_mcp.images import load_images
from llmnas_mcp.spaces import get_space
from llmnas_mcp.spaces.registry import load_space
from llmnas_mcp.training.batches import Batches
from llmnas_mcp.training.recipe import Recipe, recipe_for
from llmnas_mcp.training.training import Course, Training
from tests.spaces.own import TINYNET

DIGITS = load_images("digits", Path("none"))
SPACE = load_space(TINYNET)
GENOTYPE = SPACE.canonical(SPACE.parse("depth=2,width=16,kernel.0=3,kernel.1=3"))


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def course(epochs: int = 3, seed: int = 0, **more: Any) -> Course:
    recipe = recipe_for(SPACE, DIGITS)
    return Course(SPACE, GENOTYPE, DIGITS, Recipe(**{**vars(recipe), **more}), epochs, seed)


def training(folder: Path, its: Course | None = None) -> Training:
    own = its or course()
    return Training(own, Batches(own.images, own.recipe, own.seed, torch.device("cpu")), folder)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_network_learns_to_tell_digits_apart(tmp_path: Path) -> None:
    its = training(tmp_path, course(epochs=6))
    assert its.accuracy(its.batches.valid) < 50
    its.until(6)
    assert its.accuracy(its.batches.test) > 85


def test_a_training_that_stops_at_any_step_ends_to_the_last_bit_as_one_that_does_not(tmp_path: Path) -> None:
    whole = training(tmp_path / "whole" if (tmp_path / "whole").mkdir() is None else tmp_path)
    whole.until(3)
    (other := tmp_path / "other").mkdir()
    rng, stops = random.Random(7), 0
    while True:
        its = training(other)
        for _ in range(rng.randint(1, 17)):
            if its.step == its.total:
                break
            its.take()
        its.save()
        stops += 1
        if its.step == its.total:
            break
    assert stops > 3
    assert same(its.ema, whole.ema)
    assert same(its.network.state_dict(), whole.network.state_dict())


def test_one_seed_is_one_result_and_another_seed_another(tmp_path: Path) -> None:
    found = []
    for i, seed in enumerate((1, 1, 2)):
        (folder := tmp_path / str(i)).mkdir()
        its = training(folder, course(epochs=1, seed=seed))
        its.until(1)
        found.append(its.ema)
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def test_images_held_out_are_no_part_of_any_batch_and_are_the_same_for_every_network(tmp_path: Path) -> None:
    one, other = (training(tmp_path, course(seed=seed)).batches for seed in (0, 5))
    assert torch.equal(one.valid.x, other.valid.x)
    assert len(one.valid) + len(one.train) == len(DIGITS.train_y)
    assert set(np.bincount(one.valid.y.numpy())) <= {14, 15}
    seen = {image.numpy().tobytes() for image in one.train.x}
    apart = [image for image in one.valid.x if image.numpy().tobytes() not in seen]
    assert len(apart) == len(one.valid)


def test_every_image_is_seen_once_an_epoch_but_for_those_left_over() -> None:
    recipe = Recipe(**{**vars(recipe_for(SPACE, DIGITS)), "crop": 0, "flip": False})
    batches = Batches(DIGITS, recipe, 0, torch.device("cpu"))
    seen = torch.cat([batches.batch(step)[0] for step in range(batches.steps)])
    assert len(torch.unique(seen, dim=0)) == batches.steps * recipe.batch
    assert len(batches.train) - len(seen) < recipe.batch


def test_crops_move_images_and_flips_mirror_them() -> None:
    still = Batches(DIGITS, Recipe(**{**vars(recipe_for(SPACE, DIGITS)), "crop": 0}), 0, torch.device("cpu"))
    plain = {tuple(image.flatten().tolist()) for image in still.batch(3)[0]}
    moved = Batches(DIGITS, recipe_for(SPACE, DIGITS, flip=True), 0, torch.device("cpu"))
    both = [tuple(image.flatten().tolist()) for image in moved.batch(3)[0]]
    assert 0 < sum(image in plain for image in both) < len(both)


def test_a_training_that_breaks_says_so(tmp_path: Path) -> None:
    its = training(tmp_path, course(rate=1e30, clip=1e30))
    with pytest.raises(LabError, match="can't be trained: its loss is no number"):
        its.until(3)


def test_a_damaged_file_of_a_training_is_told_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / f"{course().key}.resume").write_bytes(b"half a file")
    with pytest.raises(DataError, match=r"is not a whole file of weights: .* Delete it and train again\."):
        training(tmp_path, course())


def test_transformers_are_trained_by_adamw_and_digits_are_not_mirrored() -> None:
    tokens = recipe_for(get_space("autoformer-tiny"), DIGITS)
    maps = recipe_for(get_space("nasbench201"), DIGITS)
    assert (tokens.optimizer, maps.optimizer) == ("adamw", "sgd")
    assert not maps.flip
    assert recipe_for(get_space("nasbench201"), DIGITS, flip=True).flip
