"""The command doctor: what is in order, what is not, and the fix for each."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from llmnas_agents.cli.shared import AsJson, out, print_json, run
from llmnas_agents.clients import CLIENTS, NAME, Client, our_server, servers_in
from llmnas_agents.probe import start
from llmnas_mcp import __version__
from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError, leaves
from llmnas_mcp.settings import Settings

if TYPE_CHECKING:
    from llmnas_agents.laboratory import LaboratoryClient

commands = typer.Typer()
OWN_FIX = "correct what it said, then `llmnas doctor` again"
STYLES = {"ok": "green", "note": "yellow", "wrong": "bold red"}


@dataclass(frozen=True)
class Finding:
    """What one check found, and what to do about it."""

    check: str
    state: Literal["ok", "note", "wrong"]
    found: str
    fix: str = ""


@commands.command()
def doctor(as_json: AsJson = False) -> None:
    """Check the installation, the store, the data, the key and the MCP clients, and start the server as they would."""

    async def work() -> list[Finding]:
        return [*_environment(), *await _laboratory(), _key(), *await _servers()]

    findings: list[Finding] = run(work())
    wrong = any(f.state == "wrong" for f in findings)
    if as_json:
        print_json({"ok": not wrong, "checks": [asdict(f) for f in findings]})
    else:
        table = Table("", "check", Column("found", overflow="fold"), Column("fix", overflow="fold"), box=SIMPLE_HEAD)
        for f in findings:
            table.add_row(Text(f.state, STYLES[f.state]), Text(f.check), Text(f.found), Text(f.fix))
        out.print(table)
    if wrong:
        raise typer.Exit(1)


def _environment() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("environment", "ok", f"llmnas-mcp {__version__}, Python {version} in {sys.prefix}")
    if find_spec("torch") is None:
        yield Finding("environment", "wrong", "torch is not installed", f"{sys.executable} -m pip install torch")


async def _laboratory() -> list[Finding]:
    """The store and the data, asked for what a client would ask for."""
    from llmnas_agents.laboratory import open_laboratory

    findings = []
    try:
        async with open_laboratory() as lab:
            held = await lab.call("list_searches", r.Searches, limit=1)
            findings.append(Finding("store", "ok", f"{_store()} holds {held.total} searches"))
            findings.append(await _data(lab))
    except* LabError as group:
        fix = "as it says; or let LLMNAS_STORE name another: unset, it is a file in your user data folder"
        findings.append(Finding("store", "wrong", str(leaves(group)[0]), fix))
    return findings


def _store() -> str:
    """The store, without a password."""
    from sqlalchemy.engine import make_url

    return make_url(Settings().store).render_as_string()


async def _data(lab: LaboratoryClient) -> Finding:
    try:
        devices = (await lab.call("list_devices", r.Devices)).devices
        spaces = (await lab.call("list_spaces", r.Spaces)).spaces
        example = next(space.example for space in spaces if space.space == "nasbench201")  # scored without measuring
        await lab.call("score_zero_cost", r.ZeroCostScores, architectures=[example])
    except LabError as error:
        return Finding("data", "wrong", str(error), "`llmnas data import` the table again, or delete it")
    tables = sum(device.source.startswith("table:") for device in devices)
    return Finding("data", "ok", f"{len(devices)} costs of devices, {tables} of them from tables in {Settings().data}")


def _key() -> Finding:
    from llmnas_agents.llm import model_of
    from llmnas_agents.llm.errors import ModelError

    try:
        model_of("claude", None)
    except ModelError as error:
        return Finding("key", "note", str(error), "only --operator claude needs one; an MCP client never does")
    return Finding("key", "ok", "there are credentials for Claude")


class _Starter:
    """Starts servers, the same only once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, str | None]] = {}

    async def finding(self, check: str, server: Any, search: str | None, fix: str) -> Finding:
        """What came of starting a server as it stands in a configuration, by a client with that PATH."""
        key = json.dumps([server, search], default=str)
        if key not in self._known:
            self._known[key] = await start(server, search)
        tools, trouble = self._known[key]
        if trouble:
            # One that says itself why it ends is installed well enough.
            return Finding(check, "wrong", trouble, OWN_FIX if "it said last" in trouble else fix)
        return Finding(check, "ok", f"{server['command']} offers {tools} tools")


async def _servers() -> list[Finding]:
    """Our own server, then that of each client, started as the client would."""
    starter = _Starter()
    try:
        findings = [await starter.finding("server", our_server(), None, "install llmnas-mcp again")]
    except LabError as error:
        findings = [Finding("server", "wrong", str(error))]
    for client in CLIENTS.values():
        findings += await _of_client(client, starter)
    return findings


async def _of_client(client: Client, starter: _Starter) -> list[Finding]:
    path, fix = client.path(), f"llmnas install {client.name}"
    try:
        servers = servers_in(client, path.read_bytes().decode("utf-8-sig"), path)
    except FileNotFoundError:
        return [Finding(client.name, "note", f"not set up: there is no {path}", fix)]
    except (OSError, ValueError) as error:
        return [Finding(client.name, "wrong", str(error), "correct the file")]
    ours = [server for name, server in servers.items() if NAME in name or NAME in json.dumps(server, default=str)]
    if not ours:
        return [Finding(client.name, "note", f"not set up: {path} has no {NAME}", fix)]
    # Started from the desktop, a program does not get what the profile of a shell adds to its PATH.
    search = os.defpath if client.desktop and str(sys.platform) != "win32" else None
    findings = []
    for server in ours:
        if isinstance(server, dict) and "url" in server:
            findings.append(Finding(client.name, "note", f"{server['url']}, a server elsewhere, was not asked"))
        else:
            findings.append(await starter.finding(client.name, server, search, fix))
    return findings
