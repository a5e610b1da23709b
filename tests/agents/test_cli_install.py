"""`llmnas install` as a user runs it, in a home of the test's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import pytest
from llmnas_agents import clients
from llmnas_agents.clients import CLIENTS, client_of, our_server

from llmnas_mcp.errors import LabError
from tests.agents.conftest import Run

README = Path(__file__).resolve().parents[2] / "README.md"
FILES = {
    "claude-desktop": ".config/Claude/claude_desktop_config.json",
    "claude-code": ".claude.json",
    "vscode": ".config/Code/User/mcp.json",
    "cursor": ".cursor/mcp.json",
    "codex": ".codex/config.toml",
}
JSON_CLIENTS = [name for name in FILES if name != "codex"]
THEIRS = """\
{
    "theme": "dark",
    "z": 1.50,
    "SERVERS": {
        "other": { "command": "npx", "args": [ "-y", "x" ] }
    },
    "a": {"käse": "\\u00fc"}
}"""
CODEX = """\
# mine
model = "o9"   # the best

[mcp_servers.other]   # keep
command = 'npx'

[profiles.a]
x = 1
"""


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without anything, and a key that must not get anywhere."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("APPDATA", str(folder / "Roaming"))
    monkeypatch.setenv("LOCALAPPDATA", str(folder / "Local"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "LLMNAS_STORE", "LLMNAS_DATA", "UV"):
        monkeypatch.delenv(name, raising=False)
    return folder


def loads(text: str) -> dict[str, Any]:
    return json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)


def theirs(name: str) -> str:
    return CODEX if name == "codex" else THEIRS.replace("SERVERS", CLIENTS[name].servers)


def give(home: Path, name: str, text: str) -> Path:
    """Their configuration, as it is before we come."""
    path = home / FILES[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.*.bak"))


@pytest.mark.thorough
@pytest.mark.parametrize("name", FILES)
def test_a_client_without_a_file_gets_what_print_shows(llmnas: Run, home: Path, name: str) -> None:
    path = home / FILES[name]
    shown = llmnas("install", name, "--print")
    assert str(path) in shown.stderr
    assert list(home.iterdir()) == []
    assert str(path) in llmnas("install", name).stderr
    assert path.read_text() == shown.stdout
    assert "sk-secret" not in shown.stdout
    server = loads(shown.stdout)[CLIENTS[name].servers]["llmnas"]
    assert Path(server["command"]).is_absolute()
    assert os.access(server["command"], os.X_OK)
    assert backups(path) == []


@pytest.mark.thorough
@pytest.mark.parametrize("name", FILES)
def test_what_was_there_stays_to_the_letter_and_a_copy_is_kept(llmnas: Run, home: Path, name: str) -> None:
    before = theirs(name)
    path = give(home, name, before)
    path.chmod(0o640)
    llmnas("install", name)
    after = path.read_text()
    ours = loads(after)[CLIENTS[name].servers].pop("llmnas")
    assert ours["command"]
    kept = loads(after)
    del kept[CLIENTS[name].servers]["llmnas"]
    assert kept == loads(before)
    rest = iter([line.rstrip(",") for line in after.splitlines()])
    assert all(line.rstrip(",") in rest for line in before.splitlines())  # as it was written, in that order
    (copy,) = backups(path)
    assert copy.read_text() == before
    assert [p.stat().st_mode & 0o777 for p in (path, copy)] == [0o640, 0o640]

    llmnas("install", name)
    assert path.read_text() == after
    assert backups(path) == [copy]


def test_a_new_file_is_its_owners_alone_as_the_store_may_have_a_password(llmnas: Run, home: Path) -> None:
    llmnas("install", "cursor")
    path = home / FILES["cursor"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert "LLMNAS_STORE" in path.read_text()


def test_an_entry_of_ours_gets_the_new_command_and_keeps_what_its_owner_said(llmnas: Run, home: Path) -> None:
    old = {
        "command": "/gone/llmnas-mcp",
        "args": ["--old"],
        "env": {"MINE": "1", "LLMNAS_DATA": "x"},
        "disabled": False,
    }
    path = give(home, "cursor", json.dumps({"mcpServers": {"llmnas": old}}))
    llmnas("install", "cursor")
    new = json.loads(path.read_text())["mcpServers"]["llmnas"]
    assert new.pop("env").items() >= {"MINE": "1"}.items()
    assert new == {"command": our_server()["command"], "args": ["--old"], "disabled": False, "type": "stdio"}

    path = give(home, "codex", '[mcp_servers.llmnas]\ncommand = "llmnas-mcp" # old\nstartup_timeout_sec = 5\n')
    llmnas("install", "codex")
    assert "startup_timeout_sec = 5\n" in path.read_text()
    assert "# old" in path.read_text()


def test_an_entry_of_ours_in_one_line_stays_in_one_line(llmnas: Run, home: Path) -> None:
    path = give(home, "codex", '[mcp_servers]\nllmnas = {command = "llmnas-mcp", enabled = false}\n\n[a]\nx = 1\n')
    llmnas("install", "codex")
    lines = path.read_text().splitlines()
    assert [lines[0], *lines[2:]] == ["[mcp_servers]", "", "[a]", "x = 1"]
    entry = tomllib.loads(lines[1])["llmnas"]
    assert (entry["command"], entry["enabled"]) == (our_server()["command"], False)
    assert entry["env"].keys() == {"LLMNAS_STORE", "LLMNAS_DATA"}


@pytest.mark.parametrize("name", FILES)
def test_where_things_live_goes_with_the_command_when_it_is_set(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "env" not in loads(clients.snippet(CLIENTS[name]))[CLIENTS[name].servers]["llmnas"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMNAS_STORE", "sqlite:///mine.db")
    monkeypatch.setenv("LLMNAS_DATA", "tables")
    env = loads(clients.snippet(CLIENTS[name]))[CLIENTS[name].servers]["llmnas"]["env"]
    assert env == {"LLMNAS_STORE": f"sqlite:///{tmp_path}/mine.db", "LLMNAS_DATA": str(tmp_path / "tables")}
    monkeypatch.setenv("LLMNAS_STORE", "postgresql://me@there/llmnas")
    assert our_server()["env"]["LLMNAS_STORE"] == "postgresql://me@there/llmnas"


def test_comments_stay_where_the_client_reads_them(llmnas: Run, home: Path) -> None:
    text = '// mine\r\n{\r\n  "servers": {\r\n    "other": {"url": "http://x"}, // theirs\r\n  },\r\n}\r\n'
    path = give(home, "vscode", text)
    llmnas("install", "vscode")
    new = path.read_bytes().decode()
    assert all(part in new for part in text.split("\r\n"))
    assert new.count("\n") == new.count("\r\n")
    llmnas("install", "vscode")
    assert path.read_bytes().decode() == new
    assert len(backups(path)) == 1


@pytest.mark.parametrize(
    ("before", "lone"), [('a = "b"\r\n[mcp_servers.other]\r\ncommand = "x"\r\n', False), ('a = "b"\r\nc = 1\n', True)]
)
def test_lines_of_toml_end_as_those_that_were_there(llmnas: Run, home: Path, before: str, lone: bool) -> None:
    path = give(home, "codex", before)
    llmnas("install", "codex")
    new = path.read_bytes().decode()
    assert new.startswith(before)
    assert (new.count("\n") > new.count("\r\n")) is lone


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        *((name, '{\n  "a": 1\n  "b": 2\n}', "line 3 column 3") for name in JSON_CLIENTS),
        ("codex", "a = 1\nb = \n", "line 2"),
        ("claude-desktop", '{\n  // not for this client\n  "a": 1\n}', "line 2"),
        ("claude-code", '["a"]', "settings by name"),
        ("vscode", '{"servers": []}', "no table of servers"),
        ("cursor", '{"mcpServers": {"llmnas": {"url": "http://here/mcp"}}}', "another kind"),
        ("claude-code", '{"mcpServers": {"llmnas": {"type": "sse", "command": "llmnas-mcp"}}}', "another kind"),
        ("claude-desktop", '{"mcpServers": {"llmnas": {"command": "npx", "args": ["theirs"]}}}', "another kind"),
        ("codex", '[mcp_servers.llmnas]\ncommand = "npx"\n', "another kind"),
        ("vscode", '{"a": ' + "[" * 5000 + "]" * 5000 + "}", "recursion"),
        ("codex", "mcp_servers = 3\n", "no table of servers"),
        ("cursor", b"\xff\xfe{".decode("latin-1"), "broken"),
    ],
)
def test_a_file_that_cannot_be_added_to_is_refused_with_the_line_and_the_fix(
    llmnas: Run, home: Path, name: str, text: str, said: str
) -> None:
    path = give(home, name, text)
    done = llmnas("install", name, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert str(path) in done.stderr
    assert "--print" in done.stderr or "remove or rename it" in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == text.encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_no_text_is_left_alone(llmnas: Run, home: Path) -> None:
    path = give(home, "cursor", "")
    path.write_bytes(b"\xff\xfe\x00")
    done = llmnas("install", "cursor", check=False)
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    assert path.read_bytes() == b"\xff\xfe\x00"


def test_a_link_stays_a_link_and_an_empty_file_is_none(llmnas: Run, home: Path) -> None:
    real = home / "dotfiles.json"
    real.write_text("")
    (home / ".claude.json").symlink_to(real)
    llmnas("install", "claude-code")
    assert (home / ".claude.json").is_symlink()
    assert "llmnas" in json.loads(real.read_text())["mcpServers"]


def test_a_link_that_leads_to_itself_is_told_in_one_line(llmnas: Run, home: Path) -> None:
    (home / ".claude.json").symlink_to(home / ".claude.json")
    done = llmnas("install", "claude-code", check=False)
    assert done.returncode == 1
    assert "cannot be" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_client_is_told_with_those_there_are(llmnas: Run) -> None:
    done = llmnas("install", "cursr", check=False)
    assert done.returncode == 1
    assert "Did you mean 'cursor'?" in done.stderr


@pytest.mark.parametrize(
    ("platform", "paths"),
    [
        (
            "darwin",
            [
                "Library/Application Support/Claude/claude_desktop_config.json",
                ".claude.json",
                "Library/Application Support/Code/User/mcp.json",
                ".cursor/mcp.json",
                ".codex/config.toml",
            ],
        ),
        (
            "win32",
            [
                "Roaming/Claude/claude_desktop_config.json",
                ".claude.json",
                "Roaming/Code/User/mcp.json",
                ".cursor/mcp.json",
                ".codex/config.toml",
            ],
        ),
        ("linux", list(FILES.values())),
    ],
)
def test_each_client_keeps_its_file_where_the_system_has_it(
    platform: str, paths: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert [client.path() for client in CLIENTS.values()] == [home / path for path in paths]


def test_claude_desktop_as_a_windows_package_reads_the_folder_of_the_package(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    for place in ("Packages/Claude_abc/LocalCache/Roaming/Claude", "Claude-Data/Claude_abc"):  # newer ones last
        folder = home / "Local" / place
        folder.mkdir(parents=True)
        assert client_of("claude-desktop").path() == folder / "claude_desktop_config.json"


def test_folders_that_the_clients_let_be_moved_are_followed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"):
        monkeypatch.setenv(name, str(home / name))
    assert client_of("vscode").path() == home / "XDG_CONFIG_HOME" / "Code" / "User" / "mcp.json"
    assert client_of("claude-code").path() == home / "CLAUDE_CONFIG_DIR" / ".claude.json"
    assert client_of("codex").path() == home / "CODEX_HOME" / "config.toml"


def test_from_the_cache_of_uvx_the_client_is_told_to_ask_uvx(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(home / ".cache" / "uv" / "archive-v0" / "rHh26P59yP6HSbU9"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LabError, match="install uv"):
        our_server()
    for name in ("uv", "uvx"):
        (home / name).write_text("")
        (home / name).chmod(0o755)
    monkeypatch.setenv("UV", str(home / "uv"))
    asked = {"command": str(home / "uvx"), "args": ["--from", "llmnas-mcp", "llmnas-mcp"]}
    assert our_server() == asked
    monkeypatch.delenv("UV")
    monkeypatch.setenv("PATH", str(home))
    assert our_server() == asked


def test_the_command_is_that_beside_the_interpreter_or_else_the_interpreter(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = home / "pipx" / "venvs" / "llmnas-mcp" / "bin" / "llmnas-mcp"
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(script.parent))
    assert our_server() == {"command": sys.executable, "args": ["-m", "llmnas_mcp.server.main"]}
    script.parent.mkdir(parents=True)
    script.write_text("")
    script.chmod(0o755)
    assert our_server() == {"command": str(script)}


def test_the_command_works_in_any_folder_with_an_empty_path(tmp_path: Path) -> None:
    server = our_server()
    done = subprocess.run(
        [server["command"], *server.get("args", []), "--version"],
        env={"PATH": "", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize("name", FILES)
def test_the_readme_shows_what_print_shows(llmnas: Run, name: str) -> None:
    section = README.read_text().split("## Search in a conversation")[1].split("\n## ")[0]
    blocks = [textwrap.dedent(block) for block in re.findall(r"^(?:    .*\n)+", section, re.MULTILINE)]
    assert any(f"llmnas install {name}\n" in block for block in blocks)
    printed = loads(llmnas("install", name, "--print").stdout)
    assert printed[CLIENTS[name].servers]["llmnas"].pop("env")  # those of this test
    printed[CLIENTS[name].servers]["llmnas"]["command"] = "/path/to/llmnas-mcp/.venv/bin/llmnas-mcp"
    assert printed in [loads(block) for block in blocks if block[0] in "{["]


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("/gone/bin/llmnas-mcp", ["--read-only"]),
        ("/gone/bin/python", ["-m", "llmnas_mcp.server.main", "--read-only"]),
        ("/gone/bin/uvx", ["--from", "llmnas-mcp", "llmnas-mcp", "--read-only"]),
    ],
)
def test_installing_again_keeps_the_options_the_user_gave_our_server(
    llmnas: Run, home: Path, command: str, args: list[str]
) -> None:
    path = home / FILES["cursor"]
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"mcpServers": {"llmnas": {"command": command, "args": args}}}))
    llmnas("install", "cursor")
    ours = our_server()
    entry = json.loads(path.read_text())["mcpServers"]["llmnas"]
    assert entry["command"] == ours["command"]
    assert entry["args"] == [*ours.get("args", []), "--read-only"]
