"""The trained accuracy of architectures: from an imported table where there is one, else estimated, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.benchmarks import inherited, surrogate
from llmnas_mcp.benchmarks.importers import FINAL, column_of
from llmnas_mcp.benchmarks.tables import accuracy_table, imported_accuracies
from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import Genotypes, Space

# What an accuracy is of: a network trained by itself, or with weights inherited from one that holds all of a space.
Grade = Literal["trained", "inherited"]


@dataclass(frozen=True)
class Accuracies:
    """Top-1 test accuracies in % of n architectures, higher is better: NaN where nothing is known.

    `errors` is the mean absolute error in points on architectures held out from the fit, NaN for a value of a table and
    for what lies beyond all that was published.
    """

    values: NDArray[np.float64]
    sources: tuple[str, ...]
    errors: NDArray[np.float64]


def accuracy_of(space: Space, genotypes: Genotypes, *, dataset: str, data: Path) -> Accuracies:
    """The accuracy of each architecture as given, shape (n,).

    Of NAS-Bench-201 on test data after 200 epochs of training, mean over training seeds: a table imported into the
    folder `data` comes first; cells it lacks are estimated by the model fitted to that benchmark (Dong and Yang, ICLR
    2020, arXiv 2001.00326), with its error. Of AutoFormer's spaces with inherited weights, estimated, see
    `inherited.py`. Raises DataError, naming the datasets there are, for one that nothing is known of.

    >>> from llmnas_mcp.spaces import get_space
    >>> found = accuracy_of(get_space("nasbench201"), [(3, 3, 3, 1, 3, 3)], dataset="cifar10", data=Path("none"))
    >>> round(float(found.values[0])), found.sources, bool(found.errors[0] < 0.4)
    (94, ('fitted:nasbench201-accuracy',), True)
    """
    model = _fitted(space)
    table, fit = accuracy_table(space, dataset, data), model.fits(space).get(dataset)
    count = len(genotypes)
    if table is None and fit is None:
        imported = (t.dataset for t in imported_accuracies(data) if (t.space, t.epochs) == (space.name, FINAL))
        known = ", ".join(dict.fromkeys([*model.fits(space), *imported])) or "none"
        raise DataError(
            f"No accuracy of {space.name} is known on dataset {dataset[:80]!r}. Datasets available: {known}. Import a"
            f" table with columns arch_str and {column_of(dataset[:80])}: llmnas data import FILE."
        )
    values, errors = np.full(count, np.nan), np.full(count, np.nan)
    sources = ["unknown"] * count
    if fit is not None:
        values, sources = model.predict(space, genotypes, dataset), model.sources(space, genotypes)
        errors = np.array([fit.error if source == model.SOURCE else np.nan for source in sources])
    if table is not None:
        own = table.values[space.index_of(genotypes)]
        measured = ~np.isnan(own) | (fit is None)
        values, errors = np.where(measured, own, values), np.where(measured, np.nan, errors)
        sources = [f"table:{table.name}" if m else source for m, source in zip(measured, sources, strict=True)]
    return Accuracies(values, tuple(sources), errors)


def grade_of(space: Space) -> Grade:
    """What the accuracies of a space are of."""
    return "inherited" if _fitted(space) is inherited else "trained"


def _fitted(space: Space) -> ModuleType:
    """Where the fitted model of a space's accuracies is."""
    return inherited if space.name.startswith("autoformer-") else surrogate
