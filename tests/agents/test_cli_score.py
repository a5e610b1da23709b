"""The command `score`: of architectures, and of networks of one's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from llmnas_mcp.scoring import DEFAULT, PROXIES, has_atlas
from llmnas_mcp.spaces import DATASETS, SPACES
from tests.agents.conftest import Run, parsed

OF_CONVOLUTIONS = [name for name in PROXIES if name != "dss"]
CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
OTHER = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
MODELS = """
import torch
from torch import nn


def small():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(), nn.Dropout(0.1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
    )


def wide():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )


def no_layers():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def broken():
    raise RuntimeError("no weights\\nfor [bold]you[/]")


def number():
    return 7
"""
BAD = {
    "no_layers": "no Conv2d and no Linear",
    "broken": "RuntimeError: no weights",
    "number": "returned int, not a torch.nn.Module",
    "nowhere": "no attribute 'nowhere'",
}


@pytest.fixture
def models(tmp_path: Path) -> str:
    """A file of factories."""
    path = tmp_path / "my models.py"
    path.write_text(MODELS)
    return str(path)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says what is wrong."""
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_an_architecture_is_shown_with_its_score_the_members_and_where_it_is_from(llmnas: Run) -> None:
    done = llmnas("score", CELL)
    assert all(word in done.stdout for word in (CELL, "growth", "jacov", "0.587", "82.5", "atlas"))
    assert "Spearman" in done.stdout
    assert done.stderr == ""


def test_as_json_an_architecture_has_every_default_proxy_and_what_the_score_is_worth(llmnas: Run) -> None:
    found = parsed(llmnas("score", CELL, OTHER, CELL, "--json"))
    one, other, again = found["results"]
    assert one == again
    assert one["score"] > other["score"]
    assert list(one["proxies"]) == list(DEFAULT)
    assert {worth["name"] for worth in found["worth"]} == {"score", "params", "macs"}


def test_what_the_score_is_worth_is_not_told_where_nothing_was_published(llmnas: Run) -> None:
    assert has_atlas(SPACES["nasbench201"], DATASETS["ImageNet16-120"])  # without it this would take minutes
    done = llmnas("score", CELL, "--dataset", "ImageNet16-120")
    assert "not calibrated in this space: not compared with accuracies of nasbench201 on ImageNet16-120" in done.stdout
    assert "Spearman" not in done.stdout


@pytest.mark.thorough
def test_other_proxies_are_measured_and_shown_beside_the_score(llmnas: Run) -> None:
    done = llmnas("score", OTHER, "--proxies", "zen, plain")
    assert all(word in done.stdout for word in ("zen", "plain", "computed"))
    assert "jacov" not in done.stdout.split("Rank correlation")[0]
    first, second = (parsed(llmnas("score", OTHER, "--proxies", "zen,plain", "--json")) for _ in range(2))
    assert first == second
    assert list(first["results"][0]["proxies"]) == ["zen", "plain"]
    assert first["results"][0]["score"] == parsed(llmnas("score", OTHER, "--json"))["results"][0]["score"]


@pytest.mark.thorough
def test_all_proxies_of_an_architecture_can_be_asked_for(llmnas: Run) -> None:
    done = llmnas("score", OTHER, "--proxies", "all")
    assert all(name in done.stdout for name in OF_CONVOLUTIONS)
    assert "dss" not in done.stdout
    assert "dss: The network has no attention" in done.stderr
    found = parsed(llmnas("score", OTHER, "--proxies", "dss", "--json"))
    assert found["results"][0]["proxies"] == {}
    assert list(found["left_out"]) == ["dss"]


def test_networks_of_ones_own_are_shown_and_the_others_named_with_the_reason(llmnas: Run, models: str) -> None:
    names = ["small", "broken", "wide", "no_layers", "number"]
    arguments = [word for name in names for word in ("--model", f"{models}:{name}")]
    done = llmnas("score", "--proxies", "all", *arguments)
    assert done.returncode == 0
    assert all(name in done.stdout for name in PROXIES)
    assert all(name in done.stdout.replace("\n", "") for name in ("small", "wide"))
    for name in ("broken", "no_layers", "number"):
        (line,) = (line for line in done.stderr.splitlines() if f"{models}:{name}" in line)
        assert BAD[name] in line
        assert name not in done.stdout
    assert "[bold]you[/]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
