from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from llmnas_mcp.search.members import Member
from llmnas_mcp.search.mining import FEWEST_RESULTS, Effect, mine
from llmnas_mcp.spaces import Genotype, get_space
from tests.thorough import examples

Array = NDArray[np.float64]
SPACE = get_space("nasbench201")
ONE = {"0->3": "nor_conv_3x3"}
PAIR = {"0->1": "skip_connect", "2->3": "avg_pool_3x3"}


def shows(cell: Genotype, pattern: dict[str, str]) -> bool:
    return all(SPACE.words[0][cell[SPACE.positions.index(p)]] == op for p, op in pattern.items())


def simulate(
    effect_of: Callable[[Genotype], float], *, count: int, seed: int, noise: float = 0.02, unit: float = 1
) -> list[Member]:
    """Results of cells drawn at random, whose score is what `effect_of` says and noise."""
    rng = np.random.default_rng(seed)
    cells = list(map(tuple, SPACE.sample(count, rng).tolist()))
    values = [unit * (0.5 + effect_of(cell) + noise * float(rng.standard_normal())) for cell in cells]
    return [
        Member(SPACE.format(cell), cell, 0, 1, value, (value,), 1, "test", ("test",))
        for cell, value in zip(cells, values, strict=True)
    ]


def mined(members: Sequence[Member], target: str, most: int) -> list[Effect]:
    """The effects on a target: the score, or the one cost that there is."""
    values = [m.score if target == "score" else m.costs[0] for m in members]
    return mine(SPACE, members, values, target, most)  # type: ignore[arg-type]


def planted(pattern: dict[str, str], size: float) -> Callable[[Genotype], float]:
    return lambda cell: size * shows(cell, pattern)


def effects_of_everything(rng: np.random.Generator, pair_size: float) -> tuple[Array, Array]:
    """An effect of every choice, and one of every pair that its parts do not tell: they sum to zero over each part."""
    singles, pairs = rng.normal(scale=0.05, size=(6, 5)), pair_size * rng.standard_normal((6, 5, 6, 5))
    pairs -= pairs.mean(1, keepdims=True)
    return singles - singles.mean(1, keepdims=True), pairs - pairs.mean(3, keepdims=True)


def find(effects: list[Effect], pattern: dict[str, str]) -> Effect:
    return next(effect for effect in effects if effect.pattern == pattern)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [0.2, -0.2])
@pytest.mark.parametrize("target", ["score", "cost"])
def test_the_effect_of_an_operation_on_an_edge_is_found_first_with_its_sign(
    seed: int, size: float, target: str
) -> None:
    strongest = mined(simulate(planted(ONE, size), count=60, seed=seed), target, 30)[0]
    assert strongest.pattern == ONE
    assert strongest.effect * size > 0
    assert strongest.confidence > 0.99


@pytest.mark.thorough
@pytest.mark.parametrize("size", [0.2, -0.2])
def test_the_interval_of_a_lone_effect_holds_the_truth(size: float) -> None:
    held = []
    for seed in range(20):
        members = simulate(planted(ONE, size), count=200, seed=seed)
        effect = find(mined(members, "score", 30), ONE)
        # Against the average, which has the effect in it as often as the pattern occurs.
        truth = size * (1 - effect.support / len(members))
        held.append(effect.low <= truth <= effect.high)
    assert sum(held) >= 19


@pytest.mark.parametrize("count", [20, 60])
@pytest.mark.parametrize("pair_size", [0, 0.03, 0.1])
def test_where_every_choice_matters_nine_in_ten_intervals_hold_the_truth(count: int, pair_size: float) -> None:
    held = []
    for seed in range(10):
        singles, pairs = effects_of_everything(np.random.default_rng(seed), pair_size)

        def total(cell: Genotype, singles: Array = singles, pairs: Array = pairs) -> float:
            single = sum(singles[i, cell[i]] for i in range(6))
            return float(single + sum(pairs[i, cell[i], j, cell[j]] for i in range(6) for j in range(i)))

        for e in mined(simulate(total, count=count, seed=seed), "score", 15):
            at = sorted((SPACE.positions.index(p), SPACE.words[0].index(op)) for p, op in e.pattern.items())
            truth = singles[at[0]] if len(at) == 1 else pairs[(*at[1], *at[0])]
            held.append(e.low <= truth <= e.high)
    assert len(held) == 150
    assert np.mean(held) >= 0.9


