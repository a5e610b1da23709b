from __future__ import annotations

from pathlib import Path

import pytest

from llmnas_mcp.scoring import atlas, engine, score, score_of
from llmnas_mcp.scoring.kept import Kept, kept_in
from llmnas_mcp.spaces import Dataset, get_space

SPACE = get_space("nasbench201")
TINY = Dataset("tiny", 8, 4)
CELLS = [(3, 1, 3, 1, 2, 3), (3, 3, 3, 3, 3, 3)]
ONE, OTHER = (1, 2, 3), (3, 2, 1)
VALUES = {"growth": 0.1 + 0.2, "swap": -1e-300}


def test_what_is_kept_is_read_again_to_the_bit(tmp_path: Path) -> None:
    file = tmp_path / "new" / "kept.jsonl"
    Kept(file).add(ONE, VALUES)
    assert Kept(file).get(ONE, ["swap", "growth"]) == (VALUES["swap"], VALUES["growth"])


def test_proxies_measured_later_join_those_of_before(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.jsonl")
    kept.add(ONE, VALUES)
    assert kept.get(ONE, ["swap", "zen"]) is None
    kept.add(ONE, {"zen": 3.0})
    for seen in (kept, Kept(tmp_path / "kept.jsonl")):
        assert seen.get(ONE, ["swap", "zen"]) == (VALUES["swap"], 3.0)
        assert seen.get(OTHER, ["swap"]) is None


@pytest.mark.parametrize(
    "spoilt",
    [
        '{"genotype": [3, 2, 1], "values": {"swap": 1',
        '{"genotype": [3, 2, 1], "values": {"swap": NaN}}',
        "[]",
        "7",
        "\0",
    ],
)
def test_a_line_that_was_cut_off_or_edited_spoils_no_other(tmp_path: Path, spoilt: str) -> None:
    file = tmp_path / "kept.jsonl"
    Kept(file).add(ONE, VALUES)
    with file.open("a") as opened:
        opened.write(f"\n{spoilt}")
    Kept(file).add((2, 2, 2), VALUES)
    read = Kept(file)
    assert read.get(ONE, VALUES) == read.get((2, 2, 2), VALUES) == tuple(VALUES.values())
    assert read.get(OTHER, ["swap"]) is None


def test_a_folder_that_cannot_be_written_keeps_for_this_process(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = Kept(tmp_path / "file" / "kept.jsonl")
    kept.add(ONE, VALUES)
    assert kept.get(ONE, ["swap"]) == (VALUES["swap"],)


@pytest.mark.thorough
def test_a_process_that_starts_anew_goes_on_where_the_last_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[tuple[int, ...]] = []
    measure = engine.measure_genotype

    def counting(space, genotype, dataset, proxies):  # type: ignore[no-untyped-def]
        measured.append(genotype)
        return measure(space, genotype, dataset, proxies)

    def stop(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(score, "SAMPLE", 4)
    monkeypatch.setattr(engine, "measure_genotype", counting)
    with pytest.raises(KeyboardInterrupt):
        score_of(SPACE, CELLS, dataset=TINY, data=tmp_path, progress=stop)
    assert len(measured) == 3
    kept_in.cache_clear()
    found = score_of(SPACE, CELLS, dataset=TINY, data=tmp_path)
    assert len(measured) == len(set(measured)) == 6
    assert [path.name for path in tmp_path.glob("*.npz")] == [atlas.file_name(SPACE, TINY)]
    kept_in.cache_clear()
    assert (score_of(SPACE, CELLS, dataset=TINY, data=tmp_path).score == found.score).all()
    assert len(measured) == 6
