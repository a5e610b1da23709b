"""The command `export`: one network as a file in the format a device runs, checked, with a card beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmnas_agents.cli.shared import AsJson, Dataset, Store, err, out, print_json
from llmnas_agents.cli.space import known_name
from llmnas_mcp.settings import Settings

commands = typer.Typer()


@commands.command()
def export(
    architecture: Annotated[str, typer.Argument(help="The architecture, quoted: it contains |. Or its short form.")],
    file: Annotated[Path, typer.Option("--out", help="The file to write; its card is FILE.md and FILE.json.")],
    format: Annotated[  # noqa: A002 - the option's name
        str, typer.Option(help="onnx, torch (exported program), openvino or executorch.")
    ] = "onnx",
    weights: Annotated[
        Path | None, typer.Option(help="A file that `llmnas train` wrote. Default: of its training here, if any.")
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="In int8, calibrated on --data: onnx and openvino.")] = False,
    data: Annotated[
        str | None, typer.Option(help="Images: their test part tells the accuracy of the file, before and after int8.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Tell in the card what it costs there: see `llmnas devices`.")
    ] = None,
    search: Annotated[str | None, typer.Option(help="Tell in the card of the search it comes from: its ID.")] = None,
    space: Annotated[str | None, typer.Option(help="As elsewhere. Default: of the weights or the search.")] = None,
    dataset: Dataset = None,
    store: Store = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a network as a file that a device's runtime opens: only what is alive in it, for any number of images.

    It is opened again and compared with torch before it is said done.
    """
    from llmnas_mcp.exporting import export as written
    from llmnas_mcp.search.exports import subject_of

    settings = Settings(store=store) if store else Settings()
    with err.status("building") as status:
        subject = subject_of(
            architecture,
            space=known_name(space) if space else None,
            dataset=dataset,
            weights=weights,
            images=data,
            device=device,
            search_id=search,
            settings=settings,
        )
        card = written(subject, format, file, int8=int8, force=force, say=status.update)
    if as_json:
        print_json(card)
        return
    told, checked = card["file"], card["checked"]
    out.print(f"{file}: {told['format']}, {told['precision']}, {told['bytes'] / 1e6:.2f} MB.", soft_wrap=True)
    out.print(f"In {checked['runtime']} its outputs are torch's, to {checked['difference']:.1e} of the largest.")
    for row in card["accuracy"]:
        out.print(f"Accuracy {row['value']:.2f} % ({row['grade']}), {row['of']}.")
    if subject.trained:
        err.print(f"Its weights are of its training on {subject.trained.card.told}: {subject.trained.path}")
    else:
        err.print("Its weights are as initialised: train it (llmnas train), and export it again.")
    err.print(f"Its card: {file}.md and {file}.json")