@pytest.mark.parametrize("size", [0.3, -0.3])
def test_the_effect_of_a_pair_is_found_with_its_sign(size: float) -> None:
    for seed in range(5):
        effects = mined(simulate(planted(PAIR, size), count=200, seed=seed), "score", 30)
        pairs = [effect for effect in effects if len(effect.pattern) == 2]
        assert pairs[0].pattern == PAIR
        assert pairs[0].effect * size > 0
        assert pairs[0].confidence > 0.99


def test_noise_alone_makes_no_sure_rules() -> None:
    effects = [e for seed in range(10) for e in mined(simulate(lambda _: 0, count=60, seed=seed), "score", 30)]
    assert sum(e.low <= 0 <= e.high for e in effects) >= 0.95 * len(effects)


def test_under_noise_a_sure_sign_is_mostly_right_and_an_unsure_one_less_often() -> None:
    rng = np.random.default_rng(0)
    right: dict[bool, list[bool]] = {True: [], False: []}
    for seed in range(20):
        truth = rng.normal(scale=0.1, size=(6, 5))
        truth -= truth.mean(1, keepdims=True)
        members = simulate(
            lambda cell, t=truth: sum(t[i, op] for i, op in enumerate(cell)), count=50, seed=seed, noise=0.2
        )
        for e in mined(members, "score", 1000):
            if len(e.pattern) == 1:
                ((position, operation),) = e.pattern.items()
                true = truth[SPACE.positions.index(position), SPACE.words[0].index(operation)]
                right[e.confidence > 0.9].append(e.effect * true > 0)
    assert np.mean(right[True]) > 0.9
    assert np.mean(right[True]) > np.mean(right[False]) > 0.5


@pytest.mark.parametrize("count", range(FEWEST_RESULTS))
def test_too_few_results_tell_nothing(count: int) -> None:
    assert mined(simulate(planted(ONE, 1), count=count, seed=0), "score", 30) == []


def test_results_that_are_all_alike_tell_nothing() -> None:
    assert mined(simulate(lambda _: 0, count=30, seed=0, noise=0), "score", 30) == []


def test_few_results_make_weaker_effects_than_many() -> None:
    found = [mined(simulate(planted(ONE, 0.2), count=n, seed=1), "score", 1)[0] for n in (8, 200)]
    width = [e.high - e.low for e in found]
    assert width[0] > width[1]


@settings(max_examples=examples(50))
@given(st.integers(0, 1000), st.integers(FEWEST_RESULTS, 40), st.integers(1, 50))
def test_every_effect_is_consistent_in_itself(seed: int, count: int, most: int) -> None:
    members = simulate(planted(ONE, 0.1), count=count, seed=seed)
    effects = mined(members, "score", most)
    assert len(effects) <= most
    sizes = [abs(e.effect) for e in effects]
    assert sizes == sorted(sizes, reverse=True)
    for e in effects:
        shown = [m.architecture for m in members if shows(m.genotype, e.pattern)]
        assert e.low <= e.effect <= e.high
        assert 0.5 <= e.confidence <= 1
        assert len(e.pattern) in (1, 2)
        assert e.support == len(shown)
        assert 0 < e.support < count
        assert list(e.evidence) == shown[:3]


@settings(max_examples=examples(25))
@given(st.integers(0, 1000))
def test_effects_are_in_the_unit_of_the_target_and_no_matter_in_which_order_the_results_came(seed: int) -> None:
    members = simulate(planted(ONE, 0.1), count=20, seed=seed)
    larger = simulate(planted(ONE, 0.1), count=20, seed=seed, unit=1000)[::-1]
    small = {str(sorted(e.pattern.items())): e for e in mined(members, "cost", 1000)}
    large = {str(sorted(e.pattern.items())): e for e in mined(larger, "cost", 1000)}
    assert small.keys() == large.keys()
    for pattern, e in small.items():
        assert large[pattern].effect == pytest.approx(1000 * e.effect, rel=1e-6, abs=1e-9)
        assert large[pattern].low == pytest.approx(1000 * e.low, rel=1e-6, abs=1e-9)
