"""Inherited accuracies of AutoFormer's networks: the shipped models against what was published, and what judges say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from llmnas_mcp.benchmarks import Judge, accuracy_of
from llmnas_mcp.benchmarks.inherited import BEYOND, SOURCE, fits, predict
from llmnas_mcp.devices.predictor import held_out
from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import get_space

NOWHERE = Path("no tables")
FILES = {"autoformer-tiny": "tiny_1000", "autoformer-small": "small_700", "autoformer-base": "base_1000"}
BARS = {"autoformer-tiny": 0.96, "autoformer-small": 0.97, "autoformer-base": 0.85}


@pytest.mark.parametrize("name", FILES)
def test_what_was_held_out_is_ranked_and_hit_as_the_model_says_of_itself(measured: Path, name: str) -> None:
    space = get_space(name)
    rows = json.loads((measured / f"autoformer_{FILES[name]}.json").read_text())
    out = held_out(len(rows), seed=0, fraction=0.2)
    kept = [row for row, is_out in zip(rows, out, strict=True) if is_out]
    truth = np.array([row["imagenet1k_top1"] for row in kept])
    found = predict(space, [space.parse(json.dumps(row)) for row in kept], "imagenet")
    fit = fits(space)["imagenet"]
    assert fit.held_out == len(kept)
    assert fit.error == pytest.approx(np.abs(found - truth).mean(), abs=1e-4)
    assert fit.spearman == pytest.approx(spearmanr(found, truth)[0], abs=1e-3)
    assert fit.error < 0.05
    assert fit.spearman > BARS[name]


def test_layers_that_there_are_not_make_no_difference() -> None:
    space = get_space("autoformer-base")
    genotype = (0, 1) + (0, 1) * 16
    other = (0, 1) + (0, 1) * 14 + (1, 2) * 2
    assert predict(space, [genotype], "imagenet") == predict(space, [other], "imagenet")


def test_beyond_what_was_published_an_estimate_says_so_and_has_no_error() -> None:
    space = get_space("autoformer-tiny")
    found = accuracy_of(space, [(0, 0) + (0, 0) * 14, (0, 2) + (0, 0) * 14], dataset="imagenet", data=NOWHERE)
    assert found.sources == (SOURCE, BEYOND)
    assert np.isnan(found.errors).tolist() == [False, True]
    assert 70 < found.values.min() <= found.values.max() < 80


def test_no_accuracy_is_known_on_another_dataset() -> None:
    with pytest.raises(DataError, match=r"No accuracy of autoformer-tiny .* 'cifar10'.*imagenet"):
        accuracy_of(get_space("autoformer-tiny"), [(0, 0) + (0, 0) * 14], dataset="cifar10", data=NOWHERE)


def test_the_judge_of_a_space_that_nobody_lists_knows_a_front_that_random_networks_do_not_beat() -> None:
    space = get_space("autoformer-small")
    judge = Judge.of(space, "imagenet", None, ["macs"], NOWHERE)
    assert not judge.complete
    assert judge.estimated
    assert judge.grade == "inherited"
    assert judge.source == f"{SOURCE}, computed"
    drawn = space.sample(2000, np.random.default_rng(1))
    verdict = judge.verdict(drawn)
    assert 0.5 < verdict.share < 1
    best = judge.verdict([space.parse(architecture) for architecture, _, _ in judge.front])
    assert best.share == pytest.approx(1)
    assert best.igd == 0
    for accuracy, macs in judge.values(drawn).tolist():
        assert any(a >= accuracy - 0.05 and cost <= macs * 1.01 for _, a, (cost,) in judge.front)


def test_a_judge_with_two_costs_and_a_limit_counts_only_what_is_within() -> None:
    space = get_space("autoformer-tiny")
    judge = Judge.of(space, "imagenet", None, ["macs", "params"], NOWHERE, {"params": 6.5})
    assert all(params <= 6.5 for _, _, (_, params) in judge.front)
    large = (2, 2) + (1, 1) * 14
    assert judge.verdict([large]).share == 0
