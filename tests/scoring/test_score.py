"""Scores computed, their sample kept; scores looked up in an atlas of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llmnas_mcp import jobs
from llmnas_mcp.errors import DataError, UnknownNameError
from llmnas_mcp.scoring import DEFAULT, PROXIES, atlas, engine, has_atlas, score, score_of
from llmnas_mcp.scoring.engine import COUNTED, OBSERVED
from llmnas_mcp.spaces import Dataset, get_space

SPACE = get_space("nasbench201")
TINY = Dataset("tiny", 8, 4)
LIVE = [(3, 1, 3, 1, 2, 3), (0, 0, 0, 0, 0, 0)]
EXTRA = ["zen", "l2_norm"]


class Steps:
    """Keeps what progress was told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.told.append((done, total))


@pytest.fixture(autouse=True)
def _small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "SAMPLE", 8)


@pytest.fixture(scope="module")
def measured_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample of TINY."""
    folder = tmp_path_factory.mktemp("shipped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score, "SAMPLE", 8)
        patch.setattr(jobs, "shared", lambda: jobs.Processes(1))
        score_of(SPACE, LIVE, dataset=TINY, data=folder)
    return folder


@pytest.fixture
def shipped(measured_once: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, ...]:
    """An atlas of a few cells, shipped; the first cell it knows."""
    monkeypatch.setattr(atlas, "SHIPPED", measured_once)
    return tuple(atlas.load(measured_once / atlas.file_name(SPACE, TINY)).genotypes[0].tolist())


@pytest.mark.thorough
def test_a_dataset_without_atlas_is_scored_live_and_its_sample_kept(tmp_path: Path) -> None:
    steps = Steps()
    first = score_of(SPACE, LIVE, dataset=TINY, data=tmp_path, progress=steps)
    assert first.sources == ("computed", "computed")
    assert 0 < first.score[1] < first.score[0] <= 1
    assert list(first.proxies) == list(DEFAULT)
    assert steps.told == [(i + 1, len(steps.told)) for i in range(len(steps.told))]
    assert len(steps.told) > len(LIVE)
    assert [path.name for path in tmp_path.glob("*.npz")] == [atlas.file_name(SPACE, TINY)]

    engine.measure_genotype.cache_clear()
    steps.told.clear()
    again = score_of(SPACE, LIVE[:1], dataset=TINY, data=tmp_path, progress=steps)
    assert again.score[0] == first.score[0]
    assert steps.told == [(1, 1)]
    assert all(again.proxies[name][0] == first.proxies[name][0] for name in DEFAULT)


@pytest.mark.thorough
def test_a_kept_sample_holds_what_was_measured_to_the_bit(tmp_path: Path) -> None:
    score_of(SPACE, LIVE, dataset=TINY, data=tmp_path)
    kept = atlas.load(tmp_path / atlas.file_name(SPACE, TINY))
    assert kept.meta == engine.settings()
    assert kept.weights.sum() == 8
    assert [list(SPACE.canonical(tuple(g))) for g in kept.genotypes.tolist()] == kept.genotypes.tolist()
    assert list(kept.proxies) == list(OBSERVED)
    engine.measure_genotype.cache_clear()
    for genotype, values in kept.measured.items():
        assert engine.measure_genotype(SPACE, genotype, TINY) == values


@pytest.mark.thorough
@pytest.mark.parametrize("other", [Dataset("tiny", 8, 5), Dataset("tiny", 16, 4)], ids=str)
def test_a_sample_of_other_classes_or_another_resolution_is_not_used(tmp_path: Path, other: Dataset) -> None:
    score_of(SPACE, LIVE, dataset=TINY, data=tmp_path)
    steps = Steps()
    score_of(SPACE, LIVE, dataset=other, data=tmp_path, progress=steps)
    assert len(steps.told) > len(LIVE)
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_cell_its_atlas_lacks_is_computed_and_ranked_against_the_atlas(
    tmp_path: Path, shipped: tuple[int, ...]
) -> None:
    assert has_atlas(SPACE, TINY)
    steps = Steps()
    scores = score_of(SPACE, [shipped, *LIVE], dataset=TINY, data=tmp_path / "none", progress=steps)
    assert scores.sources == ("atlas", "computed", "computed")
    assert steps.told == [(1, 2), (2, 2)]
    assert not list((tmp_path / "none").glob("*.npz"))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("other", "served"),
    [(Dataset("flowers", 8, 4), True), (Dataset("tiny", 8, 5), False), (Dataset("tiny", 16, 4), False)],
    ids=str,
)
def test_an_atlas_serves_any_name_of_its_resolution_and_classes(
    tmp_path: Path, shipped: tuple[int, ...], other: Dataset, served: bool
) -> None:
    assert has_atlas(SPACE, other) is served
    found = score_of(SPACE, [shipped], dataset=other, data=tmp_path / "none")
    assert found.sources == ("atlas" if served else "computed",)


def test_proxies_no_atlas_has_are_measured_live_and_progress_counts_them(
    tmp_path: Path, shipped: tuple[int, ...]
) -> None:
    steps = Steps()
    asked = [shipped, LIVE[0], shipped]
    found = score_of(SPACE, asked, dataset=TINY, data=tmp_path / "none", proxies=EXTRA, progress=steps)
    assert found.sources == ("computed",) * 3
    assert steps.told == [(1, 2), (2, 2)]  # a network is built once for all that is asked of it
    assert list(found.proxies) == EXTRA
    for i, cell in enumerate(asked):
        values = engine.measure_genotype(SPACE, SPACE.canonical(cell), TINY, tuple(EXTRA))
        assert tuple(found.proxies[name][i] for name in EXTRA) == values
    plain = score_of(SPACE, asked, dataset=TINY, data=tmp_path / "none")
    np.testing.assert_array_equal(found.score, plain.score)


def test_proxies_an_atlas_has_are_looked_up_in_any_order_and_once(tmp_path: Path, shipped: tuple[int, ...]) -> None:
    steps = Steps()
    names = ["swap", "macs", "swap", "growth"]
    found = score_of(SPACE, [shipped], dataset=TINY, data=tmp_path / "none", proxies=names, progress=steps)
    assert (found.sources, steps.told) == (("atlas",), [])
    assert list(found.proxies) == ["swap", "macs", "growth"]
    known = dict(zip(OBSERVED, engine.measure_genotype(SPACE, shipped, TINY), strict=True))
    assert [found.proxies[name][0] for name in ("swap", "growth")] == [known["swap"], known["growth"]]
    assert found.proxies["macs"][0] == SPACE.macs([shipped], TINY)[0]


@pytest.mark.thorough
def test_all_proxies_there_are_can_be_asked_for_at_once(tmp_path: Path, shipped: tuple[int, ...]) -> None:
    found = score_of(SPACE, [shipped, *LIVE], dataset=TINY, data=tmp_path / "none", proxies=iter(PROXIES))
    assert list(found.proxies) == list(PROXIES)
    assert set(COUNTED) < set(found.proxies)
    assert np.isnan(found.proxies.pop("dss")).tolist() == [True] * 3
    assert all(values.shape == (3,) and np.isfinite(values).all() for values in found.proxies.values())
    assert list(found.left_out) == ["dss"]
    assert found.left_out["dss"].startswith("The network has no attention")


def test_a_proxy_there_is_not_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    steps = Steps()
    with pytest.raises(UnknownNameError, match="zic0"):
        score_of(SPACE, LIVE, dataset=TINY, data=tmp_path, proxies=["zen", "zic0"], progress=steps)
    assert steps.told == []
    assert not list(tmp_path.iterdir())


def test_no_genotypes_are_no_scores(tmp_path: Path, shipped: tuple[int, ...]) -> None:
    assert shipped
    for names in (DEFAULT, EXTRA):
        found = score_of(SPACE, [], dataset=TINY, data=tmp_path / "none", proxies=names)
        assert found.score.shape == (0,)
        assert found.sources == ()
        assert {name: values.shape for name, values in found.proxies.items()} == dict.fromkeys(names, (0,))


@pytest.mark.thorough
def test_a_kept_sample_that_is_damaged_is_named_with_what_to_do(tmp_path: Path) -> None:
    score_of(SPACE, LIVE[:1], dataset=TINY, data=tmp_path)
    (kept,) = tmp_path.glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:200])
    atlas.load.cache_clear()
    with pytest.raises(DataError, match=f"{kept.name} cannot be read .* Delete it"):
        score_of(SPACE, LIVE[:1], dataset=TINY, data=tmp_path)


def test_a_folder_that_cannot_hold_the_sample_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot be written .* set LLMNAS_DATA"):
        score_of(SPACE, LIVE[:1], dataset=TINY, data=tmp_path / "file", progress=lambda *_: pytest.fail("measured"))
