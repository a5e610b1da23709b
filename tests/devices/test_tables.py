from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmnas_mcp import measured as shared
from llmnas_mcp.devices.importers import Column
from llmnas_mcp.devices.tables import ImportedTable, import_table, imported_tables, load_columns
from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import Space, get_space
from tests.thorough import examples

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
OTHER = CELL.replace("skip_connect", "none")
Write = Callable[..., Path]


def values(column: Column, *architectures: str) -> list[float]:
    """What a column has of these; NaN for what cannot run."""
    rows = column.rows_of([get_space("nasbench201").parse(architecture) for architecture in architectures])
    assert (rows >= 0).all()
    return column.values[rows].tolist()


@pytest.mark.parametrize("name", ["bench_cifar100.csv.gz", "bench_cifar100.csv"])
def test_a_csv_is_imported_for_the_dataset_its_name_ends_in(space: Space, data: Path, write: Write, name: str) -> None:
    rows: list[dict[str, object]] = [
        {"index": 0, "arch_str": CELL, "raspi4_latency": 1.25, "edgetpu_latency": -1, "eyeriss_energy": ""},
        {"index": 1, "arch_str": OTHER, "raspi4_latency": 2.5, "edgetpu_latency": 3, "eyeriss_energy": 4},
    ]
    imported = import_table(write(name, rows), space, data)
    assert imported == [
        ImportedTable("nasbench201", "cifar100", "raspi4", "latency", "bench_cifar100", 2, 0),
        ImportedTable("nasbench201", "cifar100", "edgetpu", "latency", "bench_cifar100", 1, 1),
        ImportedTable("nasbench201", "cifar100", "eyeriss", "energy", "bench_cifar100", 1, 0),
    ]
    assert imported_tables(data) == imported
    columns = load_columns(space, "cifar100", data)
    assert values(columns["raspi4_latency"], CELL, OTHER) == [1.25, 2.5]
    assert np.isnan(values(columns["edgetpu_latency"], CELL, OTHER)).tolist() == [True, False]
    assert columns["edgetpu_latency"].cannot_run.tolist() == [True, False]
    assert columns["eyeriss_energy"].rows_of([space.parse(CELL)]).tolist() == [-1]


def test_importing_again_adds_columns_and_replaces_cells(space: Space, data: Path, write: Write) -> None:
    first = [{"arch_str": CELL, "fpga_latency": 1}, {"arch_str": OTHER, "fpga_latency": 2}]
    import_table(write("one_cifar10.csv", first), space, data)
    second = [{"arch_str": OTHER, "fpga_latency": 5, "fpga_energy": 6}]
    import_table(write("two_cifar10.csv", second), space, data)
    columns = load_columns(space, "cifar10", data)
    assert values(columns["fpga_latency"], CELL, OTHER) == [1, 5]
    assert [columns[f"fpga_{o}"].name for o in ("latency", "energy")] == ["one_cifar10+two_cifar10", "two_cifar10"]
    assert [t.cells for t in imported_tables(data)] == [2, 1]


@pytest.mark.parametrize("dataset", ["flowers", "A.b_c-9", "x" * 64])
def test_any_dataset_name_will_do(space: Space, data: Path, write: Write, dataset: str) -> None:
    path = write("t_cifar10.csv", [{"arch_str": CELL, "fpga_latency": 1}])
    assert [t.dataset for t in import_table(path, space, data, dataset=dataset)] == [dataset]


@pytest.mark.parametrize("dataset", ["", "a/b", "a b", "x" * 65, "é"])
def test_a_dataset_name_that_is_no_name_is_refused(space: Space, data: Path, write: Write, dataset: str) -> None:
    path = write("t_cifar10.csv", [{"arch_str": CELL, "fpga_latency": 1}])
    with pytest.raises(DataError, match="is no dataset name"):
        import_table(path, space, data, dataset=dataset)


