"""Trained accuracies: imported, or estimated with an error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmnas_mcp.benchmarks import accuracy_of, accuracy_table, import_accuracies, imported_accuracies
from llmnas_mcp.benchmarks.tables import ImportedAccuracies, import_measured, remove_measured
from llmnas_mcp.devices.tables import imported_tables
from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import Space, get_space
from tests.thorough import examples

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
OTHER = CELL.replace("skip_connect", "none")
DEAD = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"
Write = Callable[..., Path]


def row(architecture: str = CELL, **columns: object) -> dict[str, object]:
    return {"arch_str": architecture, **columns}


@pytest.mark.parametrize("name", ["mine.csv", "mine.csv.gz"])
def test_a_csv_is_imported_for_every_dataset_it_has(space: Space, data: Path, write: Write, name: str) -> None:
    columns = {"cifar10_test_200": 93.5, "cifar10_valid_200": 91, "imagenet16_120_test_200": 40, "flowers_test_200": 0}
    path = write(name, [row(**columns), row(OTHER, **columns | {"imagenet16_120_test_200": ""})])
    imported = import_accuracies(path, space, data)
    assert imported == [
        ImportedAccuracies("nasbench201", "cifar10", "mine", 2),
        ImportedAccuracies("nasbench201", "ImageNet16-120", "mine", 1),
        ImportedAccuracies("nasbench201", "flowers", "mine", 2),
    ]
    assert sorted(imported_accuracies(data), key=str) == sorted(imported, key=str)
    table = accuracy_table(space, "ImageNet16-120", data)
    assert table is not None
    index = space.index_of([space.parse(CELL), space.parse(OTHER)])
    assert table.values[index[0]] == 40
    assert np.isnan(table.values).sum() == space.size - 1


def test_short_trainings_are_kept_apart_from_what_judges(space: Space, data: Path, write: Write) -> None:
    path = write("mine.csv", [row(cifar10_valid_12=70, cifar10_test_12=60, cifar10_valid_200=80, cifar100_test_200=50)])
    imported = import_accuracies(path, space, data)
    assert imported == [
        ImportedAccuracies("nasbench201", "cifar10", "mine", 1, epochs=12),
        ImportedAccuracies("nasbench201", "cifar100", "mine", 1),
    ]
    assert sorted(imported_accuracies(data), key=str) == sorted(imported, key=str)
    assert accuracy_table(space, "cifar10", data) is None
    short = accuracy_table(space, "cifar10", data, epochs=12)
    assert short is not None
    assert np.nanmax(short.values) == 70
    assert accuracy_of(space, [space.parse(CELL)], dataset="cifar10", data=data).sources[0].startswith("fitted:")
    assert remove_measured("mine", data) == ([], [imported[1], imported[0]])
    assert list(data.iterdir()) == []


def test_one_dataset_can_be_named(space: Space, data: Path, write: Write) -> None:
    path = write("mine.csv", [row(cifar10_test_200=90, my_own_test_200=80)])
    assert [t.dataset for t in import_accuracies(path, space, data, dataset="My-Own")] == ["My-Own"]
    assert accuracy_table(space, "cifar10", data) is None


def test_importing_again_replaces_cells_and_keeps_the_others(space: Space, data: Path, write: Write) -> None:
    import_accuracies(write("one.csv", [row(cifar10_test_200=90), row(OTHER, cifar10_test_200=80)]), space, data)
    import_accuracies(write("two.csv", [row(OTHER, cifar10_test_200=85)]), space, data)
    found = accuracy_of(space, [space.parse(CELL), space.parse(OTHER)], dataset="cifar10", data=data)
    assert found.values.tolist() == [90, 85]
    assert found.sources == ("table:one+two",) * 2


def test_a_table_comes_first_and_what_it_lacks_is_estimated(space: Space, data: Path, write: Write) -> None:
    import_accuracies(write("mine.csv", [row(cifar10_test_200=12.5)]), space, data)
    found = accuracy_of(space, [space.parse(CELL), space.parse(OTHER)], dataset="cifar10", data=data)
    assert found.values[0] == 12.5
    assert 80 < found.values[1] < 95
    assert found.sources == ("table:mine", "fitted:nasbench201-accuracy")
    assert np.isnan(found.errors[0])
    assert 0 < found.errors[1] <= 0.4


def test_a_dataset_nobody_trained_on_is_refused_with_those_there_are(space: Space, data: Path, write: Write) -> None:
    import_accuracies(write("mine.csv", [row(flowers_test_200=50)]), space, data)
    with pytest.raises(DataError, match=r"'svhn'.*available: cifar10, cifar100, flowers.*svhn_test_200"):
        accuracy_of(space, [space.parse(CELL)], dataset="svhn", data=data)
    found = accuracy_of(space, [space.parse(CELL), space.parse(OTHER)], dataset="flowers", data=data)
    assert found.values[0] == 50
    assert np.isnan(found.values[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column arch_str"),
        (f"arch_str,accuracy\n{CELL},90\n", "no column of test accuracy; it has arch_str, accuracy.*cifar10_test_200"),
        ("arch_str,cifar10_test_200\n", "has no rows"),
        (f"arch_str,cifar10_test_200\n{CELL},100.5\n", "row 2: cifar10_test_200 is '100.5'. Give .* from 0 to 100"),
        (f"arch_str,cifar10_test_200\n{CELL},-1\n", "row 2: cifar10_test_200 is '-1'"),
        (f"arch_str,cifar10_test_200\n{CELL},nan\n", "row 2: cifar10_test_200 is 'nan'"),
        (f"arch_str,cifar10_test_200\n{CELL},good\n", "row 2: cifar10_test_200 is 'good'"),
        (f"arch_str,cifar10_test_200\n{CELL},90\nrubbish,1\n", "row 3: Not a NAS-Bench-201 cell"),
        (f"arch_str,cifar10_test_200\n{CELL},90\n{CELL},91\n", "row 3: .* is 91, but 90 in an earlier row"),
        (f"arch_str,a b_test_200\n{CELL},90\n", "'a b_test_200' names no dataset"),
    ],
)
def test_a_malformed_csv_is_refused_with_its_row_and_leaves_nothing(
    space: Space, data: Path, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        import_accuracies(path, space, data)
    assert not data.exists()


def test_a_csv_with_costs_and_accuracies_brings_both(space: Space, data: Path, write: Write) -> None:
    path = write("mine_cifar10.csv", [row(raspi4_latency=3, cifar10_test_200=90)])
    costs, accuracies = import_measured(path, space, data)
    assert [t.device for t in costs] == ["raspi4"]
    assert [t.dataset for t in accuracies] == ["cifar10"]
    assert imported_tables(data) == costs
    assert imported_accuracies(data) == accuracies


def test_of_a_csv_with_a_mistake_in_either_kind_nothing_is_imported(space: Space, data: Path, write: Write) -> None:
    for bad in ({"cifar10_test_200": 900}, {"raspi4_latency": 0}):
        path = write("mine_cifar10.csv", [row(**{"raspi4_latency": 3, "cifar10_test_200": 90} | bad)])
        with pytest.raises(DataError, match=f"row 2: {next(iter(bad))}"):
            import_measured(path, space, data)
        assert not data.exists()


def test_a_csv_with_neither_is_refused_with_what_both_would_need(space: Space, data: Path, write: Write) -> None:
    with pytest.raises(DataError, match=r"(?s)no cost column.*raspi4_latency.*no column of test accuracy"):
        import_measured(write("mine.csv", [row(size=3)]), space, data)


def test_a_damaged_table_says_what_to_do(space: Space, data: Path) -> None:
    data.mkdir()
    (data / "accuracy.nasbench201.cifar10.npz").write_bytes(b"not a zip")
    for ask in (lambda: accuracy_table(space, "cifar10", data), lambda: imported_accuracies(data)):
        with pytest.raises(DataError, match="Delete it and import the table again"):
            ask()


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_imported_or_refused(tmp_path: Path, content: bytes) -> None:
    space = get_space("nasbench201")
    for name in ("a.csv", "a.csv.gz", "a.pickle", "a.pickle.pbz2"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError):
            import_measured(tmp_path / name, space, tmp_path / "tables")


def test_a_cell_without_a_way_through_has_the_accuracy_of_chance(space: Space, data: Path) -> None:
    for dataset, chance in (("cifar10", 10), ("cifar100", 1)):
        assert accuracy_of(space, [space.parse(DEAD)], dataset=dataset, data=data).values.tolist() == [chance]


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 6), min_size=1, max_size=20))
def test_an_estimate_is_the_same_for_twins_and_whatever_else_is_asked(cells: list[tuple[int, ...]]) -> None:
    space, nowhere = get_space("nasbench201"), Path("none")
    together = accuracy_of(space, cells, dataset="cifar100", data=nowhere).values
    twins = [space.canonical(cell) for cell in cells]
    assert accuracy_of(space, twins, dataset="cifar100", data=nowhere).values.tolist() == together.tolist()
    assert accuracy_of(space, cells[:1], dataset="cifar100", data=nowhere).values[0] == together[0]
    assert ((together > 0) & (together < 100)).all()


def test_asking_imports_nothing_heavier_than_numpy() -> None:
    program = (
        "import sys; from pathlib import Path; from llmnas_mcp.benchmarks import accuracy_of\n"
        "from llmnas_mcp.spaces import get_space\n"
        "accuracy_of(get_space('nasbench201'), [(3,) * 6], dataset='cifar10', data=Path('none'))\n"
        "print(sorted({'torch', 'sklearn', 'pandas', 'scipy', 'nats_bench', 'moocore'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
