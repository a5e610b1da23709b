"""Which cells are the same network: dead operations removed, isomorphic cells equal.

`topology` drops everything that adds nothing to the output: 5,390 classes. `published_topology` is the string the
benchmark's authors count by (Dong and Yang 2020, sec. 2.2): 6,466 classes. It keeps a sum of zeros apart from a zero,
so an operation fed only with zeros still tells two cells apart. Every published class lies within one of ours.
"""

from __future__ import annotations

from functools import cache
from itertools import product

from llmnas_mcp.spaces.base import Genotype
from llmnas_mcp.spaces.nasbench201.encoding import EDGES, OPERATIONS

NONE, SKIP = OPERATIONS.index("none"), OPERATIONS.index("skip_connect")


def topology(genotype: Genotype) -> str:
    """What the output node computes, as an expression of the input `0`; empty when it computes nothing.

    >>> topology((3, 0, 3, 1, 0, 2))
    '(((0)3)3)2+0'
    >>> topology((3, 0, 1, 0, 0, 2)), topology((0, 0, 3, 0, 4, 2))
    ('((0)3)2', '')
    """
    nodes = ["0", "", "", ""]
    for target in (1, 2, 3):
        terms = [
            nodes[source] if op == SKIP else f"({nodes[source]}){op}"
            for (source, to), op in zip(EDGES, genotype, strict=True)
            if to == target and op != NONE and nodes[source]
        ]
        nodes[target] = "+".join(sorted(terms))
    return nodes[3]


def published_topology(genotype: Genotype) -> str:
    """The benchmark's own isomorphism string, in which `#` is a zero.

    >>> published_topology((0, 0, 0, 1, 0, 3))
    '#+(#+#)3+0'
    """
    nodes = ["0", "", "", ""]
    for target in (1, 2, 3):
        terms = []
        for (source, to), op in zip(EDGES, genotype, strict=True):
            if to != target:
                continue
            if op == NONE or nodes[source] == "#":
                terms.append("#")
            else:
                terms.append(nodes[source] if op == SKIP else f"({nodes[source]}){op}")
        nodes[target] = "+".join(sorted(terms))
    return nodes[3]


@cache
def canonical_cells() -> dict[Genotype, Genotype]:
    """Each of the 15,625 cells -> the cell that stands for its class.

    Of a class we keep the cell with the most `none` edges, which a device runs fastest, and the smallest of those.

    >>> canonical_cells()[(3, 0, 3, 1, 0, 0)]
    (0, 0, 0, 1, 0, 0)
    """
    cells = list(product(range(len(OPERATIONS)), repeat=len(EDGES)))
    names = [topology(cell) for cell in cells]
    best: dict[str, Genotype] = {}
    for name, cell in zip(names, cells, strict=True):
        if name not in best or cell.count(NONE) > best[name].count(NONE):
            best[name] = cell
    return {cell: best[name] for name, cell in zip(names, cells, strict=True)}
