from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp.devices.lowering import CODES, lower

CELLS = st.tuples(*[st.integers(0, 4)] * 6)


def test_a_cell_without_none_runs_as_written() -> None:
    assert lower((3, 2, 1, 4, 3, 2)) == ((3, 2, 1, 4, 3, 2), None)


def test_operations_behind_a_node_nothing_reads_do_not_run() -> None:
    assert lower((4, 2, 4, 3, 0, 0)).runs == (0, 0, 0, 3, 0, 0)


def test_a_convolution_multiplied_by_zero_still_runs() -> None:
    assert lower((2, 3, 0, 3, 0, 3)).runs[0] == 5
    assert lower((2, 3, 0, 3, 0, 3)).refused == "a convolution's output is only ever multiplied by zero"


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ((3, 3, 3, 0, 0, 0), "all zeros"),
        ((0, 3, 4, 3, 0, 3), "fed with zeros"),
        ((4, 3, 2, 3, 0, 3), "followed by nothing but a convolution"),
        ((2, 0, 0, 4, 0, 0), "only ever multiplied by zero"),
    ],
)
def test_the_edge_tpu_refuses_with_a_reason(cell: tuple[int, ...], reason: str) -> None:
    assert reason in (lower(cell).refused or "")


def test_zeros_that_are_only_added_are_no_reason() -> None:
    assert lower((0, 3, 1, 3, 1, 3)).refused is None


@given(CELLS)
def test_what_runs_on_an_edge_is_its_operation_or_nothing(cell: tuple[int, ...]) -> None:
    for op, code in zip(cell, lower(cell).runs, strict=True):
        assert code in {0, op, op + 3, op + 5}
        assert 0 <= code < CODES
