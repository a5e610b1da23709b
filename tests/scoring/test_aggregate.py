"""The log-rank sum."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import rankdata

from llmnas_mcp.scoring import DEFAULT
from llmnas_mcp.scoring.aggregate import Aggregate, Ranking
from llmnas_mcp.scoring.forms import FEATURE_MAPS

values = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30).map(np.array)
finite = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30).map(np.array)

MEMBERS = FEATURE_MAPS.members


@given(values)
def test_rank_fractions_of_a_distribution_itself_are_its_mean_ranks(known: np.ndarray) -> None:
    fractions = Ranking(known, np.ones(len(known), np.int64)).fractions(known)
    np.testing.assert_allclose(fractions, rankdata(known) / len(known))


@given(values, st.data())
def test_a_weight_counts_like_as_many_equal_values(known: np.ndarray, data: st.DataObject) -> None:
    weights = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(known), max_size=len(known))))
    written_out = np.repeat(known, weights)
    np.testing.assert_allclose(
        Ranking(known, weights).fractions(known),
        Ranking(written_out, np.ones(len(written_out), np.int64)).fractions(known),
    )


@given(finite, finite)
@example(np.array([0.0, 1e-300, 1.0]), np.array([2.2e-311, -2.5e-311, 1.0]))
def test_rank_fractions_are_monotone_and_in_range_for_values_never_seen(new: np.ndarray, known: np.ndarray) -> None:
    fractions = Ranking(known, np.ones(len(known), np.int64)).fractions(np.sort(new))
    assert (np.diff(fractions) >= 0).all()
    assert (fractions > 0).all()
    assert (fractions <= 1).all()


@given(finite, st.lists(st.floats(0, 1e6), min_size=1, max_size=30).map(np.array))
def test_beyond_the_ends_of_a_sample_ranks_go_on_monotone_and_between_0_and_1(
    known: np.ndarray, steps: np.ndarray
) -> None:
    spread = float(np.unique(known).std()) or 1.0
    new = np.sort(np.concatenate([known.min() - abs(steps) * spread, known, known.max() + abs(steps) * spread]))
    fractions = Ranking(known, np.ones(len(known), np.int64), sample=True).fractions(new)
    assert (np.diff(fractions) >= 0).all()
    assert (fractions > 0).all()
    assert (fractions <= 1).all()
    ends = Ranking(known, np.ones(len(known), np.int64), sample=True).fractions(np.array([known.min(), known.max()]))
    assert 0 < ends[0] <= ends[1] < 1


def test_the_members_are_among_the_proxies_that_cost_one_pass_each_once() -> None:
    assert len(MEMBERS) == len(set(MEMBERS)) > 2
    assert set(MEMBERS) <= set(DEFAULT)


def test_proxies_that_are_no_members_do_not_change_the_score() -> None:
    rng = np.random.default_rng(0)
    space = {name: rng.standard_normal(50) for name in MEMBERS}
    aggregate = Aggregate(MEMBERS, space, np.ones(50, np.int64))
    np.testing.assert_array_equal(aggregate.scores(space | {"zen": rng.standard_normal(50)}), aggregate.scores(space))


def test_the_score_is_the_rank_of_the_sum_of_log_ranks() -> None:
    rng = np.random.default_rng(0)
    space = {name: rng.standard_normal(200) for name in MEMBERS}
    total = sum(np.log(rankdata(space[name]) / 200) for name in MEMBERS)
    np.testing.assert_allclose(Aggregate(MEMBERS, space, np.ones(200, np.int64)).scores(space), rankdata(total) / 200)


def test_a_better_proxy_never_lowers_the_score() -> None:
    rng = np.random.default_rng(0)
    space = {name: rng.standard_normal(200) for name in MEMBERS}
    for name in MEMBERS:
        better = space | {name: space[name] + 0.1}
        aggregate = Aggregate(MEMBERS, space, np.ones(200, np.int64))
        assert (aggregate.scores(better) >= aggregate.scores(space)).all()
