"""Costs of FBNets: by imported lookup tables, exactly, and by the shipped fit, against the published table."""

from __future__ import annotations

import csv
import json
import math
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr

from llmnas_mcp.devices.layers import (
    FEATURES,
    LayerCosts,
    fits,
    import_layers,
    imported_layers,
    load_layers,
    predict,
    read_layers,
)
from llmnas_mcp.devices.predictor import FOLDER
from llmnas_mcp.devices.tables import ImportedTable, imported_tables
from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import Genotype, get_space
from llmnas_mcp.spaces.fbnet.plan import BLOCKS
from llmnas_mcp.spaces.fbnet.space import FBNet

SPACE = FBNet()
DEVICES = ("raspi4", "pixel3", "eyeriss", "fpga")
FBNETS = st.tuples(*[st.integers(0, 8)] * 22)
BARS = {"raspi4": (0.98, 0.025), "pixel3": (0.998, 0.006), "eyeriss": (0.995, 0.007), "fpga": (0.995, 0.015)}
CSV, BASE = "fbnet_cifar100_latency_delta_lut.csv", "fbnet_cifar100_base.json"


def networks(count: int, seed: int = 3) -> list[Genotype]:
    return [tuple(row) for row in np.random.default_rng(seed).integers(9, size=(count, 22)).tolist()]


# the table as published, summed here ----------------------------------------------------------------------------


def published(folder: Path, device: str, genotypes: list[Genotype]) -> NDArray[np.float64]:
    """Milliseconds by the CSV and its base, added up without our reader."""
    with (folder / CSV).open() as file:
        deltas = {(int(r["layer"]), int(r["op_index"])): float(r[f"{device}_delta_ms"]) for r in csv.DictReader(file)}
    base = json.loads((folder / BASE).read_text())["all_k3_e1_latency_ms"][device]
    return np.array([math.fsum([base, *(deltas[pair] for pair in enumerate(genotype))]) for genotype in genotypes])


@pytest.mark.parametrize("device", DEVICES)
def test_an_imported_table_gives_the_published_latencies(measured: Path, data: Path, device: str) -> None:
    import_layers(measured / CSV, data)
    costs = load_layers(SPACE, "cifar100", data)[f"{device}_latency"]
    genotypes = [(0,) * 22, *networks(200)]
    assert costs.of(genotypes) == pytest.approx(published(measured, device, genotypes), rel=1e-6)


def test_a_network_of_skips_alone_costs_an_fpga_nothing(measured: Path) -> None:
    costs = read_layers(measured / CSV)["cifar100"]["fpga_latency"].of([(8,) * 22])
    assert costs.tolist() == [0.0]
    assert not np.signbit(costs[0])


@pytest.mark.parametrize("device", BARS)
def test_latencies_of_networks_never_seen_are_estimated(measured: Path, device: str) -> None:
    genotypes = networks(2000)
    truth = published(measured, device, genotypes)
    found = predict(SPACE, genotypes, "cifar100", f"{device}_latency")
    fit, error = fits(SPACE)["cifar100", f"{device}_latency"], np.median(np.abs(found / truth - 1))
    least, most = BARS[device]
    assert spearmanr(found, truth)[0] >= least
    assert error <= most
    # The figures that are shipped are of other networks drawn in the same way.
    assert fit.error == pytest.approx(error, rel=0.15)
    assert fit.spearman == pytest.approx(spearmanr(found, truth)[0], abs=0.004)


# what is shipped ----------------------------------------------------------------------------


def test_four_devices_have_a_fitted_latency() -> None:
    assert sorted(fits(SPACE)) == sorted(("cifar100", f"{device}_latency") for device in DEVICES)
    assert all(fit.held_out >= 1000 and 0 < fit.error < 0.03 for fit in fits(SPACE).values())


def test_of_other_spaces_and_datasets_nothing_is_known_here(data: Path) -> None:
    other = get_space("nasbench201")
    assert fits(other) == {}
    assert load_layers(other, "cifar100", data) == {}
    assert load_layers(SPACE, "../cifar100", data) == {}
    for space, dataset in ((other, "cifar100"), (SPACE, "imagenet")):
        with pytest.raises(KeyError):
            predict(space, [(0,) * 22], dataset, "raspi4_latency")


