"""What a network is scored by follows from what it works on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

from llmnas_mcp.scoring import form_of, score_of
from llmnas_mcp.scoring.forms import FEATURE_MAPS, TOKENS
from llmnas_mcp.spaces import DATASETS, Dataset, Space, get_space
from llmnas_mcp.spaces.reference import reference_of


class Mixers(Space):
    """Perceptrons on patches of 4 x 4 pixels"""

    name = "mixers"
    choices = {"depth": (1, 2), "width": (16, 24)}  # noqa: RUF012 - as a user writes it

    def build(self, chosen: Mapping[str, Any], dataset: Dataset) -> Any:
        """A convolution that embeds patches, then linear layers on tokens, their mean, and a classifier."""
        from torch import nn

        width = chosen["width"]

        class Mixer(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.patches = nn.Conv2d(dataset.channels, width, 4, stride=4)
                self.layers = nn.Sequential(*(nn.Sequential(nn.Linear(width, width), nn.GELU()) for _ in range(4)))
                self.classifier = nn.Linear(width, dataset.classes)

            def forward(self, x: Any) -> Any:
                return self.classifier(self.layers(self.patches(x).flatten(2).mT).mean(1))

        return Mixer()


@pytest.mark.parametrize("name", ["autoformer-tiny", "autoformer-small", "autoformer-base"])
def test_a_transformer_is_scored_by_what_is_counted_and_nothing_is_measured(name: str, tmp_path: Path) -> None:
    space, dataset = get_space(name), DATASETS["imagenet"]
    assert form_of(space, dataset) is TOKENS
    genotypes = space.sample(50, np.random.default_rng(0))
    scores = score_of(space, genotypes, dataset=dataset, data=tmp_path)
    assert set(scores.sources) == {"computed"}
    assert list(tmp_path.iterdir()) == []
    params, macs = scores.proxies["params"], scores.proxies["macs"]
    assert params.tolist() == space.params(genotypes, dataset).tolist()
    # Whoever has more of both scores no less.
    for one, other in zip(range(49), range(1, 50), strict=True):
        if params[one] >= params[other] and macs[one] >= macs[other]:
            assert scores.score[one] >= scores.score[other]


def test_the_score_of_a_transformer_is_its_log_rank_sum_in_the_reference(tmp_path: Path) -> None:
    space, dataset = get_space("autoformer-small"), DATASETS["imagenet"]
    reference = reference_of(space, dataset)
    drawn = np.repeat(reference.genotypes, reference.weights, axis=0)
    sums = sum(np.log((rankdata(count(drawn, dataset)) - 0.5) / len(drawn)) for count in (space.params, space.macs))
    found = score_of(space, drawn, dataset=dataset, data=tmp_path).score
    np.testing.assert_allclose(found, (rankdata(sums) - 0.5) / len(drawn))


@pytest.mark.parametrize("name", ["nasbench201", "fbnet"])
def test_a_convolutional_network_is_scored_by_four_sides_of_it(name: str) -> None:
    space = get_space(name)
    assert form_of(space, DATASETS["cifar100"]) is FEATURE_MAPS


def test_what_a_space_of_ones_own_works_on_is_looked_at() -> None:
    assert form_of(Mixers(), DATASETS["cifar10"]) is TOKENS


def test_proxies_are_measured_of_transformers_where_they_are_asked_for(tmp_path: Path) -> None:
    space = Mixers()
    scores = score_of(space, [(0, 0)], dataset=DATASETS["cifar10"], data=tmp_path, proxies=["params", "swap", "dss"])
    assert scores.proxies["swap"][0] > 0
    assert np.isnan(scores.proxies["dss"][0])
    assert "no attention" in scores.left_out["dss"]
