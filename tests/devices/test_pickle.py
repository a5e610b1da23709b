from __future__ import annotations

import collections
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmnas_mcp import unpickler
from llmnas_mcp.devices.tables import import_table, imported_tables, load_columns
from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import Space
from llmnas_mcp.unpickler import load_plain

CELLS = [(3, 3, 3, 3, 3, 3), (3, 0, 3, 0, 0, 3), (0, 0, 0, 1, 0, 0)]
Save = Callable[..., Path]


def official(space: Space, **metrics: Any) -> dict[str, Any]:
    """The layout of HW-NAS-Bench, with made-up numbers."""
    config = [{"name": "infer.tiny", "C": 16, "N": 5, "arch_str": space.format(cell)} for cell in CELLS]
    given = {"raspi4_latency": [1.5, 2.5, 3.5], "edgetpu_latency": [1.0, -1, 2.0], "average_hw_metric": [0, 0, 0]}
    dataset = {**given, **metrics, "config": config}
    return {"nasbench201": {"cifar10": dataset, "ImageNet16-120": dataset}, "fbnet": {"cifar100": {"x": 1}}}


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def to(content: object, protocol: int = 4, name: str = "hw.pickle") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
        return path

    return to


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "form",
    [list, np.array, lambda v: [np.float64(x) for x in v], lambda v: np.array(v, dtype=object), tuple],
    ids=["list", "array", "numbers of numpy", "array of objects", "tuple"],
)
def test_the_official_pickle_is_imported_in_every_form(
    space: Space, data: Path, save: Save, protocol: int, form: Callable[[list[float]], Any]
) -> None:
    content = official(space, raspi4_latency=form([1.5, 2.5, 3.5]))
    imported = import_table(save(content, protocol), space, data)
    assert [(t.dataset, t.device, t.name, t.cells, t.cannot_run) for t in imported] == [
        ("cifar10", "raspi4", "hw", 3, 0),
        ("cifar10", "edgetpu", "hw", 2, 1),
        ("ImageNet16-120", "raspi4", "hw", 3, 0),
        ("ImageNet16-120", "edgetpu", "hw", 2, 1),
    ]
    column = load_columns(space, "ImageNet16-120", data)["raspi4_latency"]
    assert column.values[column.rows_of(CELLS)].tolist() == [1.5, 2.5, 3.5]


def test_a_pickle_makes_a_device_of_any_name(space: Space, data: Path, save: Save) -> None:
    imported = import_table(save(official(space, pi5_memory=[1, 2, 3])), space, data, "cifar10")
    assert [t.device for t in imported] == ["raspi4", "edgetpu", "pi5"]
    column = load_columns(space, "cifar10", data)["pi5_memory"]
    assert column.values[column.rows_of(CELLS)].tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", [">f8", "<f4", "i8", "u1"])
def test_numbers_of_any_width_and_order_are_read(save: Save, kind: str) -> None:
    assert load_plain(save(np.array([1, 2, 3], dtype=kind))) == [1, 2, 3]


def test_one_dataset_can_be_chosen(space: Space, data: Path, save: Save) -> None:
    import_table(save(official(space)), space, data, dataset="cifar10")
    assert {t.dataset for t in imported_tables(data)} == {"cifar10"}


