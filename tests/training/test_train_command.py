"""llmnas train, as a process: real trainings on digits, and what is remembered of them."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from llmnas_mcp.images import load_images
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.search.trained import trained_of
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces.registry import load_space
from tests import warm
from tests.agents.conftest import Run, environment, llmnas, parsed
from tests.agents.test_cli_space import refused
from tests.images.made import class_folders
from tests.spaces.own import TINYNET
from tests.thorough import HUNG
from tests.training.conftest import NETWORKS, trainings

__all__ = ["llmnas"]


def test_networks_are_trained_by_halving_and_told_beside_logistic_regression(llmnas: Run, tmp_path: Path) -> None:
    arguments = ("train", *NETWORKS[:3], "--space", TINYNET, "--data", "digits", "--epochs", "2")
    found = parsed(llmnas(*arguments, "--out", str(tmp_path / "best.pt"), "--json"))
    assert [row["epochs"] for row in found["results"]] == [2, 1, 1]
    assert found["epochs"] == 2 * 1 + 1 * 2
    assert found["plain"] == pytest.approx(96.7, abs=0.5)
    assert found["failed"] == {}
    rows = trainings(tmp_path)
    assert len(rows) == 3 + 1
    shown = llmnas(*arguments)
    assert trainings(tmp_path) == rows, "nothing is trained twice"
    assert "3 networks on digits, 4 epochs in all: about" in shown.stderr
    assert "Logistic regression on the same images: 96." in shown.stdout


def test_weights_are_plain_tensors_with_a_card_that_says_what_they_are(llmnas: Run, tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    asked = ("--space", TINYNET, "--data", "digits", "--epochs", "3")
    found = parsed(llmnas("train", NETWORKS[0], *asked, "--out", str(path), "--json"))
    saved = torch.load(path, weights_only=True)
    card = json.loads(saved["card"])
    digits, space = load_images("digits", tmp_path), load_space(TINYNET)
    assert (card["architecture"], card["space"], card["dataset"]) == (NETWORKS[0], "tinynet", "digits")
    assert card["classes"] == list("0123456789")
    assert (card["mean"], card["std"]) == (list(digits.mean), list(digits.std))
    assert (card["resolution"], card["channels"], card["epochs"], card["seed"]) == (8, 1, 3, 0)
    assert card["recipe"]["optimizer"] == "sgd"
    assert card["versions"]["torch"] == torch.__version__
    network = space.network(space.parse(card["architecture"]), digits.shape)
    network.load_state_dict(saved["state_dict"])
    with torch.no_grad():
        answers = network.eval()(torch.from_numpy(digits.normalise(digits.test_x))).argmax(1)
    accuracy = 100 * float((answers.numpy() == digits.test_y).mean())
    assert accuracy == pytest.approx(card["accuracy"])
    assert accuracy == found["results"][0]["test"]


@pytest.mark.thorough
def test_a_search_is_trained_and_shows_it_and_its_scores_stay(
    llmnas: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMNAS_DATA", str(tmp_path / "tables"))  # where the space is remembered
    front = parsed(llmnas("search", "--space", TINYNET, "--objective", "params", "--evaluations", "8", "--json"))
    before = front["front"]
    found = parsed(llmnas("train", front["search_id"], "--top", "2", "--data", "digits", "--epochs", "1", "--json"))
    assert len(found["results"]) == 2
    again = parsed(llmnas("train", front["search_id"], "--top", "2", "--data", "digits", "--epochs", "1", "--json"))
    assert again["results"] == found["results"], "what was trained must not change what the same command trains"
    picked = parsed(llmnas("pick", front["search_id"], "--max-params", "1000", "--json"))
    best = max(found["results"], key=lambda row: (row["epochs"], row["valid"]))
    assert [picked["picks"][0][name] for name in ("architecture", "grade", "accuracy", "accuracy_source")] == [
        *(best["architecture"], "trained", best["valid"], f"own training on digits, {best['epochs']} epochs")
    ]
    resumed = parsed(llmnas("resume", front["search_id"], "--json"))
    known = {row["architecture"]: row["valid"] for row in found["results"]}
    shown = {point["architecture"]: point["accuracy"] for point in resumed["front"] if "accuracy" in point}
    assert shown
    assert shown.items() <= known.items()
    assert {point["accuracy"] for point in resumed["trained_front"]} <= set(known.values())
    assert "trained, own training on digits, 1" in "".join(llmnas("resume", front["search_id"]).stdout.split("\n"))
    lab = Laboratory(Settings(store=f"sqlite:///{tmp_path}/llmnas.db", data=tmp_path / "tables"))
    search = lab.get_search(front["search_id"])
    assert [row.model_dump() for row in search.trained] == found["results"]
    assert [p.score for p in lab.compute_pareto_front(front["search_id"]).front] == [p["score"] for p in before]
    space = lab.space_of(front["search_id"])
    genotypes = [member.genotype for member in lab.members(front["search_id"])[1]]
    known = trained_of(lab.store, space, "digits", genotypes)
    assert sum(record is not None for record in known) == 2
    assert trained_of(lab.store, space, "cifar10", genotypes) == [None] * len(genotypes)
    lab.close()


@pytest.mark.thorough
def test_trainings_on_data_that_was_replaced_under_its_name_no_longer_count(llmnas: Run, tmp_path: Path) -> None:
    space = load_space(TINYNET)
    for seed, each in ((0, 6), (1, 8)):
        folder = class_folders(tmp_path / str(seed), each=each)
        llmnas("data", "add", "pets", str(folder))
        which = NETWORKS[seed]
        llmnas("train", which, "--space", TINYNET, "--data", "pets", "--epochs", "1")
        llmnas("data", "remove", "pets")
    lab = Laboratory(Settings(store=f"sqlite:///{tmp_path}/llmnas.db", data=tmp_path / "tables"))
    old, new = trained_of(lab.store, space, "pets", [space.parse(name) for name in NETWORKS[:2]])
    assert old is None
    assert new is not None
    lab.close()


@pytest.mark.thorough
def test_a_folder_is_trained_on_without_being_added(llmnas: Run, tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", each=6)
    found = parsed(llmnas("train", NETWORKS[0], "--space", TINYNET, "--data", str(folder), "--epochs", "1", "--json"))
    assert found["data"] == "pets"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((NETWORKS[0], "--data", "nothing"), "Unknown data 'nothing'. Allowed: digits"),
        ((NETWORKS[0], "--data", "digits", "--epochs", "0"), "epochs=0 is out of range: choose 1 to 10,000"),
        (("no-such-search", "--data", "digits"), "'no-such-search' is no search"),
        ((*NETWORKS, "--data", "digits", "--budget", "3"), "--budget 3 is too small: to train 4 networks"),
        ((NETWORKS[0], "--data", "digits", "--out", "nowhere/x.pt"), "--out nowhere/x.pt: there is no folder"),
    ],
)
def test_what_cannot_be_trained_is_told_before_anything_is(
    llmnas: Run, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = llmnas("train", *arguments, "--space", TINYNET, check=False)
    assert told in done.stderr
    assert done.returncode == 1
    assert not list((tmp_path / "tables").glob("training/*.pt"))


def test_a_network_whose_output_is_constant_is_refused(llmnas: Run) -> None:
    cell = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert "does not depend on its input" in refused(llmnas("train", cell, "--data", "digits", check=False))


@pytest.mark.thorough
def test_ctrl_c_says_what_is_kept_and_the_same_command_goes_on(tmp_path: Path) -> None:
    asked = ["train", NETWORKS[1], "--space", TINYNET, "--data", "digits", "--epochs", "60", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with warm.Popen(asked, env=environment(tmp_path), **pipes) as process:
        folder = tmp_path / "tables" / "training"
        while process.poll() is None and not list(folder.glob("*.resume")):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=HUNG)
    assert process.returncode == 130
    assert "Stopped. What was trained is kept: the same command goes on from there." in told
    assert "Traceback" not in told
    (left,) = folder.glob("*.resume")
    assert torch.load(left, weights_only=True)["step"] > 0
