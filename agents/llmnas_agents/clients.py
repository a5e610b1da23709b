"""MCP clients: where each keeps its servers and in what form, and the command by which it can start ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import sysconfig
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmnas_agents import jsonc
from llmnas_mcp.errors import LabError, UnknownNameError

NAME = "llmnas"
CARRIED = ("LLMNAS_STORE", "LLMNAS_DATA")  # where things live; never a key


@dataclass(frozen=True)
class Client:
    """A client: its file, the key of the servers in it, and what it wants beside the command."""

    name: str
    title: str
    path: Callable[[], Path]
    servers: str = "mcpServers"
    beside: dict[str, Any] = field(default_factory=dict)
    comments: bool = False  # whether it reads JSON with comments
    desktop: bool = False  # whether it is started from the desktop, and so without the PATH of a shell


def _config() -> Path:
    """Where programs of the desktop keep what the user set."""
    platform, home = str(sys.platform), Path.home()
    if platform == "win32":
        return Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
    if platform == "darwin":
        return home / "Library" / "Application Support"
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")


def _claude_desktop() -> Path:
    """As its manual says, but for the Windows package, which is given a folder of its own in place of that one.

    https://modelcontextprotocol.io/docs/develop/connect-local-servers;
    https://github.com/anthropics/claude-code/issues/26073 (Packages), https://github.com/MadGapun/PBP (Claude-Data).
    """
    folder = _config() / "Claude"
    if str(sys.platform) == "win32":
        local = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        packaged = [*local.glob("Claude-Data/[Cc]laude_*"), *local.glob("Packages/Claude_*/LocalCache/Roaming/Claude")]
        folder = next((path for path in packaged if path.is_dir()), folder)
    return folder / "claude_desktop_config.json"


# Sources: https://code.claude.com/docs/en/mcp (user scope) and /env-vars (CLAUDE_CONFIG_DIR);
# https://code.visualstudio.com/docs/copilot/reference/mcp-configuration; https://cursor.com/docs/mcp;
# https://developers.openai.com/codex/mcp (Codex waits 10 s for a server unless told; a cold start may take longer).
CLIENTS = {
    client.name: client
    for client in (
        Client("claude-desktop", "Claude Desktop", _claude_desktop, desktop=True),
        Client(
            "claude-code",
            "Claude Code",
            lambda: Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home()) / ".claude.json",
            beside={"type": "stdio"},
        ),
        Client(
            "vscode",
            "VS Code",
            lambda: _config() / "Code" / "User" / "mcp.json",
            servers="servers",
            beside={"type": "stdio"},
            comments=True,
        ),
        Client(
            "cursor",
            "Cursor",
            lambda: Path.home() / ".cursor" / "mcp.json",
            beside={"type": "stdio"},
            comments=True,
        ),
        Client(
            "codex",
            "Codex",
            lambda: Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex") / "config.toml",
            servers="mcp_servers",
            beside={"startup_timeout_sec": 60},
        ),
    )
}


def client_of(name: str) -> Client:
    """The client of that name; raises UnknownNameError."""
    if name not in CLIENTS:
        raise UnknownNameError("client", name, CLIENTS)
    return CLIENTS[name]


def our_server() -> dict[str, Any]:
    """How a client starts the server of this installation, from any folder and with an empty PATH."""
    command, args = _command()
    server: dict[str, Any] = {"command": command, "args": args} if args else {"command": command}
    env = {name: _absolute(os.environ[name]) for name in CARRIED if os.environ.get(name)}
    return {**server, "env": env} if env else server


def _command() -> tuple[str, list[str]]:
    if any(re.fullmatch(r"(archive|environments)-v\d+", part) for part in Path(sys.prefix).parts):
        # uvx runs us from its cache, which may be emptied at any time: the client, too, must ask uvx.
        # https://docs.astral.sh/uv/reference/environment/ has UV: the path of the uv that started us.
        beside = Path(os.environ.get("UV", "uv")).with_name("uvx.exe" if str(sys.platform) == "win32" else "uvx")
        uvx = str(beside) if beside.is_absolute() and beside.is_file() else shutil.which("uvx")
        if uvx is None:
            raise LabError("There is no uvx on the PATH: install uv, or install llmnas-mcp with pipx or in a venv.")
        return str(Path(uvx).absolute()), ["--from", "llmnas-mcp", "llmnas-mcp"]
    # Beside the interpreter: so it is in a venv, and so in the venv that pipx made.
    script = shutil.which("llmnas-mcp", path=sysconfig.get_path("scripts"))
    return (script, []) if script else (sys.executable, ["-m", "llmnas_mcp.server.main"])


def _absolute(place: str) -> str:
    """A folder, or the URL of an SQLite file, that means the same in whatever folder the client starts us."""
    scheme, path = ("sqlite:///", place[10:]) if place.startswith("sqlite:///") else ("", place)
    return place if "://" in path or path.startswith(":memory:") else scheme + str(Path(path).absolute())


def snippet(client: Client) -> str:
    """What the client's file must have for our server."""
    return merged(client, "", client.path())


