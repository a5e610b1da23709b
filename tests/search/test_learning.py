"""Accuracies learned from trainings."""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from llmnas_mcp.reports.picks import accuracy_of, advised
from llmnas_mcp.search.learning import LEAST_TRAINED, learn, longest_of
from llmnas_mcp.search.picking import recommend
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import DATASETS, Space
from llmnas_mcp.training import Trained

DATASET = DATASETS["cifar10"]


@pytest.fixture
def search_id(lab: Laboratory, hand: SimpleNamespace) -> str:
    """A search that is over."""
    started = lab.start_search(device="pixel3", evaluations=80).search_id
    hand.play(lab, started)
    return started


def training(architecture: str, valid: float, epochs: int = 3) -> Trained:
    made = {"recipe": {}, "split": {}, "weights": "", "seconds": 1.0, "seed": 0, "test": valid, "digest": "d"}
    return Trained(
        architecture + "k", "nasbench201", architecture, "pets", epochs=epochs, of_epochs=12, valid=valid, **made
    )


def test_what_follows_from_the_choices_is_learned_and_its_error_is_that_of_networks_held_out(space: Space) -> None:
    drawn = np.unique(space.sample(120, np.random.default_rng(0)), axis=0)
    drawn = drawn[np.random.default_rng(1).permutation(len(drawn))]
    truth = 50 + 8 * (drawn == 3).sum(1) + 3 * (drawn[:, 5] == 1) + np.random.default_rng(2).normal(0, 0.5, len(drawn))
    scores = np.random.default_rng(3).random(len(drawn))
    known, rest = slice(0, 60), slice(60, None)
    found, error = learn(space, DATASET, drawn[known], truth[known], scores[known], drawn[rest], scores[rest])
    off = np.abs(found - truth[rest]).mean()
    assert off < 2 < truth.std()
    assert error == pytest.approx(off, rel=0.5)


def test_only_equally_long_trainings_are_compared_and_the_longest_of_enough_networks_are_learned_from() -> None:
    short = [training(str(i), 50.0, epochs=1) for i in range(2 * LEAST_TRAINED)]
    middle = [training(str(i), 60.0, epochs=3) for i in range(LEAST_TRAINED)]
    long = [training(str(i), 70.0, epochs=12) for i in range(LEAST_TRAINED - 1)]
    assert longest_of(short + middle + long) == middle
    assert longest_of(short + long) == short
    assert longest_of(long) == []


def test_a_front_tells_of_each_point_how_its_accuracy_is_known_and_has_a_front_of_the_trained(
    lab: Laboratory, search_id: str
) -> None:
    handle, members = lab.members(search_id)
    front = [m.architecture for m in handle.near_front(members)]
    rest = [m.architecture for m in members if m.architecture not in front]
    long = {name: 70.0 + 7 * i % 20 for i, name in enumerate([*front[:2], *rest[: LEAST_TRAINED - 2]])}
    for name, valid in long.items():
        lab.store.add_training(asdict(training(name, valid, epochs=12)))
    lab.store.add_training(asdict(training(front[2], 99.0, epochs=3)))
    found = advised(lab, search_id)
    told = {point.architecture: point for point in found.front}
    assert [told[name].accuracy for name in front[:2]] == [long[name] for name in front[:2]]
    assert (told[front[2]].accuracy, told[front[2]].grade) == (99.0, "trained")
    assert told[front[2]].accuracy_source == "own training on pets, 3 of 12 epochs"
    for name in front[3:]:
        assert (told[name].grade, told[name].accuracy_source) == ("learned", "from 20 own trainings on pets, 12 epochs")
        assert (told[name].accuracy_error or 0) > 0
    points = {m.architecture: (m.costs[0], long[m.architecture]) for m in members if m.architecture in long}
    best = {
        name
        for name, (cost, accuracy) in points.items()
        if not any(c <= cost and a >= accuracy and (c, a) != (cost, accuracy) for c, a in points.values())
    }
    assert {point.architecture for point in found.trained_front} == best  # the shorter training is no part of it
    costs = [point.cost for point in found.trained_front]
    assert costs == sorted(costs)


def test_before_anything_is_trained_a_front_has_no_accuracies(lab: Laboratory, search_id: str) -> None:
    found = advised(lab, search_id).model_dump()
    assert found["trained_front"] == []
    assert all("accuracy" not in point for point in found["front"])


def test_a_training_that_no_other_can_be_compared_with_is_told_and_chooses_nothing(
    lab: Laboratory, search_id: str
) -> None:
    before = advised(lab, search_id)
    only = before.front[0].architecture
    lab.store.add_training(asdict(training(only, 99.0, epochs=12)))
    after = advised(lab, search_id)
    assert after.picks == before.picks
    assert (after.front[0].accuracy, after.front[0].accuracy_source) == (99.0, "own training on pets, 12 epochs")
    assert after.trained_front == []


def test_twenty_trainings_rank_all_members_anew_and_the_trained_come_first(lab: Laboratory, search_id: str) -> None:
    handle, members = lab.members(search_id)
    macs = handle.space.macs([m.genotype for m in members], DATASET)
    for i in range(LEAST_TRAINED - 1):
        lab.store.add_training(asdict(training(members[i].architecture, float(macs[i] / 1e6))))
    known = accuracy_of(lab.store, handle, members)
    assert {k.grade if k else None for k in known[: LEAST_TRAINED - 1]} == {"trained"}
    assert "learned" not in {k.grade for k in known if k}
    lab.store.add_training(asdict(training(members[LEAST_TRAINED].architecture, float(macs[LEAST_TRAINED] / 1e6))))
    known = accuracy_of(lab.store, handle, members)
    learned = [
        (k.value, k.error, count / 1e6)
        for k, count in zip(known, macs.tolist(), strict=True)
        if k and k.grade == "learned"
    ]
    assert len(learned) == len(members) - LEAST_TRAINED
    values, errors, truth = map(np.array, zip(*learned, strict=True))
    assert np.corrcoef(values, truth)[0, 1] > 0.9
    assert 0 < errors[0] < truth.std()
    assert next(k.source for k in known if k and k.grade == "learned") == "from 20 own trainings on pets, 3 epochs"
    assert recommend(handle, members, known, top=50).picks[0].grade == "trained"
