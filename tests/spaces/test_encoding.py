from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmnas_mcp.errors import ArchitectureError
from llmnas_mcp.spaces import Genotype, Space
from llmnas_mcp.spaces.nasbench201.encoding import (
    EXAMPLE,
    OPERATIONS,
    POSITIONS,
    format_cell,
    from_operations,
    operations_of,
    parse_cell,
    short_cell,
)

CELLS = st.tuples(*[st.integers(0, 4)] * 6)
WORD = f"(?:{'|'.join(OPERATIONS)})"
# What a cell is made of, from left to right, as patterns, and something valid for each.
TOKENS = ["|", WORD, "~0|+|", WORD, "~0|", WORD, "~1|+|", WORD, "~0|", WORD, "~1|", WORD, "~2|"]
PATTERNS = [token if token is WORD else re.escape(token) for token in TOKENS]
VALID = ["none" if token is WORD else token for token in TOKENS]


@st.composite
def damaged_cells(draw: st.DrawFn) -> str:
    """A valid string with one stretch replaced by something else."""
    text = format_cell(draw(CELLS))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 16)))
    other = draw(st.one_of(st.text("|~+012_ nor", max_size=6), st.text(max_size=4), st.sampled_from(OPERATIONS)))
    return text[:start] + other + text[end:]


def test_every_cell_is_read_as_it_was_written(space: Space, cells: list[Genotype]) -> None:
    texts = [space.format(cell) for cell in cells]
    assert len(set(texts)) == 15_625
    assert [space.parse(text) for text in texts] == cells


def test_every_cell_is_read_in_short_as_it_was_written(space: Space, cells: list[Genotype]) -> None:
    texts = [space.short(cell) for cell in cells]
    assert len(set(texts)) == 15_625
    assert [space.parse(text) for text in texts] == cells


def test_every_cell_is_made_again_from_its_operations(cells: list[Genotype]) -> None:
    assert [from_operations(operations_of(cell)) for cell in cells] == cells


@given(CELLS)
def test_the_string_names_the_operations_edge_by_edge(cell: Genotype) -> None:
    found = re.findall(r"(\w+)~(\d)", format_cell(cell))
    assert tuple(word for word, _ in found) == operations_of(cell)
    entered = (1, 2, 2, 3, 3, 3)
    assert tuple(f"{source}->{to}" for (_, source), to in zip(found, entered, strict=True)) == POSITIONS


@given(st.one_of(st.text(max_size=200), damaged_cells()))
@example("")
@example("3n3sn1")
@example("3n3sn")
@example(EXAMPLE + "\n")
@example(" " + EXAMPLE)
@example(EXAMPLE + EXAMPLE)
@example(EXAMPLE.upper())
@example("\0" * 5000)
def test_a_text_is_read_exactly_or_refused_with_position_operations_and_a_valid_example(text: str) -> None:
    try:
        cell = parse_cell(text)
    except ArchitectureError as error:
        message = str(error)
        found = re.search(r"at character (\d+)", message)
        assert found
        before = text[: int(found[1])]
        assert len(before) == int(found[1])
        # What stands before the position is right: it can be completed to a cell, in one way of cutting it.
        if "the short form has" in message:
            parse_cell(before + "3n3sn1"[len(before) :])
        else:
            done = [k for k in range(len(TOKENS) + 1) if re.fullmatch("".join(PATTERNS[:k]), before)]
            assert len(done) == 1
            parse_cell(before + "".join(VALID[done[0] :]))
        assert set(OPERATIONS) <= set(re.findall(r"\w+", message.split("Allowed operations:")[1].split("\n")[0]))
        valid, short = message.rsplit("A valid cell: ", 1)[1].split(", in short ")
        assert parse_cell(valid) == parse_cell(short)
        assert len(message) < 2000
    else:
        assert text in (format_cell(cell), short_cell(cell))


@pytest.mark.parametrize(
    ("text", "at", "problem"),
    [
        ("", 0, "expected '|'"),
        ("3n3sn9", 5, "the short form has 6 letters, each one of n s 1 3 p"),
        ("3n3", 3, "the short form has 6 letters"),
        ("3n3sn11", 6, "the short form has 6 letters"),
        (EXAMPLE[1:], 0, "expected '|'"),
        (EXAMPLE.replace("nor_conv_3x3~0", "conv_3x3~0"), 1, "edge 0->1 has no operation 'conv_3x3'"),
        (EXAMPLE.replace("none~1", "~1"), EXAMPLE.index("none~1"), "edge 1->3 has no operation ''"),
        (EXAMPLE.replace("~2|", "~3|"), EXAMPLE.index("~2|"), "expected '~2|'"),
        (EXAMPLE.replace("+", "", 1), EXAMPLE.index("~0|+|"), "expected '~0|+|'"),
        (EXAMPLE + " ", len(EXAMPLE), "expected the end"),
        (EXAMPLE[:-1], len(EXAMPLE) - 3, "expected '~2|'"),
    ],
)
def test_the_first_wrong_character_is_found(text: str, at: int, problem: str) -> None:
    with pytest.raises(ArchitectureError, match=re.escape(f"at character {at}, {problem}")):
        parse_cell(text)


@pytest.mark.parametrize("operations", [(), ("none",) * 5, ("none",) * 7])
def test_a_wrong_number_of_operations_is_refused_with_the_edges(operations: tuple[str, ...]) -> None:
    with pytest.raises(ArchitectureError, match=f"6 operations .*0->1.*2->3.*not {len(operations)}"):
        from_operations(operations)


@given(st.integers(0, 5), st.text(max_size=300).filter(lambda word: word not in OPERATIONS))
def test_an_unknown_operation_is_refused_with_its_edge_and_the_allowed_ones(at: int, word: str) -> None:
    operations = tuple(word if i == at else "none" for i in range(6))
    with pytest.raises(ArchitectureError) as caught:
        from_operations(operations)
    assert f"Edge {POSITIONS[at]} has no operation" in str(caught.value)
    assert str(caught.value).endswith(f"Allowed: {', '.join(OPERATIONS)}.")
