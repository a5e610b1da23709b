"""The notation of spaces that have none of their own."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from llmnas_mcp.errors import LabError
from llmnas_mcp.spaces import Dataset, Space

WORDS = st.one_of(
    st.integers(0, 999),
    st.booleans(),
    st.floats(0, 9, width=16).map(lambda x: round(x, 3)),
    st.from_regex(r"[a-z]{1,6}", fullmatch=True),
)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """A space of any choices: the first position says how many of the others matter."""
    others = draw(st.integers(1, 5))
    numbers = {"depth": tuple(range(1, others + 1))}
    values = st.lists(WORDS, min_size=1, max_size=4, unique_by=(str, lambda x: x))
    given_ = numbers | {f"p.{i}": tuple(draw(values)) for i in range(others)}

    class Drawn(Space):
        name = "drawn"
        choices = given_

        def active(self, chosen: Any) -> list[str]:
            return ["depth", *(f"p.{i}" for i in range(chosen["depth"]))]

        def build(self, chosen: Any, dataset: Dataset) -> nn.Module:
            raise NotImplementedError

    return Drawn()


@given(spaces(), st.data())
def test_what_is_written_is_read_back_in_either_form_and_in_any_order(space: Space, data: st.DataObject) -> None:
    genotype = tuple(data.draw(st.integers(0, len(values) - 1)) for values in space.values)
    stands = space.canonical(genotype)
    assert space.canonical(stands) == stands
    assert space.parse(space.format(genotype)) == stands
    assert space.format(genotype) == space.format(stands)
    assert space.parse(space.short(genotype)) == stands
    pairs = data.draw(st.permutations(space.format(genotype).split(",")))
    assert space.parse(" , ".join(pairs)) == stands
    every = [
        f"{name}={words[choice]}" for name, words, choice in zip(space.positions, space.words, genotype, strict=True)
    ]
    assert space.parse(",".join(data.draw(st.permutations(every)))) == genotype


@given(spaces(), st.text(max_size=60))
def test_what_is_no_architecture_is_a_mistake_that_shows_a_valid_one(space: Space, text: str) -> None:
    try:
        genotype = space.parse(text)
    except LabError as error:
        assert space.example in str(error)  # noqa: PT017 - most texts are none, and some are
    else:
        assert space.parse(space.format(genotype)) == space.canonical(genotype)
