"""The batch that networks are looked at with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp.scoring import inputs

RESOLUTIONS = [8, 16, 32, 64, 224]


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_images_are_of_the_resolution_and_standardised_channel_by_channel(resolution: int) -> None:
    images, _ = inputs.batch(resolution, 10)
    assert images.shape == (inputs.BATCH, 3, resolution, resolution)
    assert images.dtype == torch.float32
    torch.testing.assert_close(images.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(images.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_no_two_images_are_alike_and_none_is_blank(resolution: int) -> None:
    images, _ = inputs.batch(resolution, 10)
    assert (images.flatten(1).std(1) > 0.01).all()
    assert (torch.cdist(images.flatten(1), images.flatten(1)) + torch.eye(len(images)) > 0.1).all()


def test_the_batch_is_the_same_to_the_bit_every_time_whatever_the_random_state() -> None:
    first = [tensor.clone() for tensor in inputs.batch(16, 10)]
    inputs.batch.cache_clear()
    torch.manual_seed(5)
    np.random.seed(5)
    assert all(torch.equal(a, b) for a, b in zip(first, inputs.batch(16, 10), strict=True))


def test_images_do_not_depend_on_the_classes_and_differ_by_resolution() -> None:
    assert torch.equal(inputs.batch(16, 10)[0], inputs.batch(16, 100)[0])
    half = torch.nn.functional.avg_pool2d(inputs.batch(32, 10)[0], 2)
    assert not torch.allclose(inputs.batch(16, 10)[0], half, atol=0.1)


@given(st.integers(1, 1000))
def test_labels_are_classes_there_are_with_at_least_four_images_each(classes: int) -> None:
    _, labels = inputs.batch(8, classes)
    assert labels.shape == (inputs.BATCH,)
    assert labels.dtype == torch.int64
    found, counts = labels.unique(return_counts=True)
    assert found.min() == 0
    assert found.max() < classes
    assert counts.min() >= 4


@pytest.mark.parametrize("classes", [4, 10, 100])
def test_both_halves_of_the_batch_hold_every_class_equally_often(classes: int) -> None:
    _, labels = inputs.batch(8, classes)
    first, second = labels.chunk(2)
    assert first.sort().values.tolist() == second.sort().values.tolist()