def test_a_file_name_without_a_dataset_asks_for_one(space: Space, data: Path, write: Write) -> None:
    path = write("mine.csv", [{"arch_str": CELL, "fpga_latency": 1}])
    with pytest.raises(DataError, match=r"mine\.csv does not say.*Pass --dataset NAME"):
        import_table(path, space, data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column arch_str"),
        ("index,fpga_latency\n0,1\n", "no column arch_str; it has index, fpga_latency"),
        (f"arch_str,latency\n{CELL},1\n", "no cost column.*raspi4_latency"),
        ("arch_str,fpga_latency\n", "has no rows"),
        (f"arch_str,fpga_latency\n{CELL},1\nrubbish,1\n", "row 3: Not a NAS-Bench-201 cell"),
        (f"arch_str,fpga_latency\n{CELL},fast\n", "row 2: fpga_latency is 'fast'"),
        (f"arch_str,fpga_latency\n{CELL},-2\n", "row 2: fpga_latency is '-2'"),
        (f"arch_str,fpga_latency\n{CELL},0\n", "row 2: fpga_latency is '0'"),
        (f"arch_str,fpga_latency\n{CELL},inf\n", "row 2: fpga_latency is 'inf'"),
        (f"arch_str,fpga_latency\n{CELL},nan\n", "row 2: fpga_latency is 'nan'"),
        (f"arch_str,fpga_energy\n{CELL},-1\n", "row 2: fpga_energy is '-1'"),
        (f"arch_str,fpga_memory\n{CELL},-1\n", "row 2: fpga_memory is '-1'.*ms, mJ or MB"),
        (f"arch_str,fpga_latency\n{CELL},1\n{CELL},2\n", "row 3: fpga_latency of .* is 2, but 1 in an earlier row"),
        (f"arch_str,fpga_latency\n{CELL},1,9\n", "row 2: 3 values, but the header has 2"),
        (f'arch_str,fpga_latency\n"{CELL},1\n', "is not CSV"),
    ],
)
def test_a_malformed_csv_is_refused_with_its_row_and_leaves_nothing(
    space: Space, data: Path, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "bad_cifar10.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        import_table(path, space, data)
    assert "bad_cifar10.csv" in str(caught.value)
    assert not data.exists()


def test_the_same_row_twice_is_no_conflict(space: Space, data: Path, write: Write) -> None:
    row = {"arch_str": CELL, "fpga_latency": 1}
    assert import_table(write("t_cifar10.csv", [row, row]), space, data)[0].cells == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a_cifar10.csv.gz", b"arch_str,fpga_latency\n", "is not gzip"),
        ("a_cifar10.csv.gz", gzip.compress(b"arch_str,fpga_latency\n" * 99, mtime=0)[:-12], "damaged gzip"),
        ("a_cifar10.csv.gz", gzip.compress(b"arch_str", mtime=0)[:12] + b"\xff" * 9, "damaged gzip"),
        ("a_cifar10.csv", b"arch_str,fpga_latency\n\xff\xfe", "not CSV in UTF-8"),
        ("a_cifar10.csv", b"arch_str,fpga_latency\n" + b"x" * 200_000, "not CSV"),
    ],
)
def test_bytes_that_are_no_table_are_refused(
    space: Space, data: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        import_table(tmp_path / name, space, data)


def test_a_file_that_unpacks_without_end_is_refused(
    space: Space, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "MAX_BYTES", 2**20)
    path = tmp_path / "bomb_cifar10.csv.gz"
    path.write_bytes(gzip.compress(b"\n" * 2**22, mtime=0))
    with pytest.raises(DataError, match="unpacks to more than 1 MB"):
        import_table(path, space, data)


def test_a_file_that_is_not_there_or_a_folder_is_refused(space: Space, data: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "none_cifar10.csv", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            import_table(path, space, data)


def test_a_folder_that_cannot_be_written_is_refused(space: Space, write: Write) -> None:
    path = write("t_cifar10.csv", [{"arch_str": CELL, "fpga_latency": 1}])
    with pytest.raises(DataError, match="LLMNAS_DATA"):
        import_table(path, space, path / "tables")


def test_an_import_that_breaks_off_leaves_the_old_table(
    space: Space, data: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_table(write("t_cifar10.csv", [{"arch_str": CELL, "fpga_latency": 1}]), space, data)
    before = {path.name: path.read_bytes() for path in data.iterdir()}

    def full(file: object, **_: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(shared.np, "savez_compressed", full)
    with pytest.raises(KeyboardInterrupt):
        import_table(write("t_cifar10.csv", [{"arch_str": CELL, "fpga_latency": 2}]), space, data)
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before


def test_a_damaged_table_says_what_to_do(space: Space, data: Path) -> None:
    data.mkdir()
    (data / "devices.nasbench201.cifar10.npz").write_bytes(b"not a zip")
    with pytest.raises(DataError, match="Delete it and import the table again"):
        load_columns(space, "cifar10", data)
    with pytest.raises(DataError, match="Delete it and import the table again"):
        imported_tables(data)


def test_without_imports_there_are_no_tables(data: Path) -> None:
    assert imported_tables(data) == []


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_imported_or_refused(tmp_path: Path, content: bytes) -> None:
    space = get_space("nasbench201")
    for name in ("a_cifar10.csv", "a_cifar10.csv.gz", "a.pickle"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError):
            import_table(tmp_path / name, space, tmp_path / "tables")
