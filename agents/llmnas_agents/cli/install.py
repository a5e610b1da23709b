"""The command install: writes our server into an MCP client's configuration."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from llmnas_agents.cli.shared import err
from llmnas_agents.clients import CLIENTS, client_of, merged, snippet
from llmnas_agents.files import write_whole
from llmnas_mcp.errors import LabError

commands = typer.Typer()
BOM = "\ufeff"


@commands.command()
def install(
    client: Annotated[str, typer.Argument(help=", ".join(CLIENTS))],
    print_only: Annotated[
        bool, typer.Option("--print", help="Show what would be written and where; write nothing.")
    ] = False,
) -> None:
    """Tell an MCP client how to start the server. What its file says beside that stays, and a copy is kept."""
    where = client_of(client)
    path = where.path()
    if print_only:
        typer.echo(snippet(where), nl=False)
        err.print(f"goes into {path}")
        return
    try:
        text = path.read_bytes().decode() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{path} cannot be read: {error}. Nothing was changed.") from None
    new = text[: text.startswith(BOM)] + merged(where, text.removeprefix(BOM), path)
    if new == text:
        err.print(f"{path} has it already: nothing was changed.")
        return
    try:
        kept = _keep(path) if path.exists() else None
        write_whole(path, new.encode(), private=True)  # the store's URL may have a password
    except (OSError, RuntimeError) as error:  # a link that leads to itself is the latter
        why = error.strerror if isinstance(error, OSError) else error
        raise LabError(f"{path} cannot be written: {why}. Nothing was changed.") from error
    err.print(f"wrote {path}" + (f"; as it was: {kept.name}" if kept else ""))
    err.print(f"Restart {where.title}. If it finds no tools: llmnas doctor")


def _keep(path: Path) -> Path:
    """A copy beside the file, no more readable than it."""
    copy = path.with_name(f"{path.name}.{datetime.now():%Y%m%d-%H%M%S-%f}.bak")
    copy.touch(0o600, exist_ok=False)
    shutil.copy2(path, copy)
    return copy
