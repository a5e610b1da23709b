"""The cost of architectures on a device: from an imported table where there is one, else predicted, one by one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices import layers, predictor
from llmnas_mcp.devices.catalogue import ANYWHERE, UNITS, Device, Objective, Unit, column, parse_column
from llmnas_mcp.devices.importers import Column
from llmnas_mcp.devices.known import device_of, devices_of
from llmnas_mcp.devices.modelling import LEAST, CostFit
from llmnas_mcp.devices.own import (
    HOST,
    fitted_to_times,
    measured_anywhere,
    measured_costs,
    measured_errors,
    measured_when,
    own_devices,
    why_no_energy,
)
from llmnas_mcp.devices.predictor import SOURCE, Fit, refusal
from llmnas_mcp.devices.tables import fitted_to, imported_tables, load_columns
from llmnas_mcp.errors import DataError, LabError, UnknownNameError
from llmnas_mcp.spaces import DATASETS, Genotypes, Space, dataset_shape, with_images


@dataclass(frozen=True)
class Costs:
    """Costs of n architectures, lower is better: NaN, with a reason, where an architecture cannot run.

    `errors` is the median relative error on cells held out from the fit (0.02 is 2 %), of a latency measured on an own
    device how far it repeats, NaN for a value of a table.
    """

    values: NDArray[np.float64]
    unit: Unit
    sources: tuple[str, ...]
    errors: NDArray[np.float64]
    reasons: tuple[str | None, ...]


@dataclass(frozen=True)
class CostModel:
    """Something `cost_of` can answer: `cells` counts the architectures it covers, those that cannot run included.

    Of a table, error, spearman and held_out are those of the model fitted to it for what it lacks, if there is one.
    measured: of an own device, when, on what and with which versions.
    """

    device: str
    objective: Objective
    dataset: str
    unit: str
    source: str
    error: float | None
    spearman: float | None
    held_out: int | None
    cells: int
    measured: str | None = None


def cost_of(
    space: Space, genotypes: Genotypes, *, device: str | None, dataset: str, objective: Objective, data: Path
) -> Costs:
    """What each architecture costs as given, dead operations included, shape (n,).

    Latency in ms, energy in mJ or peak memory in MB on a device; MACs or parameters in millions, counted, which need
    none. Tables imported into the folder `data` come first. What they lack is predicted, with an error: by the models
    fitted to HW-NAS-Bench (Li et al., ICLR 2021, arXiv 2103.10584) or that of a package, and where there is none, by
    one fitted to the table. Raises UnknownNameError for a device or objective that does not exist, DataError for a
    dataset nobody measured and energy nobody published.

    >>> from llmnas_mcp.spaces import get_space
    >>> cells = [(3, 3, 3, 3, 3, 3), (0, 0, 0, 0, 0, 0)]
    >>> costs = cost_of(
    ...     get_space("nasbench201"), cells, device="fpga", dataset="cifar10", objective="latency", data=Path("none")
    ... )
    >>> costs.values.round(4), costs.unit, costs.sources[0]
    (array([8.6786, 1.133 ]), 'ms', 'fitted:hwnasbench')
    """
    count = len(genotypes)
    if objective not in UNITS:
        raise UnknownNameError("objective", objective, UNITS)
    if objective in ANYWHERE:
        counted = getattr(space, objective)(genotypes, dataset_shape(dataset, data)) if count else np.empty(0)
        return Costs(counted / 1e6, UNITS[objective], ("computed",) * count, np.full(count, np.nan), (None,) * count)
    if device is None:
        raise LabError(
            f"{objective} depends on the device: give one of {', '.join(devices_of(data))}. {' and '.join(ANYWHERE)} "
            "need none."
        )
    rows = np.asarray(genotypes, dtype=np.int64).reshape(count, len(space.positions))
    values, errors, sources = np.full(count, np.nan), np.full(count, np.nan), np.full(count, "", dtype=object)
    reasons: list[str | None] = [None] * count
    left = np.arange(count)
    for tell in _tellers(space, device_of(device, data), dataset, objective, data):
        told = tell(rows[left])
        values[left], sources[left] = told.values, told.source
        errors[left] = np.where(np.isnan(told.values), np.nan, told.error)
        for row, reason in told.reasons.items():
            reasons[left[row]] = reason
        left = left[[row for row in np.flatnonzero(np.isnan(told.values)).tolist() if row not in told.reasons]]
        if not len(left):
            break
    return Costs(values, UNITS[objective], tuple(sources.tolist()), errors, tuple(reasons))


@dataclass(frozen=True)
class _Told:
    """What a source tells of n architectures: values (n,), NaN what cannot run, with a reason by row, or is unknown."""

    values: NDArray[np.float64]
    source: str
    error: float | NDArray[np.float64] = np.nan
    reasons: Mapping[int, str] = field(default_factory=dict)


_Tell = Callable[[NDArray[np.int64]], _Told]


def _tellers(space: Space, device: Device, dataset: str, objective: Objective, data: Path) -> list[_Tell]:
    """All that can tell a cost of genotypes (n, positions), in the order to ask them; raises DataError for none."""
    title = column(device.name, objective)
    found: list[_Tell] = []
    if table := load_columns(space, dataset, data).get(title):
        found.append(partial(_of_table, table, device))
    if layer := layers.load_layers(space, dataset, data).get(title):
        found.append(partial(_of_layers, layer))
    if fit := _fitted(space).fits(space).get((dataset, title)):
        found.append(partial(_published, space, fit, dataset, device, title))
    elif device.price and objective in _objectives(device):
        found.append(partial(_of_package, space, device, dataset, objective, table is None))
    if device.name in own_devices(data):
        found += _of_owner(space, device.name, dataset, objective, data)
    if not found:
        raise _nothing_known(space, device, dataset, objective, data)
    if table:
        found.append(partial(_fitted_to, table, lambda: fitted_to(space, dataset, title, data)))
    return found


def _of_table(table: Column, device: Device, rows: NDArray[np.int64]) -> _Told:
    at = table.rows_of(rows)
    values, marked = np.where(at < 0, np.nan, table.values[at]), (at >= 0) & table.cannot_run[at]
    why = f"{device.title} cannot run this architecture, says the table {table.name}."
    return _Told(values, f"table:{table.name}", reasons=dict.fromkeys(np.flatnonzero(marked).tolist(), why))


def _of_layers(table: layers.LayerCosts, rows: NDArray[np.int64]) -> _Told:
    return _Told(table.of(rows), f"table:{table.name}")


def _published(space: Space, fit: Fit, dataset: str, device: Device, title: str, rows: NDArray[np.int64]) -> _Told:
    values = _fitted(space).predict(space, rows, dataset, title)
    refused = np.flatnonzero(np.isnan(values)).tolist()
    return _Told(values, SOURCE, fit.error, {row: refusal(device.name, tuple(rows[row].tolist())) for row in refused})


def _of_package(
    space: Space, device: Device, dataset: str, objective: Objective, alone: bool, rows: NDArray[np.int64]
) -> _Told:
    """Costs by the model that a package brought for its device; alone: nothing else tells them."""
    source, unknown = f"package:{device.name}", np.full(len(rows), np.nan)
    try:
        known = device.price(space, rows, dataset, objective)  # type: ignore[misc]  # there is one
    except DataError:
        if alone:
            raise
        return _Told(unknown, source)
    values = np.asarray(known, dtype=float).reshape(len(rows))
    runs = np.isfinite(values) & (values > 0)
    why = f"{device.title} cannot run this architecture."
    error = np.nan if device.error is None else device.error
    return _Told(np.where(runs, values, unknown), source, error, dict.fromkeys(np.flatnonzero(~runs).tolist(), why))


def _fitted_to(table: Column, fit_of: Callable[[], CostFit | None], rows: NDArray[np.int64]) -> _Told:
    """What a table lacks, by the model fitted to it."""
    if fit := fit_of():
        return _Told(fit.predict(rows), f"fitted:{table.name}", fit.error)
    why = (
        f"The table {table.name} does not have this one, and has too few measured to predict others: "
        f"{int((~table.cannot_run).sum())}, where {LEAST} are needed. Import more of them."
    )
    return _Told(np.full(len(rows), np.nan), f"table:{table.name}", reasons=dict.fromkeys(range(len(rows)), why))


def _of_owner(space: Space, name: str, dataset: str, objective: Objective, data: Path) -> list[_Tell]:
    """What was measured on an own device, then the model of it. Raises LabError, with what to run, for nothing."""
    known = measured_costs(name, space.name, dataset, objective, data)
    fit = fitted_to_times(name, space, dataset, objective, data)
    if not known and objective == "energy" and (reason := why_no_energy(name, data)):
        raise LabError(f"The energy of a run is not known on {name}: {reason}. Ask for its latency or memory.")
    if not known:
        raise LabError(
            f"The {objective} of {space.name} on {dataset} was not measured on {name}: llmnas device measure {name}"
            f" --space {space.name} --dataset {dataset}"
        )

    def measured(rows: NDArray[np.int64]) -> _Told:
        errors = measured_errors(name, space.name, dataset, data) if objective == "latency" else {}
        values, off = (
            np.array([each.get(tuple(row), np.nan) for row in rows.tolist()], dtype=float) for each in (known, errors)
        )
        return _Told(values, f"{HOST}{name}", off)

    def modelled(rows: NDArray[np.int64]) -> _Told:
        if fit:
            return _Told(fit.predict(rows), f"fitted:{name}", fit.error)
        why = f"{len(known)} were measured on {name}, too few to predict others. Use llmnas device measure for {LEAST}."
        return _Told(np.full(len(rows), np.nan), f"{HOST}{name}", reasons=dict.fromkeys(range(len(rows)), why))

    return [measured, modelled]


def _objectives(device: Device) -> list[Objective]:
    return ["latency", *(["energy"] * device.energy), *(["memory"] * device.memory)]  # type: ignore[list-item]


def _fitted(space: Space) -> ModuleType:
    """Where the fitted models of a space are: layer by layer for FBNet, else cell by cell."""
    return layers if space.name == layers.SPACE else predictor


def cost_models(space: Space, data: Path) -> list[CostModel]:
    """Every device, objective and dataset that can be answered, by device; an imported table stands before a fit."""
    devices = devices_of(data)
    found: dict[tuple[str, str], CostModel] = {}
    for (dataset, title), p in _fitted(space).fits(space).items():
        device, objective = parse_column(title)  # type: ignore[misc]  # no other is fitted
        found[title, dataset] = CostModel(
            *(device, objective, dataset, UNITS[objective], SOURCE, p.error, p.spearman, p.held_out, space.size)
        )
    for own in devices.values():
        for known, dataset in product(_objectives(own), space.datasets or DATASETS) if own.price else ():
            found[column(own.name, known), dataset] = CostModel(
                *(own.name, known, dataset, UNITS[known], f"package:{own.name}", own.error, None, None, space.size)
            )
    for t in [*layers.imported_layers(data), *imported_tables(data)]:
        if t.space == space.name:
            key, cells = (column(t.device, t.objective), t.dataset), t.cells + t.cannot_run
            fit = fitted_to(space, t.dataset, key[0], data) if key not in found and cells < space.size else None
            worth = (fit.error, fit.spearman, fit.held_out) if fit else (None, None, None)
            found[key] = CostModel(
                *(t.device, t.objective, t.dataset, UNITS[t.objective], f"table:{t.name}", *worth, cells)
            )
    for name in own_devices(data):
        for its, dataset, objective in sorted(measured_anywhere(name, data)):
            if its == space.name:
                fit = fitted_to_times(name, space, dataset, objective, data)
                worth = (fit.error, fit.spearman, fit.held_out) if fit else (None, None, None)
                cells = space.size if fit else len(measured_costs(name, its, dataset, objective, data))
                when = measured_when(name, its, dataset, data)
                found[column(name, objective), dataset] = CostModel(
                    *(name, objective, dataset, UNITS[objective], f"{HOST}{name}", *worth, cells, when)
                )
    names, datasets = list(devices), [*DATASETS, *sorted({m.dataset for m in found.values()} - DATASETS.keys())]
    return sorted(
        found.values(),
        key=lambda m: (names.index(m.device), list(UNITS).index(m.objective), datasets.index(m.dataset)),
    )


def _nothing_known(space: Space, device: Device, dataset: str, objective: Objective, data: Path) -> DataError:
    """What is told where no table and no model has a cost."""
    models = cost_models(space, data)
    title, known = column(device.name, objective), [m.objective for m in models if m.device == device.name]
    if known and objective not in known:
        having = dict.fromkeys(m.device for m in models if m.objective == objective)
        return DataError(
            f"No {objective} was published for {device.name}. Devices with {objective}: {', '.join(having) or 'none'}. "
            f"Ask for its {' or '.join(dict.fromkeys(known))}, or import a table with a column {title}: "
            "llmnas data import FILE --dataset NAME."
        )
    its = [m.dataset for m in models if (m.device, m.objective) == (device.name, objective)]
    if dataset in with_images(data, dataset):
        return DataError(
            f"Nothing is known of the {objective} of {device.name} on {dataset}, your own data: devices were published"
            f" with models of {', '.join(dict.fromkeys(its)) or 'no dataset'} only. {' and '.join(ANYWHERE)} need no"
            f" device (--objective macs); else time networks for {dataset} on a device of your own: llmnas device add"
            f" NAME --runtime onnxruntime, llmnas device measure NAME --space {space.name} --dataset {dataset}"
        )
    near = difflib.get_close_matches(dataset.lower().replace("-", ""), its, n=1)
    hint = f" Did you mean {near[0]!r}?" if near and near[0] != dataset else ""
    return DataError(
        f"Nothing is known of the {objective} of {device.name} on dataset {dataset[:80]!r} in space {space.name}; "
        f"{' and '.join(ANYWHERE)} need no device. Datasets available: "
        f"{', '.join(its) or 'none'}.{hint} Import a table of it: llmnas data import FILE --dataset NAME."
    )
