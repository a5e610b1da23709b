"""The notation of NAS-Bench-201 cells (Dong and Yang, ICLR 2020).

A cell has four nodes and six edges; node j sums, over i < j, an operation of node i. Its string groups the edges by the
node they enter: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`, where `op~i` is the operation on the edge from node i. In short
it is a letter an edge in that order, `3n3sn1`, which a language model reads as 5 tokens instead of 53.
"""

from __future__ import annotations

import re

from llmnas_mcp.errors import ArchitectureError
from llmnas_mcp.spaces.needed import Genotype

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
LETTERS = "ns13p"  # of OPERATIONS, for the short form
POSITIONS = tuple(f"{i}->{j}" for i, j in EDGES)
EXAMPLE = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"

# The string cut into what must stand verbatim and, between, the six operations.
_LITERALS = ("|", "~0|+|", "~0|", "~1|+|", "~0|", "~1|", "~2|")
_WORD = re.compile(r"[^~|+]*")


def format_cell(genotype: Genotype) -> str:
    """Write a cell in the official notation.

    >>> format_cell((3, 0, 3, 1, 0, 2))
    '|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|'
    """
    words = [OPERATIONS[op] for op in genotype]
    return "".join(part for pair in zip(_LITERALS, [*words, ""], strict=True) for part in pair)


def short_cell(genotype: Genotype) -> str:
    """Write a cell in short: a letter of `none skip 1x1 3x3 pool` for each edge.

    >>> short_cell((3, 0, 3, 1, 0, 2))
    '3n3sn1'
    """
    return "".join(LETTERS[op] for op in genotype)


def parse_cell(architecture: str) -> Genotype:
    """Read a cell, written by `format_cell` or by `short_cell`.

    Raises ArchitectureError that shows the position, what is allowed there and a valid example.

    >>> parse_cell("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|")
    (3, 0, 3, 1, 0, 2)
    >>> parse_cell("3n3sn1")
    (3, 0, 3, 1, 0, 2)
    """
    if len(architecture) == len(EDGES) and set(architecture) <= set(LETTERS):
        return tuple(LETTERS.index(letter) for letter in architecture)
    if architecture.isalnum() and len(architecture) <= 2 * len(EDGES):  # meant as a short form
        shown = architecture[: len(EDGES)]
        at = next((i for i, letter in enumerate(shown) if letter not in LETTERS), len(shown))
        raise _malformed(architecture, at, f"the short form has {len(EDGES)} letters, each one of {' '.join(LETTERS)}")
    at, ops = 0, []
    for edge, literal in enumerate(_LITERALS):
        if not architecture.startswith(literal, at):
            raise _malformed(architecture, at, f"expected {literal!r}")
        at += len(literal)
        if edge == len(EDGES):
            break
        match = _WORD.match(architecture, at)
        word = match.group() if match else ""
        if word not in OPERATIONS:
            raise _malformed(architecture, at, f"edge {POSITIONS[edge]} has no operation {word[:40]!r}")
        ops.append(OPERATIONS.index(word))
        at += len(word)
    if at != len(architecture):
        raise _malformed(architecture, at, "expected the end")
    return tuple(ops)


def operations_of(genotype: Genotype) -> tuple[str, ...]:
    """The operations by edge, in the order of POSITIONS.

    >>> operations_of((3, 0, 3, 1, 0, 2))
    ('nor_conv_3x3', 'none', 'nor_conv_3x3', 'skip_connect', 'none', 'nor_conv_1x1')
    """
    return tuple(OPERATIONS[op] for op in genotype)


def from_operations(operations: tuple[str, ...]) -> Genotype:
    """The genotype of an operation tuple: the inverse of `operations_of`.

    Raises ArchitectureError that names the edge.

    >>> from_operations(("none", "none", "none", "skip_connect", "none", "none"))
    (0, 0, 0, 1, 0, 0)
    """
    if len(operations) != len(EDGES):
        raise ArchitectureError(
            f"A cell has {len(EDGES)} operations (edges {', '.join(POSITIONS)}), not {len(operations)}."
        )
    for position, word in zip(POSITIONS, operations, strict=True):
        if word not in OPERATIONS:
            raise ArchitectureError(
                f"Edge {position} has no operation {word[:40]!r}. Allowed: {', '.join(OPERATIONS)}."
            )
    return tuple(OPERATIONS.index(word) for word in operations)


def _malformed(architecture: str, at: int, problem: str) -> ArchitectureError:
    shown = architecture if len(architecture) <= 160 else architecture[:157] + "..."
    return ArchitectureError(
        f"Not a NAS-Bench-201 cell: at character {at}, {problem}.\n  {shown!r}\n"
        f"Allowed operations: {', '.join(OPERATIONS)}.\nA valid cell: {EXAMPLE}, in short 3n3sn1"
    )
