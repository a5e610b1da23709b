"""`llmnas doctor` as a user runs it, in a home of the test's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from llmnas_agents import probe
from llmnas_agents.cli import doctor
from llmnas_agents.probe import start

from tests.agents.conftest import Run, parsed

pytestmark = pytest.mark.usefixtures("no_credentials")
SERVER = "from llmnas_mcp.server.main import main; main()"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home in which no client has been set up."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(folder))
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str, str]]:
    return {c["check"]: (c["state"], c["found"], c["fix"]) for c in parsed(done)["checks"]}


def configure(home: Path, server: Any) -> None:
    """Cursor and Claude Desktop with a server of ours."""
    for path in (home / ".cursor" / "mcp.json", home / ".config" / "Claude" / "claude_desktop_config.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"mcpServers": {"llmnas": server, "other": {"command": "/not/ours"}}}))


def test_where_all_is_well_it_says_so_and_what_could_be_set_up(llmnas: Run) -> None:
    llmnas("install", "codex")
    done = llmnas("doctor", "--json")
    found = findings(done)
    assert parsed(done)["ok"]
    assert [found[name][0] for name in ("environment", "store", "data", "server", "codex")] == ["ok"] * 5
    assert "holds 0 searches" in found["store"][1]
    assert "offers 18 tools" in found["codex"][1]
    state, said, _ = found["key"]
    assert (state, "ANTHROPIC_API_KEY" in said) == ("note", True)
    for name in ("claude-desktop", "claude-code", "vscode", "cursor"):
        assert found[name][0] == "note"
        assert found[name][2] == f"llmnas install {name}"


@pytest.mark.thorough
def test_what_is_wrong_is_shown_with_its_fix_and_the_exit_code(llmnas: Run, home: Path, tmp_path: Path) -> None:
    configure(home, {"command": "/gone/bin/llmnas-mcp"})
    (home / ".claude.json").write_text('{\n "mcpServers": {,}}')
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "devices.nasbench201.cifar10.npz").write_text("no table")
    done = llmnas("doctor", check=False)
    assert done.returncode == 1
    assert done.stderr == ""
    for word in ("spawn ENOENT: there is no /gone/bin/llmnas-mcp", "llmnas install cursor", "line 2"):
        assert word in done.stdout
    found = findings(llmnas("doctor", "--json", check=False))
    assert {name for name, (state, *_) in found.items() if state == "wrong"} == {
        "data",
        "claude-desktop",
        "claude-code",
        "cursor",
    }
    assert "is damaged" in found["data"][1]
    assert all(fix for state, _, fix in found.values() if state == "wrong")


@pytest.mark.thorough
def test_a_store_that_cannot_be_used_is_wrong_here_and_for_every_client(llmnas: Run, tmp_path: Path) -> None:
    (tmp_path / "llmnas.db").write_text("no database, but long enough to be seen as none" * 100)
    llmnas("install", "cursor")
    found = findings(llmnas("doctor", "--json", check=False))
    assert found["store"][0] == found["server"][0] == found["cursor"][0] == "wrong"
    assert "LLMNAS_STORE" in found["store"][2]
    assert found["server"][2] == found["cursor"][2] == doctor.OWN_FIX  # to install it again would change nothing
    assert str(tmp_path / "llmnas.db") in found["cursor"][1]  # what the server said before it ended


def test_a_password_of_the_store_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMNAS_STORE", "postgresql://me:hidden@there/llmnas")
    assert "hidden" not in doctor._store()


@pytest.mark.thorough
def test_a_server_elsewhere_is_not_asked_and_other_servers_are_none_of_our_business(llmnas: Run, home: Path) -> None:
    configure(home, {"url": "http://127.0.0.1:1/mcp"})
    found = findings(llmnas("doctor", "--json"))
    assert found["cursor"][0] == "note"
    assert "http://127.0.0.1:1/mcp" in found["cursor"][1]


def script(folder: Path, text: str, mode: int = 0o755) -> str:
    path = folder / "server"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.anyio
async def test_a_command_that_cannot_be_started_is_told_as_clients_tell_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trouble(command: str, search: str | None = None) -> str:
        tools, said = await start({"command": command}, search)
        assert tools == 0
        return str(said)

    assert "spawn ENOENT: there is no /gone/x" in await trouble("/gone/x")
    assert "spawn ENOENT: there is no command 'llmnas-gone'" in await trouble("llmnas-gone")
    assert "in the client's folder" in await trouble(".venv/bin/llmnas-mcp")
    assert "EACCES" in await trouble(script(tmp_path, "", mode=0o644))
    assert "EACCES" in await trouble(str(tmp_path))
    assert "ENOENT: the interpreter" in await trouble(script(tmp_path, "#!/gone/python\n"))
    assert "Exec format error" in await trouble(script(tmp_path, "\x7fELF"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "PATH of your shell, but not on that of the client" in await trouble("server", "/bin")
    assert "is not written as a server: command" in str((await start({"args": []}))[1])
    assert "is not written as a server" in str((await start("llmnas-mcp"))[1])


@pytest.mark.anyio
async def test_a_server_that_prints_dies_or_says_nothing_is_told_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"LLMNAS_STORE": f"sqlite:///{tmp_path}/llmnas.db", "LLMNAS_DATA": str(tmp_path)}

    async def python(code: str) -> tuple[int, str | None]:
        return await start({"command": sys.executable, "args": ["-c", code], "env": env})

    assert await python(SERVER) == (18, None)
    tools, said = await python(f"print('hello', flush=True); {SERVER}")
    assert tools == 18
    assert said == "prints to standard output, which belongs to the protocol: 'hello'"
    assert await python("raise SystemExit('no more')") == (0, "ends before it answers; it said last: no more")
    assert (await python("raise SystemExit(3)"))[1] == "does not answer: Connection closed"
    monkeypatch.setattr(probe, "PATIENCE_S", 0.5)
    tools, said = await python("import sys; print('busy', file=sys.stderr, flush=True); sys.stdin.read()")
    assert (tools, str(said)[:15]) == (0, "does not answer")
