"""Commands on data: images of a user's own (data add), measured tables (data import), data list, data remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
from llmnas_mcp.spaces import DATASETS, get_space, with_images

COSTS = ("space", "dataset", "device", "objective", "name", "cells", "cannot_run")
IMAGES = ("name", "resolution", "channels", "classes", "train", "test", "source")
ACCURACIES = ("space", "dataset", "epochs", "name", "cells")

commands = typer.Typer(
    help="Images of your own, to search and train for; measured tables, which take precedence over fitted models.",
    no_args_is_help=True,
)


@commands.command()
def add(
    name: Annotated[str, typer.Argument(help="What to call it, here and as --dataset.")],
    path: Annotated[
        str,
        typer.Argument(
            help="A folder with a folder of images for each class, CIFAR's archive, an .npz, a folder of IDX files; or "
            "a name, such as digits."
        ),
    ],
    resolution: Annotated[
        int | None, typer.Option(help="Pixels a side to scale to. Default: what the images have.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read images with their classes, and keep them under a name: then --dataset NAME finds networks for them.

    Test images are those the source has (folders `test` or `val`), else a fixed fifth of each class.
    """
    from llmnas_mcp.images import add_images

    with err.status(f"reading {path}"):
        found = add_images(name, path, Settings().data, resolution)
    shape = found.shape
    told = {"name": name, "resolution": shape.resolution, "channels": shape.channels, "classes": list(found.classes)}
    told |= {"train": len(found.train_y), "test": len(found.test_y), "notes": list(found.notes)}
    if as_json:
        print_json(told)
        return
    colour = "grey" if shape.channels == 1 else "colour"
    out.print(
        f"{name} is added: {len(found.train_y):,} images to train on and {len(found.test_y):,} to test with, in"
        f" {colour}, of {shape.resolution}x{shape.resolution} pixels and {shape.classes} classes.",
        soft_wrap=True,
    )
    for note in found.notes:
        err.print(note)
    err.print(f"Search: llmnas search --dataset {name} --objective macs")


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
    known = DATASETS.keys() | with_images(Settings().data).keys()
    for name in sorted(({t.dataset for t in tables} | {a.dataset for a in accuracies}) - known):
        err.print(f"'{name}' is not a dataset we know: its networks are built for 32x32 inputs and 10 classes.")


@commands.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the images there are, and the imported tables."""
    from llmnas_mcp.images import summaries

    data = Settings().data
    tables, accuracies = [*imported_tables(data), *imported_layers(data)], imported_accuracies(data)
    _show(tables, accuracies, as_json, summaries(data))
    if not tables and not accuracies and not as_json:
        err.print("No tables yet: llmnas data import FILE")


@commands.command()
def remove(
    name: Annotated[str, typer.Argument(help="Its name in `llmnas data list`.")], as_json: AsJson = False
) -> None:
    """Remove images that were added under a name; else all that was imported: costs, layers of FBNet and accuracies.

    A device that only this table made is gone with it, and searches on that device need it to be imported again; so do
    searches for images.
    """
    data = Settings().data
    if name in with_images(data, name):
        from llmnas_mcp.images import remove_images

        remove_images(name, data)
        if as_json:
            print_json({"images": name})
        else:
            out.print(f"{name} is removed; its source stays.")
        return
    tables, accuracies = remove_measured(name, data)
    _show(tables, accuracies, as_json)
    if not as_json:
        err.print(f"{name} is removed.")


def _show(
    tables: list[ImportedTable],
    accuracies: list[ImportedAccuracies],
    as_json: bool,
    images: list[dict[str, Any]] | None = None,
) -> None:
    costs = [{field: getattr(t, field) for field in COSTS} for t in tables]
    trained = [{field: getattr(a, field) for field in ACCURACIES} for a in accuracies]
    if as_json:
        print_json(({} if images is None else {"images": images}) | {"tables": costs, "accuracies": trained})
        return
    accuracy = "test accuracies, and of trainings shorter than 200 epochs validation accuracies"
    pictures = [{field: row[field] for field in IMAGES} for row in images or ()]
    for title, fields, rows in (
        ("images", IMAGES, pictures),
        ("costs", COSTS, costs),
        (accuracy, ACCURACIES, trained),
    ):
        if rows:
            table = Table(*fields, title=title, title_justify="left")
            for row in rows:
                table.add_row(*(str(value) for value in row.values()))
            out.print(table)
