"""Commands on measured tables: data import, data list, data remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from llmnas_agents.cli.shared import AsJson, Space, err, out, print_json
from llmnas_agents.cli.space import known_name
from llmnas_mcp.benchmarks.tables import (
    ImportedAccuracies,
    import_measured,
    imported_accuracies,
    remove_measured,
)
from llmnas_mcp.devices.layers import imported_layers
from llmnas_mcp.devices.tables import ImportedTable, imported_tables
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import DATASETS, get_space

COSTS = ("space", "dataset", "device", "objective", "name", "cells", "cannot_run")
ACCURACIES = ("space", "dataset", "epochs", "name", "cells")

commands = typer.Typer(
    help="Measured tables: once imported they take precedence over the fitted models.", no_args_is_help=True
)


@commands.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="HW-NAS-Bench's pickle, NATS-Bench's folder, or a CSV with arch_str and columns DEVICE_latency (ms), "
            "DEVICE_energy (mJ), DEVICE_memory (MB), DATASET_test_200 (test accuracy in %) or DATASET_valid_12"
            " (validation accuracy after 12 epochs)."
        ),
    ],
    dataset: Annotated[str | None, typer.Option(help="Whose table it is. Default: told by the file.")] = None,
    space: Space = "nasbench201",
    as_json: AsJson = False,
) -> None:
    """Import a table of measured costs, or of trained accuracies, or of both.

    A column DEVICE_latency, DEVICE_energy or DEVICE_memory makes a device of that name, if there is none. What a table
    lacks is predicted: by a model fitted to it, from 30 architectures on, where there is no other.

    Accuracies are for judging searches afterwards, and for choosing from what they found; no search sees them.
    """
    with err.status(f"reading {file}"):
        tables, accuracies = import_measured(file, get_space(known_name(space, keep=True)), Settings().data, dataset)
    _show(tables, accuracies, as_json)
    for name in sorted(({t.dataset for t in tables} | {a.dataset for a in accuracies}) - DATASETS.keys()):
        err.print(f"'{name}' is not a dataset we know: its networks are built for 32x32 inputs and 10 classes.")


@commands.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the imported tables."""
    data = Settings().data
    tables, accuracies = [*imported_tables(data), *imported_layers(data)], imported_accuracies(data)
    _show(tables, accuracies, as_json)
    if not tables and not accuracies and not as_json:
        err.print("No tables yet: llmnas data import FILE")


@commands.command()
def remove(
    name: Annotated[str, typer.Argument(help="Its name in `llmnas data list`.")], as_json: AsJson = False
) -> None:
    """Remove all that was imported under a name: costs, layers of FBNet and accuracies, of every space and dataset.

    A device that only this table made is gone with it, and searches on that device need it to be imported again.
    """
    tables, accuracies = remove_measured(name, Settings().data)
    _show(tables, accuracies, as_json)
    if not as_json:
        err.print(f"{name} is removed.")


def _show(tables: list[ImportedTable], accuracies: list[ImportedAccuracies], as_json: bool) -> None:
    costs = [{field: getattr(t, field) for field in COSTS} for t in tables]
    trained = [{field: getattr(a, field) for field in ACCURACIES} for a in accuracies]
    if as_json:
        print_json({"tables": costs, "accuracies": trained})
        return
    accuracy = "test accuracies, and of trainings shorter than 200 epochs validation accuracies"
    for title, fields, rows in (("costs", COSTS, costs), (accuracy, ACCURACIES, trained)):
        if rows:
            table = Table(*fields, title=title, title_justify="left")
            for row in rows:
                table.add_row(*(str(value) for value in row.values()))
            out.print(table)
