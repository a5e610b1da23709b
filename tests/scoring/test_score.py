"""Scores looked up and scores computed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from llmnas_mcp.scoring import PROXIES, has_atlas, score, score_of
from llmnas_mcp.scoring.atlas import SHIPPED, file_name, load
from llmnas_mcp.scoring.engine import measure, settings
from llmnas_mcp.spaces import DATASETS, Dataset, get_space

SPACE = get_space("nasbench201")
CELLS = list(SPACE.genotypes())
TINY = Dataset("tiny", 8, 4)
LIVE = [(3, 1, 3, 1, 2, 3), (0, 0, 0, 0, 0, 0)]


@pytest.fixture
def small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "SAMPLE", 8)


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=str)
def test_every_cell_has_finite_proxies_and_a_score_between_0_and_1(dataset: Dataset, tmp_path: Path) -> None:
    scores = score_of(SPACE, CELLS, dataset=dataset, data=tmp_path)
    assert list(scores.proxies) == list(PROXIES)
    assert all(np.isfinite(values).all() and values.shape == (SPACE.size,) for values in scores.proxies.values())
    assert scores.score.min() > 0
    assert scores.score.max() == pytest.approx(1, abs=1e-3)
    assert set(scores.sources) == {"atlas"}
    assert scores.score.mean() == pytest.approx(0.5, abs=1e-3)


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


def test_no_genotypes_are_no_scores(tmp_path: Path) -> None:
    scores = score_of(SPACE, [], dataset=DATASETS["cifar10"], data=tmp_path)
    assert scores.score.shape == (0,)
    assert scores.sources == ()


def test_an_atlas_serves_every_dataset_of_its_resolution(tmp_path: Path) -> None:
    mine = Dataset("flowers", 32, 102)
    assert has_atlas(SPACE, mine)
    assert not has_atlas(SPACE, TINY)
    scores = score_of(SPACE, CELLS[::500], dataset=mine, data=tmp_path)
    assert set(scores.sources) == {"atlas"}
    assert list(scores.proxies["params"]) == list(SPACE.params([SPACE.canonical(c) for c in CELLS[::500]], mine))


def test_looking_up_an_atlas_imports_no_torch_and_writes_nothing(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from llmnas_mcp.scoring import has_atlas, score_of
from llmnas_mcp.spaces import DATASETS, get_space
space = get_space("nasbench201")
assert has_atlas(space, DATASETS["cifar10"])
score_of(space, list(space.genotypes()), dataset=DATASETS["cifar10"], data=Path({str(tmp_path)!r}))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("resolution", [32, 16])
def test_live_scoring_reproduces_the_atlas(resolution: int) -> None:
    atlas = load(SHIPPED / file_name(SPACE, resolution))
    assert atlas.meta == settings()
    assert atlas.weights.sum() == SPACE.size
    assert np.array_equal(atlas.genotypes, SPACE.distinct())
    for cell in [(0, 0, 0, 1, 0, 0), (0, 0, 0, 0, 0, 0), SPACE.canonical((1, 2, 4, 0, 1, 3))]:
        # Another machine's convolutions round differently: a ReLU near zero may flip, which moves naswot and jacov.
        assert measure(SPACE, cell, resolution) == pytest.approx(atlas.measured[cell], rel=1e-3)


@pytest.mark.usefixtures("small_sample")
def test_a_resolution_without_atlas_is_scored_live_and_its_sample_kept(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    first = score_of(SPACE, LIVE, dataset=TINY, data=tmp_path, progress=lambda *step: steps.append(step))
    assert first.sources == ("computed", "computed")
    assert 0 < first.score[1] < first.score[0] <= 1
    assert steps == [(i + 1, len(steps)) for i in range(len(steps))]
    assert len(steps) > len(LIVE)
    assert [path.name for path in tmp_path.iterdir()] == [file_name(SPACE, 8)]

    measure.cache_clear()
    steps.clear()
    again = score_of(SPACE, LIVE[:1], dataset=TINY, data=tmp_path, progress=lambda *step: steps.append(step))
    assert again.score[0] == first.score[0]
    assert steps == [(1, 1)]


@pytest.mark.usefixtures("small_sample")
def test_a_cell_its_atlas_lacks_is_computed_and_ranked_against_the_atlas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_of(SPACE, LIVE, dataset=TINY, data=tmp_path)
    monkeypatch.setattr("llmnas_mcp.scoring.atlas.SHIPPED", tmp_path)
    known = tuple(load(tmp_path / file_name(SPACE, 8)).genotypes[0].tolist())
    assert has_atlas(SPACE, TINY)
    scores = score_of(SPACE, [known, *LIVE], dataset=TINY, data=tmp_path / "none")
    assert scores.sources == ("atlas", "computed", "computed")
    assert not (tmp_path / "none").exists()
