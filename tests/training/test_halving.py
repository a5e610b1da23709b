from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp.errors import LabError
from llmnas_mcp.training import Rung, cost, plan


@given(st.integers(1, 100), st.integers(1, 300))
def test_a_plan_begins_with_all_ends_with_the_whole_schedule_and_keeps_to_half_of_all(count: int, epochs: int) -> None:
    rungs = plan(count, epochs)
    assert rungs[0].networks == count
    assert rungs[-1].epochs == epochs
    for one, other in pairwise(rungs):
        assert one.epochs < other.epochs
        assert 1 <= other.networks <= one.networks
    assert cost(rungs) <= count * epochs


@given(st.integers(2, 60), st.integers(2, 100), st.integers(1, 6000))
def test_a_budget_is_kept_or_refused_with_what_it_takes(count: int, epochs: int, budget: int) -> None:
    try:
        assert cost(plan(count, epochs, budget)) <= budget
    except LabError as error:
        least = int(str(error).split(" at least")[0].split()[-1])
        assert least > budget
        assert cost(plan(count, epochs, least)) <= least


def test_the_usual_plan_takes_half() -> None:
    assert plan(10, 12) == [Rung(10, 3), Rung(5, 6), Rung(2, 12)]
    assert cost(plan(10, 12)) == 57
