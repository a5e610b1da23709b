from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from llmnas_mcp.search.members import Member
from llmnas_mcp.search.predicting import LEAST_ERROR, Guide, effects, predict
from llmnas_mcp.spaces import Genotype, Space

CONV = {"0->1": "nor_conv_3x3"}


def member(space: Space, genotype: Genotype, score: float) -> Member:
    return Member(space.format(genotype), genotype, 0, 1, score, (1.0,), 1, "computed", ("computed",))


def alike(genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
    """Sizes, all the same, as those of `member`."""
    return np.ones((len(genotypes), 2))


def at_first_edges(space: Space, operations: Genotype) -> Genotype:
    rest = space.parse(space.example)[len(operations) :]
    return (*operations, *rest)


@pytest.fixture
def members(space: Space) -> list[Member]:
    """All choices at the first two edges; the score follows the first, but for one architecture that is better."""
    cells = [at_first_edges(space, pair) for pair in product(range(5), repeat=2)]
    return [member(space, cell, 0.1 * cell[0] + 0.3 * (cell[:2] == (2, 2))) for cell in cells]


def test_a_rule_counts_for_every_architecture_that_shows_its_pattern(space: Space) -> None:
    cells = [at_first_edges(space, (operation,)) for operation in range(5)]
    shows = [space.words[0][cell[0]] == CONV["0->1"] for cell in cells]
    assert sum(shows) == 1
    assert effects(space, cells, [Guide(CONV, 0.2), Guide(CONV, 0.1)]) == pytest.approx(0.3 * np.array(shows))
    assert effects(space, cells, []).tolist() == [0.0] * 5


def test_rules_that_explain_the_niche_are_what_is_predicted_there(space: Space) -> None:
    cells = [at_first_edges(space, pair) for pair in product(range(5), repeat=2)]
    guides = [Guide(CONV, 0.2)]
    scores = 0.5 + effects(space, cells, guides)
    known = [member(space, cell, score) for cell, score in zip(cells, scores, strict=True)]
    unlike = [(*cell[:2], *((operation + 2) % 5 for operation in cell[2:])) for cell in cells]
    predicted, error = predict(space, unlike, alike(unlike), known, 0, guides)
    assert predicted == pytest.approx(0.5 + effects(space, unlike, guides), abs=0.02)
    assert (error <= LEAST_ERROR).all()


def test_of_a_niche_with_few_members_the_rules_say_nothing_yet(space: Space, members: list[Member]) -> None:
    unlike = [(*m.genotype[:2], *((operation + 2) % 5 for operation in m.genotype[2:])) for m in members]
    few = [*(replace(m, niche=1) for m in members[:-5]), *members[-5:]]
    for niche in (0, 2):
        with_rules, without = (predict(space, unlike, alike(unlike), few, niche, own) for own in ([Guide(CONV, 1)], []))
        assert np.array_equal(with_rules, without)
    assert not np.array_equal(predict(space, unlike, alike(unlike), few, 1, [Guide(CONV, 1)])[0], without[0])


def test_the_like_of_a_good_architecture_is_expected_to_be_good_where_no_rule_says_so(
    space: Space, members: list[Member]
) -> None:
    best = max(members, key=lambda m: m.score).genotype
    beside, far = (*best[:5], (best[5] + 1) % 5), (0, 0, *((operation + 1) % 5 for operation in best[2:]))
    asked = [best, beside, far]
    (at_best, near, away), (no_error, some, most) = predict(space, asked, alike(asked), members, 0, [])
    assert at_best > near > away
    assert no_error < some < most


@pytest.mark.parametrize("by", range(3), ids=["params", "first cost", "second cost"])
def test_where_the_score_follows_the_size_what_is_of_like_size_is_expected_to_score_alike(
    space: Space, members: list[Member], by: int
) -> None:
    asked = np.ones((len(members), 3))
    asked[:, by] = [10 ** (i % 5) for i in range(len(members))]
    known = [
        replace(m, score=0.2 * (i % 5), params=int(sizes[0]), costs=tuple(sizes[1:]))
        for i, (m, sizes) in enumerate(zip(members, asked.tolist(), strict=True))
    ]
    unlike = [(*cell[:2], *((operation + 2) % 5 for operation in cell[2:])) for cell in (m.genotype for m in members)]
    predicted, _ = predict(space, unlike, asked, known, 0, [])
    assert np.corrcoef(predicted, [m.score for m in known])[0, 1] > 0.95


def test_an_architecture_without_parameters_is_predicted_as_any(space: Space, members: list[Member]) -> None:
    known = [replace(m, params=0) for m in members]
    assert np.isfinite(predict(space, [members[0].genotype], np.zeros((1, 2)), known, 0, [])).all()


def test_what_other_niches_found_counts_too(space: Space, members: list[Member]) -> None:
    best = max(members, key=lambda m: m.score)
    elsewhere = [replace(m, niche=int(m != best)) for m in members]
    own = [replace(best, genotype=at_first_edges(space, (0, 0)), score=0.1), *elsewhere]
    asked = [best.genotype]
    plain, bent = (predict(space, asked, alike(asked), known, 0, [])[0][0] for known in (own[:1], own))
    assert bent > plain


def test_a_prediction_does_not_depend_on_the_order_of_what_is_known(space: Space, members: list[Member]) -> None:
    asked = [m.genotype for m in members[::3]]
    one, other = (predict(space, asked, alike(asked), known, 0, []) for known in (members, members[::-1]))
    assert one[0] == pytest.approx(other[0])
    assert one[1] == pytest.approx(other[1], abs=1e-6)
