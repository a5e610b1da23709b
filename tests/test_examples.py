"""The examples and what the README shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from llmnas_agents.cli.app import app
from typer.core import TyperGroup
from typer.main import get_command

from tests.agents.stub_anthropic import Answer, Failure, Request, StubAnthropic
from tests.thorough import HUNG

ROOT = Path(__file__).resolve().parent.parent


def test_the_plain_client_lists_cells_by_rising_latency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMNAS_STORE", f"sqlite:///{tmp_path}/llmnas.db")
    monkeypatch.setenv("LLMNAS_DATA", str(tmp_path))
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "plain_client.py")], capture_output=True, text=True, check=True
    )
    values = [float(line.split()[0]) for line in done.stdout.splitlines()]
    assert len(values) == 4
    assert values == sorted(values)


@pytest.mark.parametrize("name", [pytest.param("custom_operator", marks=pytest.mark.thorough), "langgraph_tools"])
def test_an_example_runs_as_it_stands_and_is_short(name: str, tmp_path: Path) -> None:
    path = ROOT / "examples" / f"{name}.py"
    assert len(path.read_text().splitlines()) <= 60
    env = {**os.environ, "LLMNAS_STORE": f"sqlite:///{tmp_path}/llmnas.db", "LLMNAS_DATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=True, env=env, timeout=HUNG
    )
    lines = done.stdout.splitlines()
    assert lines
    assert all(float(line.split()[0]) > 0 and " ms " in line for line in lines)


@pytest.mark.thorough
def test_a_method_of_ones_own_is_compared_by_the_plan_in_examples(tmp_path: Path) -> None:
    assert len((ROOT / "examples" / "custom_method.py").read_text().splitlines()) <= 60
    command = [sys.executable, "-c", "from llmnas_agents.cli import main; main()", "bench", "run", "plan.yaml"]
    env = {**os.environ, "LLMNAS_STORE": f"sqlite:///{tmp_path}/llmnas.db", "LLMNAS_DATA": str(tmp_path)}
    subprocess.run(
        [*command, "--seeds", "1", "--budgets", "40", "--out", str(tmp_path / "out")],
        cwd=ROOT / "examples",
        env=env,
        capture_output=True,
        check=True,
    )
    runs = [json.loads(line) for line in (tmp_path / "out" / "runs.jsonl").read_text().splitlines()]
    assert {run["method"]: run["evaluations"] for run in runs} == dict.fromkeys(
        ("evolution", "evolution+no-partition", "custom_method:hill_climbing"), 40
    )
    assert {run["limit_2"] for run in runs} == {10}


def test_the_plan_of_the_readme_is_the_one_in_examples() -> None:
    shown = re.search(r"^```yaml\n(datasets.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    assert shown[1] == (ROOT / "examples" / "plan.yaml").read_text()


def test_the_config_of_the_readme_is_the_one_in_examples() -> None:
    shown = re.search(r'^    (\{"mcpServers".*)$', (ROOT / "README.md").read_text(), re.MULTILINE)
    assert shown
    assert json.loads(shown[1]) == json.loads((ROOT / "examples" / "claude_desktop_config.json").read_text())


def test_every_command_of_the_readme_exists() -> None:
    commands = set(re.findall(r"llmnas (data \w+|bench \w+|\w+)", (ROOT / "README.md").read_text()))
    for name in commands:
        command = get_command(app)
        for word in name.split():
            assert isinstance(command, TyperGroup), f"llmnas {name}"
            assert word in command.commands, f"llmnas {name}"
            command = command.commands[word]
    assert {
        "search",
        "resume",
        "searches",
        "latency",
        "score",
        "devices",
        "spaces",
        "data import",
        "bench run",
    } <= commands


def test_imports_keep_to_the_floors() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "4 kept, 0 broken" in done.stdout


def test_claude_looks_a_latency_up_through_anthropics_tool_runner(tmp_path: Path) -> None:
    cell = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    asks = {"type": "tool_use", "id": "toolu_1", "name": "query_latency"}
    asks["input"] = {"architectures": [cell], "device": "raspi4"}

    def claude(request: Request) -> Answer:
        content = request.body["messages"][-1]["content"]
        if isinstance(content, str):
            return Answer(content=[asks], stop_reason="tool_use")
        found = re.search(r'"value": ?([\d.]+)', json.dumps(content).replace("\\", ""))
        return Answer(f"It takes {found[1] if found else '?'} ms.")

    with StubAnthropic(claude) as stub:
        path = ROOT / "examples" / "claude_tool_runner.py"
        env = {**os.environ, **stub.environment, "LLMNAS_STORE": f"sqlite:///{tmp_path}/llmnas.db"}
        done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, env=env, timeout=HUNG)
    assert re.fullmatch(r"It takes 3\d\.\d+ ms\.\n", done.stdout), done.stderr
    assert len(path.read_text().splitlines()) <= 60
    assert [tool["name"] for tool in stub.requests[0].body["tools"]] == [
        "list_spaces",
        "list_devices",
        "query_latency",
        "score_zero_cost",
    ]


@pytest.mark.thorough
@pytest.mark.parametrize(("key", "told"), [("", "Set ANTHROPIC_API_KEY"), ("wrong", "Claude could not be asked")])
def test_the_tool_runner_says_what_is_wrong_with_the_key(key: str, told: str, tmp_path: Path) -> None:
    with StubAnthropic([Failure(401)]) as stub:
        path = ROOT / "examples" / "claude_tool_runner.py"
        env = {**os.environ, **stub.environment, "LLMNAS_STORE": f"sqlite:///{tmp_path}/llmnas.db"}
        env["ANTHROPIC_API_KEY"] = key
        done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, env=env, timeout=HUNG)
    assert (done.stdout + done.stderr).startswith(told)
    assert "Traceback" not in done.stderr
