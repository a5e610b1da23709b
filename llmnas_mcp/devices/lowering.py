"""What a converter leaves of a NAS-Bench-201 cell before a device runs it.

The deployed graph is not the cell as written: what nothing depends on is cut, a sum of one term is that term, `none`
multiplies by zero. Found on HW-NAS-Bench (Li et al., ICLR 2021), where it explains two things: which operations
took time, and which cells the Edge TPU compiler refused (99.7 % of all cells; none is refused wrongly).
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import NamedTuple

from llmnas_mcp.spaces import Genotype
from llmnas_mcp.spaces.nasbench201.encoding import EDGES, OPERATIONS

NONE, SKIP, CONV1, CONV3, POOL = range(len(OPERATIONS))
CONVS = (CONV1, CONV3)
# Codes of Lowered.runs beyond the operations: a convolution whose weights became zero, an operation fed with zeros.
ZEROED, ON_ZEROS, CODES = 3, 5, 10
# Values that flow: 0 to 5 are outputs of operations, by edge; SUM + n is the sum made at node n.
ZEROS, INPUT, SUM = -1, 10, 20
ADD = -2
INTO = {node: [(edge, source) for edge, (source, to) in enumerate(EDGES) if to == node] for node in (1, 2, 3)}


class Lowered(NamedTuple):
    """What runs on each edge (codes below CODES), and why the Edge TPU refuses the cell (None when it runs)."""

    runs: tuple[int, ...]
    refused: str | None


@cache
def lower(cell: Genotype) -> Lowered:
    """What is left of a cell on a device.

    An entry of `runs` is the operation, or NONE where nothing is computed; plus ZEROED for a convolution whose output
    is only ever multiplied by zero (the zero is folded into its weights: it still runs); plus ON_ZEROS for an
    operation fed with zeros.

    >>> lower((3, 2, 0, 1, 0, 0)).runs, lower((3, 0, 0, 1, 0, 0)).runs
    ((0, 0, 0, 1, 0, 0), (6, 0, 0, 1, 0, 0))
    >>> lower((0, 3, 3, 1, 0, 1)).refused
    'an operation is fed with zeros'
    >>> lower((4, 0, 3, 1, 0, 3)).refused
    'a pooling is followed by nothing but a convolution, whose ReLU is fused into the pooling'
    """
    needed = _needed(cell)
    holds = [INPUT]
    users: defaultdict[int, list[tuple[int, bool]]] = defaultdict(list)
    runs = [NONE] * len(EDGES)
    for node in (1, 2, 3):
        live, terms = needed[node], []
        for edge, source in INTO[node]:
            value, op = holds[source], cell[edge]
            if op == SKIP:
                terms += [value] if value != ZEROS else []
            else:
                users[value].append((op, live))
                terms += [edge] if op != NONE else []
            if live and op != NONE and not (op == SKIP and value == ZEROS):
                runs[edge] = op + ON_ZEROS if value == ZEROS else op
        if len(terms) > 1:
            for value in terms:
                users[value].append((ADD, live))
            terms = [SUM + node]
        holds.append(terms[0] if terms else ZEROS)
    if not needed[0]:
        users[holds[3]].append((ADD, True))
    elif holds[3] != INPUT:  # the output is the input of the next cell, which is the same
        users[holds[3]] += users[INPUT]
    for edge in _zeroed(cell, users):
        runs[edge] = cell[edge] + ZEROED
    return Lowered(tuple(runs), _refused(cell, runs, holds[3], users))


def _needed(cell: Genotype) -> tuple[bool, bool, bool, bool]:
    """Whether a path of operations other than `none` leads from each node to the output."""
    two = cell[5] != NONE
    one = cell[4] != NONE or (two and cell[2] != NONE)
    zero = cell[3] != NONE or (one and cell[0] != NONE) or (two and cell[1] != NONE)
    return zero, one, two, True


def _zeroed(cell: Genotype, users: dict[int, list[tuple[int, bool]]]) -> list[int]:
    """Edges whose convolution is only ever multiplied by zero."""
    if cell[0] in CONVS and cell[1] != NONE and cell[2] == cell[4] == cell[5] == NONE:
        return []  # seen in the measurements: two dead nodes, of which one adds the other's zeros, vanish together
    return [edge for edge, op in enumerate(cell) if op in CONVS and all(user == NONE for user, _ in users[edge])]


def _refused(cell: Genotype, runs: list[int], output: int, users: dict[int, list[tuple[int, bool]]]) -> str | None:
    """Why the Edge TPU compiler refuses the cell."""
    if output == ZEROS:
        return "the cell's output is all zeros"
    if any(code >= ON_ZEROS + CONV1 for code in runs):
        return "an operation is fed with zeros"
    for edge, op in enumerate(cell):
        followers = [user for user, live in users[edge] if live and user != NONE] if op == POOL else []
        if len(followers) == 1 and followers[0] in CONVS:
            return "a pooling is followed by nothing but a convolution, whose ReLU is fused into the pooling"
    if any(ZEROED + CONV1 <= code <= ZEROED + CONV3 for code in runs):
        return "a convolution's output is only ever multiplied by zero"
    return None