def test_a_dataset_that_is_not_in_the_pickle_is_refused_with_those_that_are(
    space: Space, data: Path, save: Save
) -> None:
    with pytest.raises(DataError, match=r"no dataset 'flowers'\. It has: cifar10, ImageNet16-120"):
        import_table(save(official(space)), space, data, dataset="flowers")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds nothing under 'nasbench201'"),
        ({"nasbench201": {}}, "holds nothing under 'nasbench201'"),
        ({"nasbench201": {"cifar10": {"config": []}}}, "no cost column"),
        ({"nasbench201": {"cifar10": {"fpga_latency": [1]}}}, "config must be a list"),
        ({"nasbench201": {"cifar10": {"fpga_latency": [1], "config": []}}}, "config must be a list as long"),
        ({"nasbench201": {"cifar10": {"fpga_latency": [], "config": []}}}, "has no rows"),
        ({"nasbench201": {"cifar10": {"fpga_latency": [1], "config": [{}]}}}, "index 0: Not a NAS-Bench-201 cell"),
        ({"nasbench201": {"cifar10": {"fpga_latency": [1], "config": [7]}}}, "index 0: Not a NAS-Bench-201 cell"),
    ],
)
def test_a_pickle_of_another_layout_is_refused(
    space: Space, data: Path, save: Save, content: object, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        import_table(save(content), space, data)
    assert not data.exists()


@pytest.mark.parametrize("value", [[1], {}, None, "fast", -3, float("nan"), 10**400])
def test_a_bad_value_is_refused_with_its_index(space: Space, data: Path, save: Save, value: object) -> None:
    path = save(official(space, raspi4_latency=[1.0, value, 2.0]))
    if value is None:
        assert import_table(path, space, data)[0].cells == 2
        return
    with pytest.raises(DataError, match="cifar10, index 1: raspi4_latency is"):
        import_table(path, space, data)
    assert not data.exists()


class Call:
    """Pickled, it asks for a call when read."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: {"nasbench201": {"cifar10": {"fpga_latency": [c]}}}])
def test_a_pickle_that_wants_to_run_a_command_is_refused_and_runs_nothing(
    space: Space, data: Path, save: Save, tmp_path: Path, protocol: int, wrap: Callable[[object], object]
) -> None:
    mark = tmp_path / "ran"
    path = save(wrap(Call(os.system, f"touch {mark}")), protocol)
    with pytest.raises(DataError, match=f"refused the global {os.name}.system"):
        import_table(path, space, data)
    assert not mark.exists()
    assert not data.exists()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (pickle.dumps(Call(eval, "1")), "builtins.eval"),
        (pickle.dumps(Call(getattr, [], "pop")), "builtins.getattr"),
        (pickle.dumps(Call(np.load, "x")), "numpy.load"),
        (pickle.dumps(collections.Counter("ab")), "collections.Counter"),
        (pickle.dumps(Path("x")), "pathlib"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "os.system"),
        (b"\x80\x04\x8c\x0bcollections\x8c\x15OrderedDict.__class__\x93.", "OrderedDict.__class__"),
        (b"\x80\x02cnumpy.core.multiarray\nscalar.__globals__\n.", "scalar.__globals__"),
    ],
)
def test_the_refusal_names_the_global(save: Save, content: bytes, name: str) -> None:
    with pytest.raises(DataError, match="refused the global .*" + name.replace(".", r"\.")):
        load_plain(save(content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80",
        b"\x80\x04.",
        b"\x80\x63N.",
        b"N",
        b"P1\n.",
        b"\x80\x02NQ.",
        b"\x80\x02\x82\x01.",
        b"]" + b"\x85" * 3 + b"\x85" * 10**6 + b".",
        b"}" + b")" + b"\x85" * 10**6 + b"Ns.",
        b"}" + b")" + b"2\x86" * 200 + b"Ns.",
        b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b"x.",
        b"\x80\x05\x96" + (2**62).to_bytes(8, "little") + b"x.",
        b"\x80\x04\x95" + (2**63).to_bytes(8, "little") + b"N.",
        b"\x80\x02\x8b" + (2**31 - 1).to_bytes(4, "little") + b"x.",
        b"Nr\xff\xff\xff\xff.."[:-3],
        b"I" + b"9" * 10**5 + b"\n.",
        b"\x80\x02ccollections\nOrderedDict\n}U\x08__init__Nsb.",
        b"\x80\x02cnumpy\ndtype\n(U\x05f8,f8K\x00K\x01tRcnumpy.core.multiarray\nscalar\n0.",
        b"]]" * 10 + b"R.",
    ],
    ids=range(20),
)
def test_a_hostile_pickle_is_refused_or_read_as_harmless(space: Space, data: Path, save: Save, content: bytes) -> None:
    with pytest.raises(DataError):
        import_table(save(content), space, data)


@pytest.mark.thorough
def test_deeply_nested_lists_do_no_harm(space: Space, data: Path, save: Save) -> None:
    with pytest.raises(DataError, match="holds nothing under"):
        import_table(save(b"]" * 10**6 + b"a" * (10**6 - 1) + b"."), space, data)


def test_arrays_of_anything_but_numbers_are_refused(save: Save) -> None:
    with pytest.raises(DataError, match="refused a numpy array of type"):
        load_plain(save(np.zeros(2, dtype="f8,i4")))


def test_a_file_too_large_is_refused(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpickler, "MAX_BYTES", 2**20)
    with pytest.raises(DataError, match="larger than 1 MB"):
        load_plain(save(b"N" * (2**20 + 1)))


def test_plain_data_is_read_as_pickle_reads_it(save: Save) -> None:
    content = {"a": [1, -(2**70), 1.5, "é", b"x", None, True], "b": ((1, 2), {3: 4}), "c": collections.OrderedDict(x=1)}
    for protocol in range(2, 6):
        path = save(content, protocol)
        assert load_plain(path) == content
