"""The atlases that come with the package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from llmnas_mcp.scoring import DEFAULT, calibration_of, has_atlas, score_of
from llmnas_mcp.scoring.atlas import SHIPPED, file_name, load
from llmnas_mcp.scoring.calibration import FILE
from llmnas_mcp.scoring.engine import OBSERVED, measure_genotype, settings
from llmnas_mcp.spaces import DATASETS, Dataset, get_space
from tests.thorough import HUNG

SPACE = get_space("nasbench201")
CELLS = list(SPACE.genotypes())
OWN = [DATASETS[name] for name in SPACE.datasets or ()]
every_dataset = pytest.mark.parametrize("dataset", OWN, ids=lambda dataset: dataset.name)


@pytest.fixture(autouse=True)
def _shipped() -> None:
    """Without its atlas a dataset is scored live, which takes an hour: say so at once."""
    missing = [dataset.name for dataset in OWN if not has_atlas(SPACE, dataset)]
    assert not missing, f"no atlas of {', '.join(missing)}: run scripts/build_atlas.py"


@every_dataset
def test_every_cell_has_finite_proxies_and_a_score_between_0_and_1(dataset: Dataset, tmp_path: Path) -> None:
    scores = score_of(SPACE, CELLS, dataset=dataset, data=tmp_path)
    assert list(scores.proxies) == list(DEFAULT)
    assert all(np.isfinite(values).all() and values.shape == (SPACE.size,) for values in scores.proxies.values())
    assert scores.score.min() > 0
    assert scores.score.max() == pytest.approx(1, abs=1e-3)
    assert set(scores.sources) == {"atlas"}
    assert scores.score.mean() == pytest.approx(0.5, abs=1e-3)


@every_dataset
def test_live_scoring_reproduces_the_atlas(dataset: Dataset) -> None:
    atlas = load(SHIPPED / file_name(SPACE, dataset))
    assert atlas.meta == settings()
    assert atlas.weights.sum() == SPACE.size
    assert np.array_equal(atlas.genotypes, SPACE.distinct())
    for cell in [(0, 0, 0, 1, 0, 0), (0, 0, 0, 0, 0, 0), SPACE.canonical((1, 2, 4, 0, 1, 3))]:
        live = dict(zip(OBSERVED, measure_genotype(SPACE, cell, dataset), strict=True))
        known = dict(zip(OBSERVED, atlas.measured[cell], strict=True))
        # Another machine's convolutions round differently: a ReLU near zero may flip, which moves naswot, swap, jacov.
        assert live == pytest.approx(known, rel=1e-3, abs=1e-4)


def test_isomorphic_cells_score_equally_and_dead_operations_do_not_count(tmp_path: Path) -> None:
    one, other = (3, 0, 3, 1, 0, 0), SPACE.canonical((3, 0, 3, 1, 0, 0))
    scores = score_of(SPACE, [one, other], dataset=DATASETS["cifar10"], data=tmp_path)
    assert one != other
    assert scores.score[0] == scores.score[1]
    assert scores.proxies["params"][0] == SPACE.params([other], DATASETS["cifar10"])[0]


def test_a_cell_scores_the_same_alone_as_among_others(tmp_path: Path) -> None:
    together = score_of(SPACE, CELLS[::500], dataset=DATASETS["cifar100"], data=tmp_path)
    for i, cell in enumerate(CELLS[::500]):
        assert score_of(SPACE, [cell], dataset=DATASETS["cifar100"], data=tmp_path).score[0] == together.score[i]


def test_an_atlas_serves_every_dataset_of_its_resolution_and_classes(tmp_path: Path) -> None:
    mine, theirs = Dataset("birds", 32, 10), DATASETS["cifar10"]
    assert has_atlas(SPACE, mine)
    assert not has_atlas(SPACE, Dataset("birds", 32, 11))
    assert not has_atlas(SPACE, Dataset("birds", 16, 10))
    found, known = (score_of(SPACE, CELLS[::500], dataset=d, data=tmp_path) for d in (mine, theirs))
    assert set(found.sources) == {"atlas"}
    np.testing.assert_array_equal(found.score, known.score)
    assert list(found.proxies["params"]) == list(SPACE.params([SPACE.canonical(c) for c in CELLS[::500]], mine))


def test_looking_up_an_atlas_imports_no_torch_and_writes_nothing(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from llmnas_mcp.scoring import calibration_of, check_proxies, has_atlas, score_of
from llmnas_mcp.spaces import DATASETS, get_space
space = get_space("nasbench201")
assert has_atlas(space, DATASETS["cifar10"])
assert calibration_of(space, DATASETS["cifar10"])
check_proxies(["zen"])
score_of(space, list(space.genotypes()), dataset=DATASETS["cifar10"], data=Path({str(tmp_path)!r}))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=HUNG)
    assert not list(tmp_path.iterdir())


def test_a_calibration_has_the_score_first_and_intervals_around_every_figure() -> None:
    transformers = {f"autoformer-{size}": count for size, count in (("tiny", 1001), ("small", 700), ("base", 1001))}
    assert set(json.loads(FILE.read_text(encoding="utf-8"))) == {SPACE.name, *transformers}
    for name, count in transformers.items():
        table = calibration_of(get_space(name), DATASETS["imagenet"])
        assert table is not None
        assert (table.grade, table.architectures) == ("inherited", count)
        assert [row.name for row in table.rows] == ["score", "params", "macs"]
    for name in ("cifar10", "cifar100"):
        table = calibration_of(SPACE, DATASETS[name])
        assert table is not None
        assert (table.grade, table.architectures) == ("trained", SPACE.size)
        assert [row.name for row in table.rows] == ["score", *DEFAULT]
        for row in table.rows:
            assert -1 <= row.spearman_low <= row.spearman <= row.spearman_high <= 1
            assert -1 <= row.kendall_low <= row.kendall <= row.kendall_high <= 1
        assert table.rows[0].spearman == max(row.spearman for row in table.rows)


@pytest.mark.parametrize("dataset", [DATASETS["ImageNet16-120"], Dataset("birds", 32, 10)], ids=lambda d: d.name)
def test_what_no_table_was_published_for_has_no_calibration(dataset: Dataset) -> None:
    assert calibration_of(SPACE, dataset) is None