def servers_in(client: Client, text: str, path: Path) -> dict[str, Any]:
    """The servers that a file of the client names; raises LabError, with the line, for a file that is none."""
    servers = _read(client, text, path).get(client.servers, {})
    if not isinstance(servers, dict):
        raise LabError(f'"{client.servers}" in {path} is no table of servers. {_by_hand(client)}')
    return servers


def merged(client: Client, text: str, path: Path) -> str:
    """The text of the client's file with our server in it, and all else as it was.

    Of an entry that is there already, the command is set, and what else it says stays. Raises LabError for a file
    that cannot be read, or whose entry of our name starts something else.
    """
    old = servers_in(client, text, path).get(NAME)
    if old is not None and not _is_ours(old):
        raise LabError(
            f'"{NAME}" in {path} is a server of another kind. Nothing was changed: remove or rename it there, then'
            " install again."
        )
    whole = text if text.strip() or path.suffix == ".toml" else "{}\n"
    expected = _read(client, whole, path)
    for keys, value in _changes(client, old).items():
        where = (client.servers, NAME, *keys)
        whole = _put_toml(whole, where, value) if path.suffix == ".toml" else jsonc.put(whole, where, value)
        table = expected
        for key in where[:-1]:
            table = table.setdefault(key, {})
        table[where[-1]] = value
    if _read(client, whole, path) != expected:
        raise LabError(f"{path} is written in a way that cannot be added to. {_by_hand(client)}")
    return whole


def _is_ours(entry: Any) -> bool:
    """Whether a server that goes by our name is started as ours is, be it from a place that is gone."""
    if not isinstance(entry, dict) or "url" in entry or entry.get("type", "stdio") != "stdio":
        return False
    return bool(re.search("llmnas[-_]mcp", json.dumps([entry.get("command"), entry.get("args")], default=str)))


def _changes(client: Client, old: dict[str, Any] | None) -> dict[tuple[str, ...], Any]:
    """What to set in an entry, by keys; all of it where there is none."""
    ours = our_server()
    if old is None:
        return {(): {**client.beside, **ours}}
    args = [*ours.get("args", []), *_options(old.get("args", []))]
    new: dict[tuple[str, ...], Any] = {("command",): ours["command"], ("args",): args}
    new |= {(key,): old.get(key, value) for key, value in client.beside.items()}
    there: dict[tuple[str, ...], Any] = {("command",): old.get("command"), ("args",): old.get("args", [])}
    there |= {(key,): old.get(key) for key in client.beside}
    if isinstance(env := old.get("env", {}), dict):
        new |= {("env", name): value for name, value in ours.get("env", {}).items()}
        there |= {("env", name): value for name, value in env.items()}
    return {keys: value for keys, value in new.items() if there.get(keys) != value}


def _options(args: Any) -> list[Any]:
    """What the user has our server told, of the arguments it is started by: from the first option of ours on."""
    given = list(args) if isinstance(args, list) else []
    start = 1 + max((i for i, arg in enumerate(given) if re.search("llmnas[-_]mcp", str(arg))), default=-1)
    return given[start:]


def _read(client: Client, text: str, path: Path) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        loads: Callable[[str], Any] = jsonc.loads if client.comments else json.loads
        found = tomllib.loads(text) if path.suffix == ".toml" else loads(text)
    except (ValueError, RecursionError) as error:
        raise LabError(f"{path} is broken: {error}. {_by_hand(client)}") from None
    if not isinstance(found, dict):
        raise LabError(f"{path} does not hold settings by name. {_by_hand(client)}")
    return found


def _by_hand(client: Client) -> str:
    return f"Nothing was changed: correct it, or paste what `llmnas install {client.name} --print` shows."


def _put_toml(text: str, keys: tuple[str, ...], value: Any) -> str:
    import tomlkit
    from tomlkit.items import InlineTable

    document = tomlkit.parse(text)
    table: Any = document
    for key in keys[:-1]:
        if key not in table:
            inline = isinstance(table, InlineTable)
            table[key] = tomlkit.inline_table() if inline else tomlkit.table(is_super_table=table is document)
        table = table[key]
    table[keys[-1]] = value
    new = tomlkit.dumps(document)
    return re.sub(r"(?<!\r)\n", "\r\n", new) if "\r\n" in text and not re.search(r"(?<!\r)\n", text) else new
