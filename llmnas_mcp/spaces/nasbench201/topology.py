"""Which cells are the same network: dead operations removed, isomorphic cells equal.

`topology` is what the output node computes: sums are flattened and ordered, skips and zeros vanish. 5,260 classes.
`published_topology` is the string the benchmark's authors count by (Dong and Yang 2020, sec. 2.2): 6,466 classes. It
keeps a sum of zeros apart from a zero, and sums of sums as they were nested, but takes one convolution that is used
twice for two that read the same, though two have weights of their own.

Cells of one class compute the same with the same weights; their dead operations read zeros, or lead nowhere. (A batch
normalisation that learned to shift zeros adds a constant.) Different classes can be equal too, and are kept apart as
different work: average pooling is linear, so that a sum of two pools is the pool of a sum, which makes 5,044 functions
of the 5,260; and a batch normalisation forgets whether what its convolution read came twice.
"""

from __future__ import annotations

from functools import cache
from itertools import product

from llmnas_mcp.spaces.nasbench201.encoding import EDGES, OPERATIONS
from llmnas_mcp.spaces.needed import Genotype

NONE, SKIP, CONV1, CONV3, _ = range(len(OPERATIONS))


def topology(genotype: Genotype) -> str:
    """What the output node computes, as an expression of the input `0`; empty when it computes nothing.

    `*` is one convolution read twice, without it each is another. Only that into node 1 has two ways to the output.

    >>> topology((3, 0, 3, 1, 0, 2))
    '(((0)3)3)2+0'
    >>> topology((3, 0, 1, 0, 0, 2)), topology((0, 0, 3, 0, 4, 2))
    ('((0)3)2', '')
    >>> topology((3, 0, 3, 0, 1, 3)), topology((3, 0, 3, 3, 0, 3))
    ('(((0)3*)3)3+(0)3*', '(((0)3)3)3+(0)3')
    """
    shared = genotype[0] in (CONV1, CONV3) and NONE not in (genotype[2], genotype[4], genotype[5])
    nodes: list[list[str]] = [["0"], [], [], []]
    for (source, target), op in zip(EDGES, genotype, strict=True):
        if op == SKIP:
            nodes[target] += nodes[source]
        elif op != NONE and nodes[source]:
            mark = "*" if shared and target == 1 else ""
            nodes[target].append(f"({'+'.join(sorted(nodes[source]))}){op}{mark}")
    return "+".join(sorted(nodes[3]))


def published_topology(genotype: Genotype) -> str:
    """The benchmark's own isomorphism string, in which `#` is a zero.

    >>> published_topology((0, 0, 0, 1, 0, 3))
    '#+(#+#)@nor_conv_3x3+0'
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
                terms.append(nodes[source] if op == SKIP else f"({nodes[source]})@{OPERATIONS[op]}")
        nodes[target] = "+".join(sorted(terms))
    return nodes[3]


@cache
def canonical_cells() -> dict[Genotype, Genotype]:
    """Each of the 15,625 cells -> the cell that stands for its class.

    Of a class that is the one with least to compute: fewest 3x3 convolutions, then fewest 1x1, then most `none` edges;
    and the smallest of those. (Some device may run a twin faster still.)

    >>> canonical_cells()[(3, 0, 3, 1, 0, 0)]
    (0, 0, 0, 1, 0, 0)
    """
    cells = list(product(range(len(OPERATIONS)), repeat=len(EDGES)))
    names = [topology(cell) for cell in cells]
    best: dict[str, tuple[int, int, int, Genotype]] = {}
    for name, cell in zip(names, cells, strict=True):
        cost = (cell.count(CONV3), cell.count(CONV1), -cell.count(NONE), cell)
        if name not in best or cost < best[name]:
            best[name] = cost
    return {cell: best[name][3] for name, cell in zip(names, cells, strict=True)}
