"""Searches by the local model, from recordings: run again without it, they end as they did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from llmnas_agents import recording, runner
from llmnas_agents.laboratory import open_laboratory
from llmnas_agents.recording import Recording

from llmnas_mcp.errors import DataError
from tests.agents.conftest import Run, parsed

RECORDINGS = Path(__file__).parent / "recordings"
SETTINGS = {
    "space": "nasbench201",
    "dataset": "cifar10",
    "device": "raspi4",
    "objectives": ["latency"],
    "limits": {},
    "evaluations": 9,
    "rounds": None,
    "offspring": 3,
    "seed": 0,
    "operator": "local",
    "niches": 3,
}
EMPTY = {"settings": SETTINGS, "exchanges": [], "front": [], "hypervolume": 1}
NAMES = ("local", "plain-prompt", "latency-prompt")


def kept(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text())
    return found


def written(content: Mapping[str, Any], folder: Path) -> str:
    path = folder / "recording.json"
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_a_recording_ends_in_the_same_front_without_a_model(name: str, llmnas: Run) -> None:
    done = llmnas("replay", str(RECORDINGS / f"{name}.json"), "--json")
    assert parsed(done)["front"] == kept(name)["front"]
    assert parsed(done)["operator"] == name
    assert "The same front" in done.stderr
    assert "prompts differ" not in done.stderr, "scripts/record_searches.py makes them anew"


def test_the_local_model_wrote_rules_and_designs_in_every_niche() -> None:
    exchanges = kept("local")["exchanges"]
    assert {(e["niche"], e["role"]) for e in exchanges} >= {(n, "design") for n in range(3)} | {(0, "reason")}
    assert {e["model"] for e in exchanges} == {"SmolLM2-135M-Instruct"}
    assert {e["end"] for e in exchanges} == {"done"}


def test_a_file_is_written_as_it_is_read() -> None:
    for name in NAMES:
        path = RECORDINGS / f"{name}.json"
        assert recording.read(path).bytes() == path.read_bytes()
        assert len(path.read_text().splitlines()) == len(kept(name)["exchanges"]) + 2


def test_the_settings_of_a_recording_are_the_arguments_of_a_search() -> None:
    own = {**SETTINGS, "objectives": ["latency", "energy"], "limits": {"energy": 9.5, "params": 1.0}}
    asked = recording.Settings.model_validate(own).asked()
    assert asked.pop("objective") == ["latency", "energy"]
    assert (asked.pop("max_energy"), asked.pop("max_params")) == (9.5, 1.0)
    assert asked == {name: value for name, value in SETTINGS.items() if name not in ("objectives", "limits")}


@pytest.mark.anyio
async def test_rules_chosen_by_number_are_effects_with_their_evidence(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/llmnas.db"
    async with open_laboratory(store=store) as lab:
        front, changed = await runner.replay(Recording.model_validate(kept("local")), lab, store, lambda _: None)
        briefs = [await lab.get_brief(front["search_id"], niche) for niche in range(3)]
    rules = [rule for brief in briefs for rule in brief.rules]
    assert changed == 0
    assert len(rules) == front["rules"] > 0
    for rule in rules:
        assert rule.author == "local"
        assert rule.pattern
        assert rule.effect
        assert rule.evidence
        assert all(f"{operation} on {position}" in rule.statement for position, operation in rule.pattern.items())


@pytest.mark.thorough
@pytest.mark.anyio
async def test_the_bias_of_each_strategy_is_drawn_from_recordings(llmnas: Run, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/llmnas.db"
    async with open_laboratory(store=store) as lab:
        ids = [
            (await runner.replay(Recording.model_validate(kept(name)), lab, store, lambda _: None))[0]["search_id"]
            for name in NAMES
        ]
    told = parsed(llmnas("bench", "coverage", *ids, "--out", str(tmp_path / "bias.png"), "--json"))
    assert [line["operator"] for line in told["searches"]] == list(NAMES)
    for name, line in zip(NAMES, told["searches"], strict=True):
        assert line["designs"] + line["bred"] == kept(name)["settings"]["evaluations"]
        assert line["designs"] == sum(line["ranges"][0]["counts"]) == sum(line["niches"]["counts"])
    assert told["searches"][0]["designs"] > 0  # of so small a model, not every strategy gets one
    assert (tmp_path / "bias.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.thorough
def test_a_changed_prompt_and_a_changed_answer_are_told(llmnas: Run, tmp_path: Path) -> None:
    content = kept("local")
    content["exchanges"][0]["prompt_sha256"] = "0" * 64
    told = llmnas("replay", written(content, tmp_path)).stderr
    assert "1 prompts differ" in told
    content["hypervolume"] += 0.01
    done = llmnas("replay", written(content, tmp_path), check=False)
    assert done.returncode == 1
    assert "The front differs" in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is no recording of a search"),
        ("[]", "is no recording of a search"),
        (json.dumps({**EMPTY, "exchanges": [{}]}), "exchanges.0.round: Field required"),
        (json.dumps({**EMPTY, "settings": {**SETTINGS, "operator": "evolution"}}), "asked no model"),
        (json.dumps({**EMPTY, "settings": {**SETTINGS, "operator": ["local"]}}), "settings.operator"),
        (json.dumps({**EMPTY, "settings": {**SETTINGS, "x": 1}}), "settings.x"),
        (json.dumps({**EMPTY, "settings": {**SETTINGS, "device": "raspi"}}), "Did you mean 'raspi4'"),
        (json.dumps({**EMPTY, "hypervolume": 1e300}), "hypervolume"),
        ("[" * 100_000, "is no recording of a search"),
    ],
    ids=["empty", "list", "exchange", "no model", "operator", "strange setting", "device", "hypervolume", "deep"],
)
def test_what_is_no_recording_is_refused_with_what_is_wrong(
    content: str, told: str, llmnas: Run, tmp_path: Path
) -> None:
    (tmp_path / "x.json").write_text(content)
    done = llmnas("replay", str(tmp_path / "x.json"), check=False)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_named(llmnas: Run) -> None:
    done = llmnas("replay", "nowhere.json", check=False)
    assert done.returncode == 1
    assert "nowhere.json" in done.stderr


@pytest.mark.thorough
def test_an_answer_missing_from_a_recording_ends_it_with_the_place(llmnas: Run, tmp_path: Path) -> None:
    content = kept("local")
    content["exchanges"] = content["exchanges"][:3]
    done = llmnas("replay", written(content, tmp_path), check=False)
    assert done.returncode == 1
    assert "no recorded answer for round" in done.stderr
    assert "The front differs" in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("input_tokens", 2**63, "exchanges.0.input_tokens"),
        ("input_tokens", -1, "exchanges.0.input_tokens"),
        ("round", 2**64, "exchanges.0.round"),
        ("role", "x" * 100_000, "exchanges.0.role"),
        ("\x1b[2J\x1b]0;pwn", 1, "exchanges.0. [2J"),
        ("y" * 5000, 1, "exchanges.0.yyy"),
        ("seconds", -1.0, "exchanges.0.seconds"),
    ],
    ids=range(7),
)
def test_an_exchange_that_cannot_be_is_named_in_one_short_line(
    place: str, value: object, told: str, llmnas: Run, tmp_path: Path
) -> None:
    content = kept("local")
    content["exchanges"][0][place] = value
    done = llmnas("replay", written(content, tmp_path), check=False)
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr) < 500
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


def test_two_answers_at_one_place_are_refused(llmnas: Run, tmp_path: Path) -> None:
    content = kept("local")
    content["exchanges"].append(content["exchanges"][0])
    done = llmnas("replay", written(content, tmp_path), check=False)
    assert "two answers have the same place" in done.stderr


@pytest.mark.thorough
def test_the_point_that_differs_is_named(llmnas: Run, tmp_path: Path) -> None:
    content = kept("local")
    content["front"][0]["architecture"] = "|another|"
    done = llmnas("replay", written(content, tmp_path), check=False)
    assert "'|another|' was on it" in done.stderr


def test_a_file_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_BYTES", 10)
    with pytest.raises(DataError, match="is larger than"):
        recording.read(RECORDINGS / "local.json")