def test_networks_of_ones_own_have_the_same_values_in_every_run_and_order(llmnas: Run, models: str) -> None:
    small, wide, bad = (("--model", f"{models}:{name}") for name in ("small", "wide", "broken"))
    first = parsed(llmnas("score", "--proxies", "all", *small, *bad, *wide, "--json"))["results"]
    second = parsed(llmnas("score", "--proxies", "all", *wide, *small, "--json"))["results"]
    assert [first[0], first[2]] == [second[1], second[0]]
    assert list(first[0]["proxies"]) == OF_CONVOLUTIONS
    assert list(first[0]["left_out"]) == ["dss"]
    assert (first[0]["reason"], first[1]["proxies"]) == (None, None)
    assert "RuntimeError" in first[1]["reason"]


def test_without_a_selection_a_network_of_ones_own_has_the_default_proxies(llmnas: Run, models: str) -> None:
    (found,) = parsed(llmnas("score", "--model", f"{models}:small", "--json"))["results"]
    assert list(found["proxies"]) == list(DEFAULT)
    assert found["proxies"]["params"] == 224 + 16 + 584 + 90


@pytest.mark.thorough
@pytest.mark.parametrize("name", BAD)
def test_where_no_network_can_be_scored_the_command_fails_with_the_reason(llmnas: Run, models: str, name: str) -> None:
    done = llmnas("score", "--model", f"{models}:{name}", check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert BAD[name] in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize("model", ["nofile.py:small", "nocolon.py", ":small", "x.py:", "x.py:not-a-name", "data.txt:f"])
def test_what_names_no_factory_is_refused_with_how_to_write_it(llmnas: Run, model: str) -> None:
    done = llmnas("score", "--model", model, check=False)
    assert done.returncode == 1
    assert "FILE.py:FACTORY" in done.stderr or "There is no file" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize(
    "content",
    ["def small(:", "import nothing_of_that_name", "import sys\nsys.exit(3)", "raise KeyboardInterrupt"],
    ids=["syntax", "import", "exit", "interrupt"],
)
def test_a_file_that_fails_is_named_and_does_not_stop_the_others(
    llmnas: Run, tmp_path: Path, models: str, content: str
) -> None:
    (tmp_path / "bad.py").write_text(content)
    done = llmnas("score", "--model", f"{tmp_path}/bad.py:small", "--model", f"{models}:small", check=False)
    assert "Traceback" not in done.stderr
    if "KeyboardInterrupt" in content:  # Ctrl-C stops everything
        assert done.returncode == 130
    else:
        assert done.returncode == 0
        assert "bad.py:small: " in done.stderr
        assert "macs" in done.stdout


def test_a_file_with_dataclasses_and_a_module_beside_it_is_loaded_as_python_would(llmnas: Run, tmp_path: Path) -> None:
    (tmp_path / "layers_beside.py").write_text(MODELS)
    (tmp_path / "mine.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import ClassVar\n"
        "from layers_beside import small\n\n\n@dataclass\nclass Config:\n    width: int = 8\n    n: ClassVar[int] = 1\n"
        "\n\ndef build():\n    assert Config().width == 8\n    return small()\n"
    )
    (found,) = parsed(llmnas("score", "--model", f"{tmp_path}/mine.py:build", "--json"))["results"]
    assert found["reason"] is None


def test_what_a_model_prints_does_not_spoil_the_json(llmnas: Run, tmp_path: Path) -> None:
    (tmp_path / "chatty.py").write_text(MODELS + "\n\ndef chatty():\n    print('building ...')\n    return small()\n")
    (found,) = parsed(llmnas("score", "--model", f"{tmp_path}/chatty.py:chatty", "--json"))["results"]
    assert found["reason"] is None


def test_neither_architectures_nor_networks_or_both_are_refused(llmnas: Run, models: str) -> None:
    assert "--model" in refused(llmnas("score", check=False))
    assert "not both" in refused(llmnas("score", CELL, "--model", f"{models}:small", check=False))


@pytest.mark.thorough
def test_an_unknown_proxy_is_refused_with_the_nearest_name(llmnas: Run, models: str) -> None:
    for what in ([CELL], ["--model", f"{models}:small"]):
        line = refused(llmnas("score", *what, "--proxies", "zen,jacobi,zico", check=False))
        assert "'jacobi'" in line
        assert "Did you mean" in refused(llmnas("score", *what, "--proxies", "nasswot", check=False))


@pytest.mark.thorough
def test_an_unknown_dataset_or_architecture_is_refused(llmnas: Run, models: str) -> None:
    for what in ([CELL], ["--model", f"{models}:small"]):
        assert "cifar10" in refused(llmnas("score", *what, "--dataset", "cifar11", check=False))
    done = llmnas("score", CELL, "|conv~0|", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: architectures[1]")
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize("empty", ["", ",", " , "])
def test_an_empty_selection_of_proxies_is_the_default(llmnas: Run, models: str, empty: str) -> None:
    (found,) = parsed(llmnas("score", "--model", f"{models}:small", "--proxies", empty, "--json"))["results"]
    assert list(found["proxies"]) == list(DEFAULT)


def test_models_of_several_folders_each_get_their_own_helpers(llmnas: Run, tmp_path: Path) -> None:
    for name, width in (("one", 4), ("two", 16)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text(f"WIDTH = {width}")
        (tmp_path / name / "net.py").write_text(
            "from torch import nn\nfrom helper import WIDTH\n\ndef build():\n"
            "    return nn.Sequential(nn.Conv2d(3, WIDTH, 3), nn.ReLU(), nn.Conv2d(WIDTH, 4, 3), nn.ReLU(),"
            " nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
        )
    names = [f"{tmp_path / name / 'net.py'}:build" for name in ("one", "two")]
    found = parsed(llmnas("score", "--model", names[0], "--model", names[1], "--proxies", "params", "--json"))
    assert [x["proxies"]["params"] for x in found["results"]] == [4 * 28 + 4 * 37, 16 * 28 + 4 * 145]


def test_what_a_model_prints_or_how_it_exits_does_not_spoil_the_answer(llmnas: Run, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import sys\nfrom torch import nn\n\n"
        "class Loud(nn.Conv2d):\n    def forward(self, x):\n        print('hello')\n"
        "        return super().forward(x).mean((2, 3))\n\n"
        "class Exits(nn.Conv2d):\n    def forward(self, x):\n        sys.exit(0)\n\n"
        "def loud():\n    print('made')\n    return Loud(3, 10, 3)\n\ndef exits():\n    return Exits(3, 10, 3)\n"
    )
    models = [part for name in ("loud", "exits") for part in ("--model", f"{tmp_path / 'net.py'}:{name}")]
    loud, exits = parsed(llmnas("score", *models, "--proxies", "params,jacov", "--json"))["results"]
    assert loud["proxies"].keys() == {"params", "jacov"}
    assert "SystemExit" in exits["reason"]


def test_a_proxy_that_cannot_be_told_is_left_out_with_the_reason_and_the_others_are_told(
    llmnas: Run, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\ndef build():\n"
        "    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sigmoid(), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    done = llmnas("score", "--model", f"{tmp_path / 'net.py'}:build", "--proxies", "params,naswot,zen", "--json")
    (found,) = parsed(done)["results"]
    assert found["proxies"].keys() == {"params", "zen"}
    assert found["left_out"] == {
        "naswot": "The network has no ReLU or the like: naswot and swap cannot be told: leave them out."
    }


@pytest.mark.thorough
def test_where_the_terminal_is_narrow_nothing_is_cut(llmnas: Run, models: str) -> None:
    shown = llmnas("score", "--model", f"{models}:small", "--model", f"{models}:wide", "--proxies", "all").stdout
    assert all(shown.count(f" {name} ") == 2 for name in PROXIES)
    assert "…" not in shown