def test_the_shipped_file_has_too_few_numbers_to_be_the_table() -> None:
    with np.load(FOLDER / "fbnet-32px.npz", allow_pickle=False) as file:
        # The table has a term for each of 12 shapes and 9 blocks, for each device.
        assert file["weights"].shape == (len(FEATURES), len(DEVICES))
        assert len(FEATURES) <= 16
        assert (file["weights"] >= 0).all()
        assert sum(array.size for name, array in file.items() if name not in ("weights", "features")) <= 4 * 6


def test_the_table_cannot_be_told_from_the_shipped_file(measured: Path) -> None:
    for device in DEVICES:
        base, changed = (
            [(0,) * 22] * 176,
            [tuple(o if i == j else 0 for i in range(22)) for j in range(22) for o in range(1, 9)],
        )
        title = f"{device}_latency"
        told = predict(SPACE, changed, "cifar100", title) - predict(SPACE, base, "cifar100", title)
        truth = published(measured, device, changed) - published(measured, device, base)
        assert np.median(np.abs(told - truth) / np.abs(truth).clip(1e-3)) > 0.04


@given(st.lists(FBNETS, max_size=20))
def test_a_canonical_network_costs_what_it_stands_for_and_none_depends_on_others(genotypes: list[Genotype]) -> None:
    made = LayerCosts("made", 1.0, np.random.default_rng(0).random((12, 9))[SHAPE_OF])
    for price in (made.of, lambda asked: predict(SPACE, asked, "cifar100", "eyeriss_latency")):
        costs = price(genotypes).tolist()
        assert price([SPACE.canonical(genotype) for genotype in genotypes]).tolist() == costs
        assert [price([genotype])[0] for genotype in genotypes] == costs


# Layer -> which of the twelve shapes it has: one for the first layer, two a stage of four, one for the last.
SHAPE_OF = [0, *(shape for stage in range(5) for shape in [2 * stage + 1, *[2 * stage + 2] * 3]), 11]


# HW-NAS-Bench's pickle ----------------------------------------------------------------------------


def walk(dataset: str, genotype: Genotype) -> list[str]:
    """The keys whose costs HW-NAS-Bench adds up for a network, in the order of its own `fbnet_get_metrics`."""
    small = dataset == "cifar100"
    size, stem_stride, head, classes = (32, 1, 1504, 100) if small else (224, 2, 1984, 1000)
    keys = [f"ConvNorm_H{size}_W{size}_Cin3_Cout16_kernel3_stride{stem_stride}_group1"]
    size, c_in, layer = size // stem_stride, 16, 0
    strides = [1, 1, 2, 2, 1, 2, 1] if small else [1, 2, 2, 2, 1, 2, 1]
    for count, c_out, first in zip([1, 4, 4, 4, 4, 4, 1], [16, 24, 32, 64, 112, 184, 352], strides, strict=True):
        for i in range(count):
            stride = first if i == 0 else 1
            shape = f"H{size}_W{size}_Cin{c_in}_Cout{c_out}"
            kernel, expansion, group = [
                *((3, 1, 1), (3, 1, 2), (3, 3, 1), (3, 6, 1), (5, 1, 1), (5, 1, 2), (5, 3, 1), (5, 6, 1), (0, 0, 0))
            ][genotype[layer]]
            keys.append(
                f"ConvBlock_{shape}_exp{expansion}_kernel{kernel}_stride{stride}_group{group}"
                if kernel
                else f"Skip_{shape}_stride{stride}"
            )
            size, c_in, layer = size // stride, c_out, layer + 1
    return [
        *keys,
        f"ConvNorm_H{size}_W{size}_Cin352_Cout{head}_kernel1_stride1_group1",
        f"AvgP_H{size}_W{size}_Cin{head}_Cout{head}_kernel{size}_stride1",
        f"FC_Cin{head}_Cout{classes}",
    ]


def official(*datasets: str) -> dict[str, Any]:
    """The layout of HW-NAS-Bench, with made-up numbers; an identity costs nothing, as there on some devices."""
    rng = np.random.default_rng(0)
    keys = {key: None for d in datasets for op in range(9) for key in walk(d, (op,) * 22)}
    tables = {
        title: {key: 0 if key.startswith("Skip") else float(rng.random()) for key in keys}
        for title in ("edgegpu_latency", "edgegpu_energy", "raspi4_latency")
    }
    return {"nasbench201": {}, "fbnet": tables}


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def to(content: object) -> Path:
        path = tmp_path / "HW-NAS-Bench-v1_0.pickle"
        path.write_bytes(pickle.dumps(content))
        return path

    return to


def test_the_official_pickle_adds_up_to_what_its_own_code_gives(data: Path, save: Callable[..., Path]) -> None:
    content = official("cifar100", "imagenet")
    imported = import_layers(save(content), data)
    assert imported == imported_layers(data)
    assert imported[0] == ImportedTable("fbnet", "cifar100", "edgegpu", "latency", "HW-NAS-Bench-v1_0", 9**22, 0)
    assert [(t.dataset, t.device, t.objective) for t in imported[3:]] == [
        ("imagenet", "edgegpu", "latency"),
        ("imagenet", "edgegpu", "energy"),
        ("imagenet", "raspi4", "latency"),
    ]
    genotypes = networks(50)
    for dataset in ("cifar100", "imagenet"):
        for title, costs in load_layers(SPACE, dataset, data).items():
            lookup = content["fbnet"][title]
            told = [sum(lookup[key] for key in walk(dataset, genotype)) for genotype in genotypes]
            assert costs.of(genotypes) == pytest.approx(told, rel=1e-9)
    assert imported_tables(data) == []  # they are not a column of costs of cells


def test_of_a_pickle_the_dataset_named_is_imported_and_what_it_lacks_is_not_missed(
    data: Path, save: Callable[..., Path]
) -> None:
    both, small = official("cifar100", "imagenet"), official("cifar100")
    assert {t.dataset for t in import_layers(save(both), data, "imagenet")} == {"imagenet"}
    assert {t.dataset for t in import_layers(save(small), data)} == {"cifar100"}
    with pytest.raises(DataError, match="have nothing of imagenet"):
        import_layers(save(small), data, "imagenet")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("fbnet"), "holds nothing under 'fbnet'"),
        (lambda c: c.update(fbnet={"cifar100": {"x": 1}}), "holds nothing under 'fbnet'"),
        (
            lambda c: c["fbnet"]["raspi4_latency"].pop("FC_Cin1504_Cout100"),
            "no FC_Cin1504_Cout100, which cifar100 needs",
        ),
        (lambda c: c["fbnet"]["raspi4_latency"].update(FC_Cin1504_Cout100=-1), "FC_Cin1504_Cout100 is -1"),
        (lambda c: c["fbnet"]["raspi4_latency"].update(FC_Cin1504_Cout100=math.nan), "is nan. Give a number"),
        (lambda c: c["fbnet"]["raspi4_latency"].update(FC_Cin1504_Cout100="fast"), "is 'fast'. Give a number"),
        (lambda c: c["fbnet"].update(x=os.system), "refused the global"),
    ],
)
def test_a_pickle_that_is_no_lookup_table_is_refused_and_leaves_nothing(
    data: Path, save: Callable[..., Path], change: Callable[[dict[str, Any]], object], message: str
) -> None:
    content = official("cifar100")
    change(content)
    with pytest.raises(DataError, match=message):
        import_layers(save(content), data)
    assert not data.exists()


# a CSV of differences ----------------------------------------------------------------------------


def rows() -> list[dict[str, object]]:
    return [
        {"layer": layer, "op_index": i, "op": op, "raspi4_delta_ms": i * (layer + 1) / 8, "fpga_delta_ms": -i / 1000}
        for layer in range(22)
        for i, op in enumerate(BLOCKS)
    ]


@pytest.fixture
def written(tmp_path: Path, write: Callable[..., Path]) -> Callable[..., Path]:
    """Writes differences, changed as said, and their bases."""

    def make(change: Callable[[list[dict[str, object]]], object] = len, base: object = None) -> Path:
        made = rows()
        change(made)
        given = {"all_k3_e1_latency_ms": {"raspi4": 10.5, "fpga": 3}} if base is None else base
        (tmp_path / BASE).write_text(given if isinstance(given, str) else json.dumps(given))
        return write(CSV, made)

    return make


