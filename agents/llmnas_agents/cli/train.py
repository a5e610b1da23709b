"""The command `train`: networks of a search, or any others, for real, on images of the user's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from llmnas_agents.cli.left import Left, span
from llmnas_agents.cli.shared import AsJson, Space, Store, err, out, print_json
from llmnas_agents.cli.space import known_name
from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError
from llmnas_mcp.settings import Settings

if TYPE_CHECKING:
    from llmnas_mcp.search.service import Laboratory

commands = typer.Typer()


@commands.command()
def train(
    what: Annotated[
        list[str], typer.Argument(metavar="ID|ARCH...", help="A search, or architectures, quoted: they contain |.")
    ],
    data: Annotated[str, typer.Option(help="digits, a name of `llmnas data list`, or a folder or file of images.")],
    top: Annotated[int, typer.Option(min=1, max=50, help="So many of a search, as llmnas pick chooses.")] = 10,
    epochs: Annotated[int, typer.Option(help="What the best network is trained for.")] = 12,
    budget: Annotated[
        int | None, typer.Option(help="Epochs of all networks together. Default: half of what all of them would take.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same networks on the same machine.")] = 0,
    flip: Annotated[
        bool | None, typer.Option("--flip/--no-flip", help="Mirror images at random. Default: those in colour.")
    ] = None,
    space: Space = "nasbench201",
    store: Store = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="A file for the weights of the best network.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train networks and say how accurate they are. Broken off, the same command goes on from there.

    Several share a budget of epochs: all are trained a little, the better half goes on, and so forth. They are compared
    on a tenth of the training images that is held out; the test images decide nothing.
    """
    from llmnas_mcp.images import load_images
    from llmnas_mcp.search.service import Laboratory
    from llmnas_mcp.search.trained import train_architectures, trained_of
    from llmnas_mcp.spaces import get_space
    from llmnas_mcp.training.campaign import FOLDER

    if out_file is not None and not out_file.absolute().parent.is_dir():
        raise LabError(f"--out {out_file}: there is no folder {out_file.absolute().parent}.")
    settings = Settings(store=store) if store else Settings()
    lab = Laboratory(settings)
    try:
        name, architectures = _networks(lab, what, top, space)
        where = get_space(name)
        images = load_images(data, settings.data)
        for note in images.notes:
            err.print(note)
        with err.status("timing a batch of each network") as status:
            left = Left(lambda text: status.update(text) if err.is_terminal else err.print(text))

            def begin(whole: int, seconds: float) -> None:
                err.print(
                    f"{len(architectures)} network{'s' * (len(architectures) > 1)} on {images.name}, {whole}"
                    f" epoch{'s' * (whole > 1)} in all: about {span(seconds)} on this machine.",
                )

            try:
                found = train_architectures(
                    architectures,
                    space=where,
                    images=images,
                    store=lab.store,
                    data=settings.data,
                    epochs=epochs,
                    budget=budget,
                    seed=seed,
                    flip=flip,
                    progress=left.hear,
                    begin=begin,
                )
            except KeyboardInterrupt:
                err.print("Stopped. What was trained is kept: the same command goes on from there.")
                raise
        best = found.results[0]
        (record,) = trained_of(lab.store, where, images.name, [where.parse(best.architecture)])
    finally:
        lab.close()
    weights = settings.data / FOLDER / record.weights if record else None
    if out_file is not None and weights is not None:
        shutil.copyfile(weights, out_file)
        weights = out_file
    if as_json:
        print_json(found.model_dump(mode="json") | {"space": name, "data": images.name, "weights": str(weights)})
        return
    _show(found)
    err.print(f"The weights of the best are in {weights}; llmnas export takes them by itself.", soft_wrap=True)


def _networks(lab: Laboratory, what: list[str], top: int, space: str) -> tuple[str, list[str]]:
    """The space, and the networks to train: of a search those that `llmnas pick` chooses before any was trained."""
    from llmnas_mcp.reports import to_train

    if len(what) > 1 or any(sign in what[0] for sign in "|=,") or lab.store.search(what[0]) is None:
        named = known_name(space, keep=True)
        _check_readable(named, what, lab)
        return named, what
    handle, members = lab.members(what[0])
    if not members:
        raise LabError(f"The front of {what[0]} is empty: search first, llmnas resume {what[0]}")
    return handle.space.name, to_train(handle, members, top)


def _check_readable(space: str, what: list[str], lab: Laboratory) -> None:
    from llmnas_mcp.errors import ArchitectureError
    from llmnas_mcp.spaces import get_space

    if len(what) > 1:
        return
    try:
        get_space(space).parse(what[0])
    except ArchitectureError as error:
        known = ", ".join(row["search_id"] for row in lab.store.list_searches(5, 0)[0])
        raise LabError(f"{what[0][:80]!r} is no search ({known or 'there are none'}). {error}") from None


def _show(found: r.Trainings) -> None:
    table = Table(
        Column("architecture", overflow="fold", min_width=24),
        *(Column(head, justify="right") for head in ("held out (%)", "test (%)", "epochs")),
    )
    for one in found.results:
        row: list[Any] = [f"{one.valid:.2f}", f"{one.test:.2f}", f"{one.epochs} of {one.of_epochs}"]
        table.add_row(Text(one.architecture), *row)
    out.print(table)
    for architecture, why in found.failed.items():
        err.print(f"{architecture}: {why}")
    if found.plain is not None:
        out.print(f"Logistic regression on the same images: {found.plain:.2f} % of the test images.")
