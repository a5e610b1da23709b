"""The trained accuracy of architectures: from an imported table where there is one, else estimated, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.benchmarks.importers import column_of
from llmnas_mcp.benchmarks.surrogate import SOURCE, fits, predict
from llmnas_mcp.benchmarks.tables import accuracy_table, imported_accuracies
from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import Genotypes, Space


@dataclass(frozen=True)
class Accuracies:
    """Top-1 test accuracies in % of n architectures, higher is better: NaN where nothing is known.

    `errors` is the mean absolute error in points on cells held out from the fit, NaN for a value of a table.
    """

    values: NDArray[np.float64]
    sources: tuple[str, ...]
    errors: NDArray[np.float64]


def accuracy_of(space: Space, genotypes: Genotypes, *, dataset: str, data: Path) -> Accuracies:
    """Test accuracy after 200 epochs of training, mean over training seeds, of each architecture as given, shape (n,).

    A table imported into the folder `data` comes first; cells it lacks are estimated by the model fitted to
    NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326), with its error. Raises DataError, naming the datasets
    there are, for one that neither has.

    >>> from llmnas_mcp.spaces import get_space
    >>> found = accuracy_of(get_space("nasbench201"), [(3, 3, 3, 1, 3, 3)], dataset="cifar10", data=Path("none"))
    >>> round(float(found.values[0])), found.sources, bool(found.errors[0] < 0.4)
    (94, ('fitted:nasbench201-accuracy',), True)
    """
    table, fit = accuracy_table(space, dataset, data), fits(space).get(dataset)
    index = space.index_of(genotypes)
    if table is None and fit is None:
        known = dict.fromkeys([*fits(space), *(t.dataset for t in imported_accuracies(data) if t.space == space.name)])
        raise DataError(
            f"No trained accuracy is known on dataset {dataset[:80]!r}. Datasets available: "
            f"{', '.join(known) or 'none'}. Import a table with columns arch_str and {column_of(dataset[:80])}: "
            "llmnas data import FILE."
        )
    values, errors = np.full(len(index), np.nan), np.full(len(index), np.nan)
    measured = np.zeros(len(index), dtype=bool)
    if fit is not None:
        values, errors = predict(space, genotypes, dataset), np.full(len(index), fit.error)
    sources = [SOURCE] * len(index)
    if table is not None:
        measured = ~np.isnan(table.values[index]) | (fit is None)
        values, errors = np.where(measured, table.values[index], values), np.where(measured, np.nan, errors)
        sources = [f"table:{table.name}" if m else SOURCE for m in measured]
    return Accuracies(values, tuple(sources), errors)