def test_differences_are_added_to_the_network_they_are_differences_from(
    data: Path, written: Callable[..., Path]
) -> None:
    imported = import_layers(written(), data)
    assert [(t.dataset, t.device, t.objective, t.name) for t in imported] == [
        ("cifar100", "raspi4", "latency", "fbnet_cifar100_latency_delta_lut"),
        ("cifar100", "fpga", "latency", "fbnet_cifar100_latency_delta_lut"),
    ]
    costs = load_layers(SPACE, "cifar100", data)["raspi4_latency"]
    assert costs.of([(0,) * 22, (0,) * 21 + (8,), (1,) + (0,) * 21]).tolist() == [10.5, 32.5, 10.625]


def test_importing_again_replaces_what_the_file_has_and_keeps_the_rest(
    data: Path, written: Callable[..., Path]
) -> None:
    import_layers(written(), data)
    import_layers(
        written(lambda made: [row.pop("fpga_delta_ms") for row in made], {"all_k3_e1_latency_ms": {"raspi4": 20}}), data
    )
    costs = load_layers(SPACE, "cifar100", data)
    assert [costs[f"{device}_latency"].base for device in ("raspi4", "fpga")] == [20, 3]


def test_the_dataset_can_be_named(data: Path, written: Callable[..., Path]) -> None:
    assert {t.dataset for t in import_layers(written(), data, "imagenet")} == {"imagenet"}
    with pytest.raises(DataError, match=r"FBNet has no dataset 'cifar10'\. Allowed: cifar100, imagenet"):
        import_layers(written(), data, "cifar10")


def put(**values: object) -> Callable[[list[dict[str, object]]], object]:
    return lambda made: made[13].update(values)  # layer 1, k5_e1


@pytest.mark.parametrize(
    ("change", "base", "message"),
    [
        (lambda made: made.pop(), None, "has no row for skip in layer 21. Give all 198"),
        (lambda made: [row.pop("op") for row in made], None, "has no column op; it has layer"),
        (
            lambda made: [(row.pop("raspi4_delta_ms"), row.pop("fpga_delta_ms")) for row in made],
            None,
            "DEVICE_delta_ms",
        ),
        (put(layer=22), None, "row 15: there is no block '4' of layer '22'"),
        (put(layer="1.5"), None, "row 15: there is no block"),
        (put(op="k5_e3"), None, "row 15: block 4 is k5_e1, not 'k5_e3'"),
        (put(fpga_delta_ms="fast"), None, "row 15: fpga_delta_ms is 'fast'"),
        (put(fpga_delta_ms="nan"), None, "row 15: fpga_delta_ms is 'nan'"),
        (put(op="k3_e1", op_index=0), None, "row 15: layer 1 has k3_e1 in an earlier row"),
        (lambda made: made[0].update(fpga_delta_ms=1), None, "not differences from the network that is k3_e1"),
        (put(fpga_delta_ms=-4), None, "not differences from the network that is k3_e1"),
        (len, "", "has no latencies. Give"),
        (len, "[" * 100_000, "has no latencies. Give"),
        (len, {"all_k3_e1_latency_ms": {"raspi4": -1}}, "has no latencies. Give"),
        (len, {"all_k3_e1_latency_ms": {"raspi4": 9}}, "has no base of fpga"),
    ],
)
def test_malformed_differences_are_refused_and_leave_nothing(
    data: Path, written: Callable[..., Path], change: Callable[..., object], base: object, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        import_layers(written(change, base), data)
    assert not data.exists()


def test_a_missing_base_is_named(tmp_path: Path, data: Path, written: Callable[..., Path]) -> None:
    path = written()
    (tmp_path / BASE).unlink()
    with pytest.raises(DataError, match=f"{BASE} cannot be read"):
        import_layers(path, data)


def test_a_damaged_import_says_what_to_do(data: Path) -> None:
    data.mkdir()
    (data / "layers.fbnet.cifar100.npz").write_bytes(b"not a zip")
    for ask in (lambda: load_layers(SPACE, "cifar100", data), lambda: imported_layers(data)):
        with pytest.raises(DataError, match="Delete it and import the table again"):
            ask()
