"""Commands on measured tables: data import, data list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from llmnas_agents.cli.app import AsJson, Space, app, err, out, print_json
from llmnas_mcp.devices.tables import ImportedTable, import_table, imported_tables
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import DATASETS, get_space

group = typer.Typer(
    help="Measured tables: once imported they take precedence over the fitted models.", no_args_is_help=True
)
app.add_typer(group, name="data")


@group.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="HW-NAS-Bench's pickle, or a CSV with arch_str and DEVICE_latency columns.")
    ],
    dataset: Annotated[str | None, typer.Option(help="Whose table it is. Default: told by the file.")] = None,
    space: Space = "nasbench201",
    as_json: AsJson = False,
) -> None:
    """Import a table of measured latencies and energies."""
    with err.status(f"reading {file}"):
        tables = import_table(file, get_space(space), Settings().data, dataset)
    _show(tables, as_json)
    for name in sorted({t.dataset for t in tables} - DATASETS.keys()):
        err.print(f"'{name}' is not a dataset we know: its networks are built for 32x32 inputs and 10 classes.")


@group.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the imported tables."""
    tables = imported_tables(Settings().data)
    _show(tables, as_json)
    if not tables and not as_json:
        err.print("No tables yet: llmnas data import FILE")


def _show(tables: list[ImportedTable], as_json: bool) -> None:
    fields = ("space", "dataset", "device", "objective", "name", "cells", "cannot_run")
    rows = [{field: getattr(t, field) for field in fields} for t in tables]
    if as_json:
        print_json({"tables": rows})
    elif rows:
        table = Table(*fields)
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        out.print(table)
