"""What is chosen within a limit of what a method paid for: by score alone, or by short trainings of a few.

Whoever chooses here knows no estimate of accuracy, as `pick` does: that was fitted on the accuracies that judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.benchmarks import accuracy_table
from llmnas_mcp.benchmarks.importers import column_of
from llmnas_mcp.errors import DataError
from llmnas_mcp.search.landscape import Landscape
from llmnas_mcp.search.picking import by_score, differing
from llmnas_mcp.spaces import Genotype, Space

TRAINED, EPOCHS = 10, 12  # networks that a stage `+train` pays for within a limit, and epochs of each

Float = NDArray[np.float64]


def short_training(space: Space, dataset: str, data: Path) -> Float:
    """Validation accuracy in % after EPOCHS, in the order of `space.genotypes()`: NaN where it is not known.

    Raises DataError where no table of it is imported.
    """
    table = accuracy_table(space, dataset, data, EPOCHS)
    if table is None:
        raise DataError(
            f"A method with +train pays for trainings of {EPOCHS} epochs out of an imported table, and there is none of"
            f" {space.name} on {dataset}. Import one with columns arch_str and {column_of(dataset, EPOCHS)} (llmnas"
            " data import FILE), or leave +train out."
        )
    return table.values


def chosen_within(
    landscape: Landscape, genotypes: Sequence[Genotype], limit: float, short: Float | None = None
) -> tuple[Genotype | None, int]:
    """The network taken within a limit of the first cost, None where there is none, and the epochs paid for it.

    The first by score of canonical genotypes that were paid for; with `short`, see `short_training`, the best after it
    of the TRAINED first that differ, or the first where nothing is known of any.
    """
    costs = landscape.costs(genotypes).values[:, 0]
    pool = [genotype for genotype, cost in zip(genotypes, costs, strict=True) if cost <= limit]
    if not pool:
        return None, 0
    order = by_score(landscape.scores(pool).score, landscape.lasting(pool))
    if short is None:
        return pool[order[0]], 0
    tried = [pool[row] for row in differing(order, pool, TRAINED)]
    found = short[landscape.space.index_of(tried)]
    known = ~np.isnan(found)
    best = tried[int(np.nanargmax(found))] if known.any() else tried[0]
    return best, int(known.sum()) * EPOCHS
