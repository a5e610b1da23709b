"""The command `export`: files, their cards, weights, int8, and what goes wrong."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from llmnas_mcp.exporting import checking
from tests.agents.conftest import Run, parsed
from tests.exporting.alone import run_alone
from tests.exporting.digits import ARCHITECTURE, TINY, digits, trained

CELL = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
OF_DIGITS = ("--space", TINY, "--data", "digits")
FILES = (("onnx", "a.onnx"), ("openvino", "a.xml"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("trained") / "tiny.pt")


def refused(done: subprocess.CompletedProcess[str], folder: Path) -> str:
    """The one line that says what is wrong; no file is left."""
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert not [path for path in folder.iterdir() if path.name.startswith((".llmnas-", "a."))]
    return line


def test_a_network_is_written_checked_and_has_a_card(llmnas: Run, tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "a.onnx"
    done = llmnas("export", "nnnsnn", "--out", str(file), "--device", "raspi4")
    assert "its outputs are torch's, to" in done.stdout
    assert "Its weights are as initialised" in done.stderr
    card = json.loads(Path(f"{file}.json").read_text())
    assert card["architecture"] == CELL
    assert card["file"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert card["checked"]["difference"] < checking.NEAR
    (cost,) = card["costs"]
    assert (cost["device"], cost["unit"], cost["source"]) == ("raspi4", "ms", "fitted:hwnasbench")
    text = Path(f"{file}.md").read_text()
    assert all(word in text for word in (CELL, "raspi4", "Untrained", "Apache-2.0", "torch: "))
    assert {path.name for path in file.parent.iterdir()} == {"a.onnx", "a.onnx.json", "a.onnx.md"}


def test_trained_weights_go_into_the_file_with_classes_and_normalisation(
    llmnas: Run, weights: Path, tmp_path: Path
) -> None:
    import onnx

    file = tmp_path / "a.onnx"
    asked = ("export", ARCHITECTURE, "--space", TINY, "--weights", str(weights), "--out", str(file), "--json")
    card = parsed(llmnas(*asked))
    told = {prop.key: json.loads(prop.value) for prop in onnx.load(file).metadata_props if prop.value[0] == "["}
    images = digits()
    assert told == {"classes": list(images.classes), "mean": list(images.mean), "std": list(images.std)}
    assert card["accuracy"] == [{"value": 95.5, "grade": "trained", "of": "of its training on digits after 4 epochs"}]
    assert card["training"]["recipe"] == {"optimiser": "AdamW"}
    ((logits,),) = run_alone([file], [[images.normalise(images.test_x)]])
    assert (logits.argmax(1) == images.test_y).mean() > 0.8


def test_a_network_that_was_trained_here_is_exported_with_its_weights_unless_it_is_for_other_images(
    llmnas: Run, tmp_path: Path
) -> None:
    row = parsed(llmnas("train", ARCHITECTURE, "--space", TINY, "--data", "digits", "--epochs", "2", "--json"))
    of = ("export", ARCHITECTURE, "--space", TINY, "--out", str(tmp_path / "a.onnx"), "--force")
    done = llmnas(*of)
    assert f"Its weights are of its training on digits, 2 epochs, {row['results'][0]['test']:.2f} %" in done.stderr
    card = json.loads((tmp_path / "a.onnx.json").read_text())
    assert (card["trained"], card["dataset"], card["training"]["epochs"]) == (True, "digits", 2)
    assert parsed(llmnas(*of, "--data", "digits", "--json"))["accuracy"][0]["value"] == row["results"][0]["test"]
    other = llmnas(*of, "--dataset", "cifar10")
    assert "Its weights are as initialised" in other.stderr


@pytest.mark.thorough
def test_weights_of_before_the_file_of_its_space_was_changed_are_not_taken(llmnas: Run, tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(Path(TINY.partition(":")[0]).read_text())
    of = ("--space", f"{file}:TinyNet")
    llmnas("train", ARCHITECTURE, *of, "--data", "digits", "--epochs", "1")
    file.write_text(file.read_text() + "# changed\n")
    done = llmnas("export", ARCHITECTURE, *of, "--data", "digits", "--out", str(tmp_path / "a.onnx"))
    assert "Its weights are as initialised" in done.stderr


@pytest.mark.thorough
def test_int8_is_smaller_and_its_accuracy_is_told_beside_that_before(
    llmnas: Run, weights: Path, tmp_path: Path
) -> None:
    file = tmp_path / "a.onnx"
    asked = ("export", ARCHITECTURE, *OF_DIGITS, "--weights", str(weights), "--out", str(file), "--json")
    whole = parsed(llmnas(*asked))
    small = parsed(llmnas(*asked, "--int8", "--force"))
    before, after = small["accuracy"]
    assert whole["accuracy"] == [before]
    assert (small["file"]["precision"], small["file"]["bytes"] < 0.6 * whole["file"]["bytes"]) == ("int8", True)
    assert before["value"] > 80
    assert abs(before["value"] - after["value"]) < 3
    images = digits()
    ((logits,),) = run_alone([file], [[images.normalise(images.test_x)]])
    assert 100 * (logits.argmax(1) == images.test_y).mean() == pytest.approx(after["value"], abs=0.6)


@pytest.mark.thorough
def test_the_card_tells_of_the_search_and_of_its_member(llmnas: Run, tmp_path: Path) -> None:
    front = tmp_path / "run"
    llmnas("search", "--device", "raspi4", "--evaluations", "20", "--niches", "2", "--out", str(front))
    found = json.loads((front / "front.json").read_text())
    best = found["front"][-1]
    asked = ("export", best["architecture"], "--search", found["search_id"], "--out", str(tmp_path / "a.onnx"))
    card = parsed(llmnas(*asked, "--json"))
    assert card["search"]["search_id"] == found["search_id"]
    assert card["search"]["score"] == best["score"]
    assert [(cost["value"], cost["unit"]) for cost in card["costs"]] == [(best["cost"], "ms")]
    other = llmnas("export", "nnn1nn", *asked[2:4], "--out", str(tmp_path / "b.onnx"), check=False)
    assert "is none of the 20 networks" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--format", "onxx"),
            "Unknown format 'onxx'. Allowed: executorch, onnx, openvino, torch. Did you mean 'onnx'?",
        ),
        (("--format", "torch"), "a file of the format torch ends in .pt2"),
        (("--int8",), "--int8 needs images to calibrate by: name them with --data"),
        (("--weights", "nowhere.pt"), "There is no file nowhere.pt"),
        (("--dataset", "svhn"), "Unknown dataset 'svhn'"),
    ],
)
def test_mistakes_are_told_in_one_line_and_leave_nothing(
    llmnas: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = llmnas("export", "nnnsnn", "--out", str(tmp_path / "a.onnx"), *arguments, check=False)
    assert said in refused(done, tmp_path)


def test_openvino_has_int8_of_the_same_accuracy_as_onnx(llmnas: Run, weights: Path, tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino", reason="openvino is not here: pip install openvino")
    of = ("export", ARCHITECTURE, *OF_DIGITS, "--weights", str(weights), "--int8", "--json")
    onnx, xml = (parsed(llmnas(*of, "--format", name, "--out", str(tmp_path / file))) for name, file in FILES)
    assert [row["of"].split(",")[0] for row in xml["accuracy"]] == ["in float32", "in int8"]
    assert abs(xml["accuracy"][1]["value"] - onnx["accuracy"][1]["value"]) < 1
    assert xml["file"]["precision"] == "int8"
    assert "onnxruntime" in xml["versions"]
    model = openvino.Core().read_model(tmp_path / "a.xml")
    types = {node.get_element_type().get_type_name() for node in model.get_ops() if node.get_type_name() == "Constant"}
    assert types & {"i8", "u8"}
    assert model.get_rt_info(["llmnas", "space"]).value == "tinynet"


def test_int8_is_refused_for_a_format_that_is_not_made_of_onnx(llmnas: Run, tmp_path: Path) -> None:
    asked = ("export", ARCHITECTURE, *OF_DIGITS, "--int8", "--format", "executorch")
    line = refused(llmnas(*asked, "--out", str(tmp_path / "a.pte"), check=False), tmp_path)
    assert "int8 is written for the formats onnx and openvino only, not for executorch." in line


def break_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def no_card(path: Path) -> None:
    import torch

    torch.save({"state_dict": {}}, path)


def a_pickle(path: Path) -> None:
    import pickle

    path.write_bytes(pickle.dumps({"state_dict": Path}))


@pytest.mark.parametrize("harm", [break_bytes, no_card, a_pickle])
def test_a_file_that_holds_no_weights_is_refused(
    llmnas: Run, weights: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(weights.read_bytes())
    harm(path)
    asked = ("export", ARCHITECTURE, "--space", TINY, "--weights", str(path), "--out", str(tmp_path / "a.onnx"))
    assert "is not a whole file of weights" in llmnas(*asked, check=False).stderr
    assert not (tmp_path / "a.onnx").exists()


def test_weights_of_another_network_are_refused(llmnas: Run, weights: Path, tmp_path: Path) -> None:
    out = ("--weights", str(weights), "--out", str(tmp_path / "a.onnx"))
    other = llmnas("export", "depth=1,width=16,kernel.0=3", "--space", TINY, *out, check=False)
    assert "its weights are those of depth=2,width=16" in other.stderr
    space = llmnas("export", "nnnsnn", "--space", "nasbench201", *out, check=False)
    assert "its weights are for the space 'tinynet', not 'nasbench201'" in space.stderr


def test_what_is_there_is_not_replaced_unless_asked(llmnas: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    file.write_text("mine")
    done = llmnas("export", "nnnsnn", "--out", str(file), check=False)
    assert "is there already: name another --out, or replace it with --force" in done.stderr
    assert file.read_text() == "mine"
    llmnas("export", "nnnsnn", "--out", str(file), "--force")
    assert file.stat().st_size > 100_000


def test_a_file_that_differs_from_torch_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmnas_mcp.errors import LabError
    from llmnas_mcp.exporting import Subject, export
    from llmnas_mcp.spaces import dataset_shape, get_space

    opened = checking.opened
    monkeypatch.setattr(checking, "opened", lambda *of: lambda x: opened(*of)(x) + np.float32(1e-2))
    space = get_space("nasbench201")
    with pytest.raises(LabError, match="gives other outputs than torch"):
        export(Subject(space, space.parse("nnnsnn"), dataset_shape("cifar10")), "onnx", tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []
