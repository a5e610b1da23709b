"""The cost of architectures on a device: from an imported table where there is one, else predicted, cell by cell."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices.catalogue import COLUMNS, DEVICES, UNITS, Objective, Unit, column
from llmnas_mcp.devices.importers import Column
from llmnas_mcp.devices.predictor import SOURCE, Fit, fits, predict, refusal
from llmnas_mcp.devices.tables import imported_tables, load_columns
from llmnas_mcp.errors import DataError, UnknownNameError
from llmnas_mcp.spaces import DATASETS, Genotypes, SearchSpace


@dataclass(frozen=True)
class Costs:
    """Costs of n architectures, lower is better: NaN, with a reason, where an architecture cannot run.

    `errors` is the median relative error on cells held out from the fit (0.02 is 2 %), NaN for a value of a table.
    """

    values: NDArray[np.float64]
    unit: Unit
    sources: tuple[str, ...]
    errors: NDArray[np.float64]
    reasons: tuple[str | None, ...]


@dataclass(frozen=True)
class CostModel:
    """Something `cost_of` can answer: `cells` counts the architectures it covers, those that cannot run included."""

    device: str
    objective: Objective
    dataset: str
    unit: str
    source: str
    error: float | None
    spearman: float | None
    held_out: int | None
    cells: int


def cost_of(
    space: SearchSpace, genotypes: Genotypes, *, device: str, dataset: str, objective: Objective, data: Path
) -> Costs:
    """Latency in ms or energy in mJ of each architecture as given, dead operations included, shape (n,).

    Tables imported into the folder `data` come first; cells they lack are predicted by the models fitted to
    HW-NAS-Bench (Li et al., ICLR 2021, arXiv 2103.10584), with their error. Raises UnknownNameError for a device or
    objective that does not exist, DataError for a dataset nobody measured and energy nobody published.

    >>> from llmnas_mcp.spaces import get_space
    >>> cells = [(3, 3, 3, 3, 3, 3), (0, 0, 0, 0, 0, 0)]
    >>> costs = cost_of(
    ...     get_space("nasbench201"), cells, device="fpga", dataset="cifar10", objective="latency", data=Path("none")
    ... )
    >>> costs.values.round(4), costs.unit, costs.sources[0]
    (array([8.6786, 1.133 ]), 'ms', 'fitted:hwnasbench')
    """
    table, fit = _find(space, device, dataset, objective, data)
    count = len(genotypes)
    values, errors = np.full(count, np.nan), np.full(count, np.nan)
    sources: list[str] = [SOURCE] * count
    reasons: list[str | None] = [None] * count
    if fit is not None:
        values = predict(space, genotypes, dataset, column(device, objective))
        errors[~np.isnan(values)] = fit.error
    if table is not None:
        index = space.index_of(genotypes)
        measured = (table.cannot_run | ~np.isnan(table.values))[index] | (fit is None)
        values, errors = np.where(measured, table.values[index], values), np.where(measured, np.nan, errors)
        sources = [f"table:{table.name}" if m else SOURCE for m in measured]
    for i in np.flatnonzero(np.isnan(values)).tolist():
        if table is None or not measured[i]:
            reasons[i] = refusal(device, tuple(int(op) for op in genotypes[i]))
        elif table.cannot_run[index[i]]:
            reasons[i] = f"{DEVICES[device].title} cannot run this cell, says the table {table.name}."
        else:
            reasons[i] = f"The table {table.name} does not have this cell, and nothing was fitted for {dataset}."
    return Costs(values, UNITS[objective], tuple(sources), errors, tuple(reasons))


def cost_models(space: SearchSpace, data: Path) -> list[CostModel]:
    """Every device, objective and dataset that can be answered, by device; an imported table stands before a fit."""
    found = {}
    for (dataset, title), p in fits(space).items():
        device, objective = COLUMNS[title]
        found[title, dataset] = CostModel(
            *(device, objective, dataset, UNITS[objective], SOURCE, p.error, p.spearman, p.held_out, space.size)
        )
    for t in imported_tables(data):
        if t.space == space.name:
            found[column(t.device, t.objective), t.dataset] = CostModel(
                *(t.device, t.objective, t.dataset, UNITS[t.objective], f"table:{t.name}"),
                *(None, None, None, t.cells + t.cannot_run),
            )
    devices, datasets = list(DEVICES), [*DATASETS, *sorted({m.dataset for m in found.values()} - DATASETS.keys())]
    return sorted(
        found.values(),
        key=lambda m: (devices.index(m.device), m.objective != "latency", datasets.index(m.dataset)),
    )


def _find(
    space: SearchSpace, device: str, dataset: str, objective: Objective, data: Path
) -> tuple[Column | None, Fit | None]:
    """The table and the fit that answer, at least one of them."""
    if device not in DEVICES:
        raise UnknownNameError("device", device, DEVICES)
    if objective not in UNITS:
        raise UnknownNameError("objective", objective, UNITS)
    title = column(device, objective)
    table, fit = load_columns(space, dataset, data).get(title), fits(space).get((dataset, title))
    if table is not None or fit is not None:
        return table, fit
    known = [m.dataset for m in cost_models(space, data) if (m.device, m.objective) == (device, objective)]
    if objective == "energy" and not DEVICES[device].energy and not known:
        having = ", ".join(d.name for d in DEVICES.values() if d.energy)
        raise DataError(
            f"No energy was published for {device}. Devices with energy: {having}. Ask for its latency, or import a "
            f"table with a column {title}: llmnas data import FILE --dataset NAME."
        )
    near = difflib.get_close_matches(dataset.lower().replace("-", ""), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near and near[0] != dataset else ""
    raise DataError(
        f"Nothing is known of the {objective} of {device} on dataset {dataset[:80]!r}. Datasets available: "
        f"{', '.join(known) or 'none'}.{hint} Import a table of it: llmnas data import FILE --dataset NAME."
    )
