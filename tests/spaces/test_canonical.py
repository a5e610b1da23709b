from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from llmnas_mcp.spaces import DATASETS, Genotype, Space
from llmnas_mcp.spaces.nasbench201.topology import NONE, published_topology, topology

Classes = dict[Genotype, list[Genotype]]


@pytest.fixture(scope="module")
def classes(space: Space, cells: list[Genotype]) -> Classes:
    """Every canonical cell with all that it stands for."""
    found = defaultdict(list)
    for cell in cells:
        found[space.canonical(cell)].append(cell)
    return dict(found)


def twins(cells: list[Genotype]) -> Iterator[tuple[Genotype, Genotype]]:
    """Cells whose nodes 1 and 2 are not connected, and the same with those nodes swapped."""
    for cell in cells:
        if cell[2] == NONE:
            yield cell, (cell[1], cell[0], NONE, cell[3], cell[5], cell[4])


def test_there_are_5260_distinct_cells_in_ascending_order(space: Space, classes: Classes) -> None:
    distinct = list(map(tuple, space.distinct().tolist()))
    assert len(distinct) == 5260
    assert distinct == sorted(classes)


def test_a_canonical_cell_stands_for_itself(space: Space, classes: Classes) -> None:
    assert all(space.canonical(cell) == cell for cell in classes)


def test_a_cell_and_its_canonical_cell_have_the_same_topology(classes: Classes) -> None:
    assert all({topology(member) for member in members} == {topology(cell)} for cell, members in classes.items())


def test_cells_of_the_same_topology_have_the_same_canonical_cell(classes: Classes) -> None:
    assert len({topology(cell) for cell in classes}) == len(classes)


def test_swapping_the_inner_nodes_makes_the_same_cell(space: Space, cells: list[Genotype]) -> None:
    pairs = list(twins(cells))
    assert len(pairs) == 5**5
    assert all(space.canonical(one) == space.canonical(other) for one, other in pairs)


def test_a_canonical_cell_never_has_more_parameters_or_work_than_what_it_stands_for(
    space: Space, cells: list[Genotype]
) -> None:
    canonical = [space.canonical(cell) for cell in cells]
    for count in (space.params, space.macs):
        dearer = count(canonical, DATASETS["cifar10"]) > count(cells, DATASETS["cifar10"])
        assert [(cells[i], canonical[i]) for i in np.flatnonzero(dearer)] == []


def test_nothing_can_be_taken_out_of_a_canonical_cell(classes: Classes) -> None:
    for cell in classes:
        for edge in range(6):
            if cell[edge] != NONE:
                assert topology((*cell[:edge], NONE, *cell[edge + 1 :])) != topology(cell)


def test_cells_that_connect_nothing_to_the_output_are_one(space: Space, classes: Classes) -> None:
    nothing = (NONE,) * 6
    assert space.canonical((3, 3, 3, 0, 0, 0)) == space.canonical((0, 0, 3, 0, 1, 4)) == nothing
    assert all(topology(member) == "" for member in classes[nothing])


def test_an_operation_that_reaches_the_output_is_kept(space: Space) -> None:
    chain = (3, 0, 3, 0, 0, 3)
    assert space.canonical(chain) == chain


def test_the_published_count_of_topologies_is_6466(cells: list[Genotype]) -> None:
    assert len({published_topology(cell) for cell in cells}) == 6466


def test_of_one_published_topology_are_only_cells_that_share_a_convolution_or_do_not(cells: list[Genotype]) -> None:
    ours = defaultdict(set)
    for cell in cells:
        ours[published_topology(cell)].add(topology(cell))
    assert sum(len(found) > 1 for found in ours.values()) == 430
    assert {len({name.replace("*", "") for name in found}) for found in ours.values()} == {1}


def test_the_published_topologies_are_the_classes_of_the_published_table(
    space: Space, published: list[dict[str, str]]
) -> None:
    pairs = {(row["unique_id"], published_topology(space.parse(row["arch_str"]))) for row in published}
    # As many pairs as ids and as topologies: each id goes with one topology, each topology with one id.
    assert len(pairs) == len({i for i, _ in pairs}) == len({t for _, t in pairs}) == 6466
