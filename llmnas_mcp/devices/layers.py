"""Costs of FBNets, layer by layer: an imported lookup table adds up exactly, and where there is none a fit estimates.

HW-NAS-Bench (Li et al., ICLR 2021, arXiv 2103.10584) never timed whole FBNets: the cost of a network *is* the sum of
what its stem, its layers and its head cost. So a table of these is imported in either form it is published in, the
official pickle or a CSV of differences, and gives what HW-NAS-Bench gives. There stem, head and `skip` cost an FPGA
nothing, so that a network of nothing but `skip` costs 0.

The table itself is not here, and a model with a term for each layer and block would be the table. What is shipped
(scripts/fit_layers.py) is smaller: one weight, never negative, for each of FEATURES, which are the work of a block as
its shape tells it (multiply-accumulates of each convolution, numbers moved, weights fetched). It was fitted to the
totals of random networks of CIFAR-100, and its errors are on others; for a block in a layer that no network of the fit
had there, they are the same. It is no good for ImageNet: of the published network that is k3_e1 throughout it would be
wrong by 18 to 68 %.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.devices.catalogue import NAME, column, parse_column
from llmnas_mcp.devices.importers import LARGEST
from llmnas_mcp.devices.predictor import FOLDER, Fit, load
from llmnas_mcp.devices.tables import ImportedTable
from llmnas_mcp.errors import DataError
from llmnas_mcp.measured import (
    check_dataset_name,
    drop_columns,
    is_pickle,
    load_arrays,
    number_of,
    read_csv,
    readable,
    save_arrays,
    starts_with,
    table_name,
)
from llmnas_mcp.spaces import DATASETS, Genotypes, Space
from llmnas_mcp.spaces.fbnet.plan import BLOCKS, LAYERS, STEM, Layer, block, plan
from llmnas_mcp.unpickler import load_plain

SPACE = "fbnet"
PREFIX = "layers"
FITTED = {"cifar100": 32}  # dataset -> pixels a side
PUBLISHED = ("cifar100", "imagenet")
FEATURES = (
    *("blocks", "grouped", "expand", "depthwise3", "depthwise5", "project", "weights", "given", "middle_in"),
    *("middle_out", "channels", "shuffled", "added", "skips", "skip_macs", "networks"),
)
_DELTAS, _BASE = "_latency_delta_lut", "_base.json"
_BASE_KEY = "all_k3_e1_latency_ms"
_DELTA = re.compile(f"({NAME})_delta_ms")
_LARGEST_JSON = 2**20

Float = NDArray[np.float64]


@dataclass(frozen=True)
class LayerCosts:
    """One cost (ms or mJ) of every FBNet: `base`, and a term for the block of each layer, shape (layers, blocks)."""

    name: str
    base: float
    terms: Float

    def of(self, genotypes: Genotypes) -> Float:
        """Costs of networks, shape (n,): of equal layers in another order exactly equal.

        >>> LayerCosts("mine", 2.0, np.ones((22, 9))).of([(0,) * 22])
        array([24.])
        """
        array = np.asarray(genotypes, dtype=np.int64).reshape(-1, LAYERS)
        # Rounded, because costs that differ by the order of a sum only must come out equal, and what costs nothing 0.
        costs: Float = (self.base + self.terms[np.arange(LAYERS), array].sum(1)).round(9) + 0.0
        return costs


LayerTables = dict[str, dict[str, LayerCosts]]


# imported tables ------------------------------------------------------------------------------------------------------


def import_layers(path: Path, data: Path, dataset: str | None = None) -> list[ImportedTable]:
    """Import a lookup table of FBNet into the folder `data`; returns the costs it brought, each known of every network.

    See `read_layers` for what can be read. Costs that were imported before for that dataset stay unless the file has
    them. Raises DataError that names file, place, value and fix; then nothing of the file is imported.
    """
    new = read_layers(path, dataset)
    for name, costs in new.items():
        _save(name, _load(_file(name, data)) | costs, data)
    return [_describe(name, title, its) for name, costs in new.items() for title, its in costs.items()]


def imported_layers(data: Path) -> list[ImportedTable]:
    """Every cost in the folder `data` that a lookup table of FBNet brought, by dataset; raises DataError."""
    return [_describe(name, title, its) for name in PUBLISHED for title, its in _load(_file(name, data)).items()]


def remove_layers(name: str, data: Path) -> list[ImportedTable]:
    """Remove the costs of that table name from the folder `data`, of both datasets; returns what they were."""
    removed = []
    for dataset in PUBLISHED:
        if own := {title: its for title, its in _load(_file(dataset, data)).items() if its.name == name}:
            drop_columns(_file(dataset, data), own)
            removed += [_describe(dataset, title, its) for title, its in own.items()]
    return removed


def holds_layers(path: Path) -> bool:
    """Whether a file is to be read as a lookup table of layers: any but a CSV of whole networks."""
    if is_pickle(path):
        return True
    with read_csv(path) as (header, _):
        return "arch_str" not in header


def load_layers(space: Space, dataset: str, data: Path) -> dict[str, LayerCosts]:
    """The imported costs of FBNet on a dataset by column (`raspi4_latency`); empty when there are none."""
    return _load(_file(dataset, data)) if space.name == SPACE and dataset in PUBLISHED else {}


def read_layers(path: Path, dataset: str | None = None) -> LayerTables:
    """The costs in a file, by dataset and column.

    path: HW-NAS-Bench's pickle, which has sums for both datasets; or a CSV `NAME_latency_delta_lut.csv` of differences
    (layer, op_index, op, DEVICE_delta_ms) from the network that is k3_e1 throughout, whose latencies are in
    `NAME_base.json` beside it, and whose dataset is told by the name.
    dataset: cifar100 or imagenet; only that of a pickle, or what a CSV is of. Raises DataError.
    """
    check_dataset_name(dataset)
    if dataset is not None and dataset not in PUBLISHED:
        raise DataError(f"FBNet has no dataset {dataset!r}. Allowed: {', '.join(PUBLISHED)}.")
    read = _read_official if is_pickle(path) else _read_deltas
    with readable(path):
        return read(path, dataset)


def _read_deltas(path: Path, dataset: str | None) -> LayerTables:
    name = table_name(path)
    dataset = dataset or next((d for d in PUBLISHED if d in name.lower()), None)
    if dataset is None:
        raise DataError(f"{path.name} does not say which dataset it is for. Pass --dataset {' or '.join(PUBLISHED)}.")
    with read_csv(path) as (header, rows):
        devices = [found[1] for found in map(_DELTA.fullmatch, dict.fromkeys(header)) if found]
        missing = [title for title in ("layer", "op_index", "op") if title not in header]
        if missing or not devices:
            raise DataError(
                f"{path} has no column {', '.join(missing) or 'DEVICE_delta_ms'}; it has {', '.join(header)[:200]}. "
                "Give layer, op_index, op and a column DEVICE_delta_ms for each device; or, of whole networks, "
                "arch_str and DEVICE_latency."
            )
        bases = _read_bases(path.with_name(name.removesuffix(_DELTAS) + _BASE), devices)
        terms = {d: np.full((LAYERS, len(BLOCKS)), np.nan) for d in devices}
        for number, row in rows:
            _add_row(f"{path}, row {number}", row, terms)
    found = {}
    for device, its in terms.items():
        if np.isnan(its).any():
            layer, op = np.argwhere(np.isnan(its))[0]
            raise DataError(f"{path} has no row for {BLOCKS[op]} in layer {layer}. Give all {its.size}.")
        if device not in bases:
            raise DataError(f"{path.with_name(name.removesuffix(_DELTAS) + _BASE)} has no base of {device}.")
        if abs(its[:, 0].sum()) > 1e-9 or bases[device] + its.min(1).sum() < -1e-9:
            raise DataError(f"{path}: {device}_delta_ms are not differences from the network that is k3_e1 throughout.")
        found[column(device, "latency")] = LayerCosts(name, bases[device], its)
    return {dataset: found}


def _add_row(place: str, row: Mapping[str, str], terms: dict[str, Float]) -> None:
    layer, op = number_of(row["layer"]), number_of(row["op_index"])
    if layer not in range(LAYERS) or op not in range(len(BLOCKS)):
        raise DataError(
            f"{place}: there is no block {row['op_index'][:20]!r} of layer {row['layer'][:20]!r}. Layers are 0 to "
            f"{LAYERS - 1}, blocks 0 to {len(BLOCKS) - 1}."
        )
    at = int(layer), int(op)
    if row["op"] != BLOCKS[at[1]]:
        raise DataError(f"{place}: block {at[1]} is {BLOCKS[at[1]]}, not {row['op'][:20]!r}.")
    for device, its in terms.items():
        given = row[f"{device}_delta_ms"]
        value = number_of(given)
        if not abs(value) < LARGEST:
            raise DataError(f"{place}: {device}_delta_ms is {given[:40]!r}. Give a number of milliseconds.")
        if not math.isnan(its[at]) and its[at] != value:
            raise DataError(f"{place}: layer {at[0]} has {row['op']} in an earlier row. Keep one row of each.")
        its[at] = value


def _read_bases(path: Path, devices: Iterable[str]) -> dict[str, float]:
    """Milliseconds of the network that is k3_e1 throughout, by device, for those of the devices that are there."""
    content = starts_with(path, _LARGEST_JSON + 1)
    try:
        given = json.loads(content)[_BASE_KEY] if len(content) <= _LARGEST_JSON else None
    except (ValueError, LookupError, TypeError, RecursionError):
        given = None
    bases = {d: number_of(given[d]) for d in devices if d in given} if isinstance(given, dict) else {}
    if not bases or not all(0 < value < LARGEST for value in bases.values()):
        raise DataError(f'{path} has no latencies. Give {{"{_BASE_KEY}": {{DEVICE: milliseconds, ...}}}}.')
    return bases


def _read_official(path: Path, dataset: str | None) -> LayerTables:
    content = load_plain(path)
    lookups = content.get(SPACE) if isinstance(content, dict) else None
    known = lookups.items() if isinstance(lookups, dict) else ()
    titles = {title: lookup for title, lookup in known if parse_column(title) and isinstance(lookup, dict)}
    if not titles:
        raise DataError(f"{path} holds nothing under {SPACE!r}, where HW-NAS-Bench keeps a lookup table of each cost.")
    found: LayerTables = {}
    for name in [dataset] if dataset else PUBLISHED:
        for title, lookup in titles.items():
            if costs := _summands(path, title, lookup, name):
                found.setdefault(name, {})[title] = costs
    if not found:
        raise DataError(f"{path}: the lookup tables of FBNet have nothing of {dataset or ' or '.join(PUBLISHED)}.")
    return found


def _summands(path: Path, title: str, lookup: Mapping[str, object], dataset: str) -> LayerCosts | None:
    """What an official lookup table has of a dataset; None where it has none of its keys."""
    rest, layers = official_keys(dataset)
    keys = [*rest, *(key for row in layers for key in row)]
    missing = [key for key in keys if key not in lookup]
    if len(missing) == len(keys):
        return None
    if missing:
        raise DataError(f"{path}: {title} of FBNet has no {missing[0]}, which {dataset} needs.")
    for key in keys:
        if not 0 <= number_of(lookup[key]) < LARGEST:
            raise DataError(f"{path}: {title} of {key} is {repr(lookup[key])[:40]}. Give a number of at least 0.")
    terms = np.array([[number_of(lookup[key]) for key in row] for row in layers])
    return LayerCosts(table_name(path), math.fsum(number_of(lookup[key]) for key in rest), terms)


def official_keys(dataset: str) -> tuple[list[str], list[list[str]]]:
    """The keys of HW-NAS-Bench's lookup tables that a dataset needs: of stem and head, and by layer and block.

    >>> official_keys("cifar100")[1][0][5]
    'ConvBlock_H32_W32_Cin16_Cout16_exp1_kernel5_stride1_group2'
    """
    of = DATASETS[dataset]
    its = plan(of.resolution)
    last, head = its.layers[-1], its.head
    end = f"H{last.size_out}_W{last.size_out}"
    rest = [
        f"ConvNorm_H{of.resolution}_W{of.resolution}_Cin{of.channels}_Cout{STEM}_kernel3_stride{its.stem_stride}_group1",
        f"ConvNorm_{end}_Cin{last.c_out}_Cout{head}_kernel1_stride1_group1",
        f"AvgP_{end}_Cin{head}_Cout{head}_kernel{last.size_out}_stride1",
        f"FC_Cin{head}_Cout{of.classes}",
    ]
    return rest, [[_official_key(layer, name) for name in BLOCKS] for layer in its.layers]


def _official_key(layer: Layer, name: str) -> str:
    shape = f"H{layer.size}_W{layer.size}_Cin{layer.c_in}_Cout{layer.c_out}"
    if name == "skip":
        return f"Skip_{shape}_stride{layer.stride}"
    its = block(name)
    return f"ConvBlock_{shape}_exp{its.expansion}_kernel{its.kernel}_stride{layer.stride}_group{its.groups}"


def _file(dataset: str, data: Path) -> Path:
    return data / f"{PREFIX}.{SPACE}.{dataset}.npz"


def _describe(dataset: str, title: str, costs: LayerCosts) -> ImportedTable:
    device, objective = parse_column(title)  # type: ignore[misc]  # no other is loaded
    return ImportedTable(SPACE, dataset, device, objective, costs.name, len(BLOCKS) ** LAYERS, 0)


def _save(dataset: str, costs: Mapping[str, LayerCosts], data: Path) -> None:
    arrays: dict[str, NDArray[Any]] = {"columns": np.array(list(costs))}
    for title, its in costs.items():
        arrays[f"{title}.name"], arrays[f"{title}.base"] = np.array(its.name), np.array(its.base)
        arrays[f"{title}.terms"] = its.terms
    save_arrays(_file(dataset, data), arrays)


def _load(path: Path) -> dict[str, LayerCosts]:
    if not path.exists():
        return {}
    stat = path.stat()
    return dict(_load_version(path, stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=32)
def _load_version(path: Path, _mtime: int, _size: int) -> dict[str, LayerCosts]:
    """What a file held at that time; a new import changes the time, and so is seen by a running server."""
    return load_arrays(path, _costs_in)


def _costs_in(file: Mapping[str, Any]) -> dict[str, LayerCosts]:
    found = {}
    for title in (str(t) for t in file["columns"]):
        if parse_column(title):
            terms = np.asarray(file[f"{title}.terms"], dtype=np.float64).reshape(LAYERS, len(BLOCKS))
            found[title] = LayerCosts(str(file[f"{title}.name"]), float(file[f"{title}.base"]), terms)
    return found


# what was fitted ------------------------------------------------------------------------------------------------------


@cache
def fits(space: Space) -> dict[tuple[str, str], Fit]:
    """The costs that were fitted for FBNet, by (dataset, column), with their errors on random networks held out.

    Of any other space there are none here.

    >>> from llmnas_mcp.spaces.fbnet.space import FBNet
    >>> fits(FBNet())["cifar100", "pixel3_latency"].error < 0.01
    True
    """
    return {(dataset, title): fit for dataset, title, fit, _ in _fitted()} if space.name == SPACE else {}


def predict(space: Space, genotypes: Genotypes, dataset: str, title: str) -> Float:
    """One fitted cost of each FBNet, shape (n,), in ms; raises KeyError for what is not among `fits(space)`.

    >>> from llmnas_mcp.spaces.fbnet.space import FBNet
    >>> predict(FBNet(), [(0,) * 22], "cifar100", "pixel3_latency").round(1)
    array([7.6])
    """
    if space.name == SPACE:
        for name, of, _, weights in _fitted():
            if (name, of) == (dataset, title):
                return evaluate(weights, genotypes, FITTED[dataset])
    raise KeyError((dataset, title))


def _fitted() -> Iterator[tuple[str, str, Fit, Float]]:
    """Dataset, column, figures and weights of each fit."""
    for resolution in sorted(set(FITTED.values())):
        model = load(FOLDER / f"{SPACE}-{resolution}px.npz")
        figures = zip(*(model[name] for name in ("columns", "error", "spearman", "held_out")), strict=True)
        for i, (name, error, spearman, count) in enumerate(figures):
            dataset, title = str(name).split("/")
            yield dataset, title, Fit(0, i, float(error), float(spearman), int(count)), model["weights"][:, i]


def evaluate(weights: Float, genotypes: Genotypes, resolution: int) -> Float:
    """Costs by weights (features,) of networks (n, layers), shape (n,)."""
    costs: Float = (features(genotypes, resolution) @ weights).round(9)
    return costs


def features(genotypes: Genotypes, resolution: int) -> Float:
    """The work of networks for pictures of `resolution` pixels a side: whole numbers, shape (n, FEATURES).

    >>> features([(8,) * 22], 32)[0, [FEATURES.index("skips"), FEATURES.index("networks")]]
    array([6., 1.])
    """
    array = np.asarray(genotypes, dtype=np.int64).reshape(-1, LAYERS)
    found: Float = _work(resolution)[np.arange(LAYERS), array].sum(1)
    found[:, FEATURES.index("networks")] = 1
    return found


@cache
def _work(resolution: int) -> Float:
    """FEATURES by layer and block, shape (layers, blocks, features)."""
    every = [[work(layer, name) for name in BLOCKS] for layer in plan(resolution).layers]
    return np.array([[[float(its.get(feature, 0)) for feature in FEATURES] for its in row] for row in every])


def work(layer: Layer, name: str) -> dict[str, int]:
    """What a block does in a layer, by those of FEATURES that are not 0: none for an identity.

    `expand`, `depthwise3`, `depthwise5` and `project` are multiply-accumulates of its convolutions by kind, `weights`
    the weights of its 1x1 convolutions, `given`, `middle_in`, `middle_out`, `shuffled` and `added` the numbers that are
    read, that lie between its convolutions, are shuffled, and added by a residual; `channels` are the channels between.
    """
    pixels, pixels_out = layer.size**2, layer.size_out**2
    if name == "skip":
        return {} if layer.keeps_shape else {"skips": 1, "skip_macs": layer.c_in * layer.c_out * pixels_out}
    its = block(name)
    middle = layer.c_in * its.expansion
    grouped = int(its.groups > 1)
    return {
        "blocks": 1,
        "grouped": grouped,
        "expand": layer.c_in * middle * pixels // its.groups,
        f"depthwise{its.kernel}": middle * its.kernel**2 * pixels_out,
        "project": middle * layer.c_out * pixels_out // its.groups,
        "weights": middle * (layer.c_in + layer.c_out) // its.groups,
        "given": layer.c_in * pixels,
        "middle_in": middle * pixels,
        "middle_out": middle * pixels_out,
        "channels": middle,
        "shuffled": grouped * middle * pixels,
        "added": layer.c_out * pixels_out if layer.keeps_shape else 0,
    }
