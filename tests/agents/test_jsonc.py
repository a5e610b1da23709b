"""Texts with comments, changed in one place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmnas_agents.jsonc import loads, put

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=5), VALUES, max_size=4), st.text(max_size=5), VALUES, st.sampled_from([None, 1, 4])
)
def test_what_was_put_is_read_and_the_rest_is_as_it_was(
    there: dict[str, Any], key: str, value: Any, indent: int | None
) -> None:
    text = json.dumps(there, indent=indent)
    assert loads(put(text, (key,), value)) == {**there, key: value}
    inside = {"servers": there, "z": 1}
    assert loads(put(json.dumps(inside, indent=indent), ("servers", key), value)) == {
        "servers": {**there, key: value},
        "z": 1,
    }


COMMENTED = """\
// of the whole "file": {
{
\t/* "servers": {} */
\t"servers": {
\t\t"mine": {"url": "https://example.org/a//b"}, // not a comment inside the text
\t\t// the last
\t},
\t"inputs": [1, 2,],
}
"""


def test_every_comment_comma_and_space_stays_where_it_was() -> None:
    new = put(COMMENTED, ("servers", "ours"), {"command": "x"})
    added = '\t\t"ours": {\n\t\t\t"command": "x"\n\t\t}\n'
    assert added in new
    assert new.replace(added, "") == COMMENTED
    assert loads(new)["servers"]["ours"] == {"command": "x"}
    changed = put(new, ("servers", "ours", "command"), "y")
    assert changed == new.replace('"x"', '"y"')


@pytest.mark.parametrize(
    "text", ["{}", "{ }", "{\n}\n", "{/* a */}", "{ // a\n}", '{"a": 1}', '{"a": 1,}', '{"a": 1 // b\n}']
)
def test_any_object_can_be_added_to(text: str) -> None:
    assert loads(put(text, ("b", "c"), 2)) == {**loads(text), "b": {"c": 2}}


def test_lines_end_as_they_did() -> None:
    new = put('{\r\n  "a": 1\r\n}\r\n', ("b",), {"c": 2})
    assert new.count("\n") == new.count("\r\n") == 6


def test_a_mistake_is_told_with_its_own_line() -> None:
    with pytest.raises(json.JSONDecodeError, match="line 3 column 5"):
        loads('{ // one\n"a": 1, /* two */\n"b" 2}')
