"""The cost of architectures on a device: from an imported table where there is one, else predicted, cell by cell."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices import layers, predictor
from llmnas_mcp.devices.catalogue import ANYWHERE, DEVICES, UNITS, Device, Objective, Unit, column, cost_columns
from llmnas_mcp.devices.importers import Column
from llmnas_mcp.devices.predictor import SOURCE, Fit, refusal
from llmnas_mcp.devices.tables import imported_tables, load_columns
from llmnas_mcp.errors import DataError, LabError, UnknownNameError
from llmnas_mcp.spaces import DATASETS, Genotypes, Space, dataset_shape


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
    space: Space, genotypes: Genotypes, *, device: str | None, dataset: str, objective: Objective, data: Path
) -> Costs:
    """What each architecture costs as given, dead operations included, shape (n,).

    Latency in ms, energy in mJ or peak memory in MB on a device; MACs or parameters in millions, counted, which need
    none. Tables imported into the folder `data` come first; what they lack is predicted by the models fitted to
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
    count = len(genotypes)
    if objective in ANYWHERE:
        counted = getattr(space, objective)(genotypes, dataset_shape(dataset)) if count else np.empty(0)
        return Costs(counted / 1e6, UNITS[objective], ("computed",) * count, np.full(count, np.nan), (None,) * count)
    if device is None:
        raise LabError(
            f"{objective} depends on the device: give one of {', '.join(DEVICES)}. {' and '.join(ANYWHERE)} need none."
        )
    table, fit = _find(space, genotypes, device, dataset, objective, data)
    own = DEVICES[device]
    if table is None and own.price and objective in _objectives(own):
        known = own.price(space, genotypes, dataset, objective)
        return _of_package(own, np.asarray(known, dtype=float).reshape(count), UNITS[objective])
    values, errors = np.full(count, np.nan), np.full(count, np.nan)
    sources: list[str] = [SOURCE] * count
    reasons: list[str | None] = [None] * count
    if fit is not None:
        values = _fitted(space).predict(space, genotypes, dataset, column(device, objective))
        errors[~np.isnan(values)] = fit.error
    if table is not None:
        measured = (table.cannot_run | ~np.isnan(table.values)) | (fit is None)
        values, errors = np.where(measured, table.values, values), np.where(measured, np.nan, errors)
        sources = [f"table:{table.name}" if m else SOURCE for m in measured]
    for i in np.flatnonzero(np.isnan(values)).tolist():
        if table is None or not measured[i]:
            reasons[i] = refusal(device, tuple(int(op) for op in genotypes[i]))
        elif table.cannot_run[i]:
            reasons[i] = f"{DEVICES[device].title} cannot run this architecture, says the table {table.name}."
        else:
            reasons[i] = f"The table {table.name} does not have this one, and nothing was fitted for {dataset}."
    return Costs(values, UNITS[objective], tuple(sources), errors, tuple(reasons))


def _objectives(device: Device) -> list[Objective]:
    return ["latency", *(["energy"] * device.energy), *(["memory"] * device.memory)]  # type: ignore[list-item]


def _of_package(device: Device, values: NDArray[np.float64], unit: Unit) -> Costs:
    """Costs by the model that a package brought for its device."""
    runs = np.isfinite(values) & (values > 0)
    reasons = tuple(None if run else f"{device.title} cannot run this architecture." for run in runs)
    errors = np.where(runs, np.nan if device.error is None else device.error, np.nan)
    return Costs(np.where(runs, values, np.nan), unit, (f"package:{device.name}",) * len(values), errors, reasons)


def _fitted(space: Space) -> ModuleType:
    """Where the fitted models of a space are: layer by layer for FBNet, else cell by cell."""
    return layers if space.name == layers.SPACE else predictor


def _measured(space: Space, genotypes: Genotypes, dataset: str, title: str, data: Path) -> Column | None:
    """What an imported table has of these genotypes, in their order."""
    if (its := layers.load_layers(space, dataset, data).get(title)) is not None:
        return Column(its.name, its.of(genotypes), np.zeros(len(genotypes), dtype=bool))
    found = load_columns(space, dataset, data).get(title)
    if found is None:
        return None
    index = space.index_of(genotypes)
    return Column(found.name, found.values[index], found.cannot_run[index])


def cost_models(space: Space, data: Path) -> list[CostModel]:
    """Every device, objective and dataset that can be answered, by device; an imported table stands before a fit."""
    found = {}
    for (dataset, title), p in _fitted(space).fits(space).items():
        device, objective = cost_columns()[title]
        found[title, dataset] = CostModel(
            *(device, objective, dataset, UNITS[objective], SOURCE, p.error, p.spearman, p.held_out, space.size)
        )
    for own in DEVICES.working().values():
        for known, dataset in product(_objectives(own), space.datasets or DATASETS) if own.price else ():
            found[column(own.name, known), dataset] = CostModel(
                *(own.name, known, dataset, UNITS[known], f"package:{own.name}", own.error, None, None, space.size)
            )
    for t in [*imported_tables(data), *layers.imported_layers(data)]:
        if t.space == space.name:
            found[column(t.device, t.objective), t.dataset] = CostModel(
                *(t.device, t.objective, t.dataset, UNITS[t.objective], f"table:{t.name}"),
                *(None, None, None, t.cells + t.cannot_run),
            )
    devices, datasets = list(DEVICES), [*DATASETS, *sorted({m.dataset for m in found.values()} - DATASETS.keys())]
    return sorted(
        found.values(),
        key=lambda m: (devices.index(m.device), list(UNITS).index(m.objective), datasets.index(m.dataset)),
    )


def _find(
    space: Space, genotypes: Genotypes, device: str, dataset: str, objective: Objective, data: Path
) -> tuple[Column | None, Fit | None]:
    """The table and the fit that answer; at least one of them, but for a device whose package prices."""
    if device not in DEVICES:
        raise UnknownNameError("device", device, DEVICES)
    if objective not in UNITS:
        raise UnknownNameError("objective", objective, UNITS)
    title = column(device, objective)
    table = _measured(space, genotypes, dataset, title, data)
    fit = _fitted(space).fits(space).get((dataset, title))
    if table is not None or fit is not None or (DEVICES[device].price and objective in _objectives(DEVICES[device])):
        return table, fit
    known = [m.dataset for m in cost_models(space, data) if (m.device, m.objective) == (device, objective)]
    if objective not in _objectives(DEVICES[device]) and not known:
        having = ", ".join(d.name for d in DEVICES.working().values() if objective in _objectives(d)) or "none"
        raise DataError(
            f"No {objective} was published for {device}. Devices with {objective}: {having}. Ask for its latency, or "
            f"import a table with a column {title}: llmnas data import FILE --dataset NAME."
        )
    near = difflib.get_close_matches(dataset.lower().replace("-", ""), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near and near[0] != dataset else ""
    raise DataError(
        f"Nothing is known of the {objective} of {device} on dataset {dataset[:80]!r} in space {space.name}; "
        f"{' and '.join(ANYWHERE)} need no device. Datasets available: "
        f"{', '.join(known) or 'none'}.{hint} Import a table of it: llmnas data import FILE --dataset NAME."
    )
