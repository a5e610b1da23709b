"""The command `score`: of architectures by the laboratory, or of a user's own network in this process."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from llmnas_agents.cli.app import AsJson, Dataset, Server, Space, app, err, out, print_json
from llmnas_agents.cli.lookups import call
from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError, UnknownNameError

if TYPE_CHECKING:
    from torch import nn

Architectures = Annotated[
    list[str] | None, typer.Argument(help="Architecture strings, quoted: they contain |.", show_default=False)
]
Proxies = Annotated[str | None, typer.Option(help="Proxies, comma-separated: zen,zico. 'all' for every one there is.")]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="Your own network: FILE.py:FACTORY, a function that returns it. Runs that code here."),
]


MOST_COLUMNS = 9


@app.command()
def score(
    architectures: Architectures = None,
    dataset: Dataset = "cifar10",
    proxies: Proxies = None,
    model: Models = None,
    space: Space = "nasbench201",
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Zero-cost score of architectures: their rank against the space by training-free proxies (1 is best).

    With --model, the proxies of a network of your own. They have no rank: there is no space to rank them in.
    """
    names = [name.strip() for name in proxies.split(",") if name.strip()] if proxies else None
    if bool(architectures) == bool(model):
        raise LabError("Give architectures to score, or networks of your own by --model FILE.py:FACTORY, not both.")
    if model:
        _score_models(model, dataset, names, as_json)
    else:
        _score_architectures(architectures or [], dataset, names, space, server, as_json)


def _score_architectures(
    architectures: list[str], dataset: str, names: list[str] | None, space: str, server: str | None, as_json: bool
) -> None:
    from llmnas_mcp.scoring import PROXIES

    found = call(
        server,
        "score_zero_cost",
        r.ZeroCostScores,
        architectures=architectures,
        dataset=dataset,
        space=space,
        proxies=list(PROXIES) if names == ["all"] else names,
    )
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    columns = [
        n
        for n in found.results[0].proxies
        if n not in ("params", "macs") and (names or n in ("growth", "swap", "jacov"))
    ]
    rows = [
        (
            x.architecture,
            [
                f"{x.score:.4f}",
                f"{x.params_m:.3f}",
                f"{x.macs_m:.1f}",
                *(f"{x.proxies[n]:.4g}" for n in columns),
                x.source,
            ],
        )
        for x in found.results
    ]
    out.print(_table("architecture", ["score", "params (M)", "MACs (M)", *columns, "source"], rows))
    if found.worth:
        worth = {w.name: w for w in found.worth}
        out.print(
            "Rank correlation with trained accuracy, Spearman / Kendall (95 % interval): "
            + "; ".join(
                f"{name} {w.spearman:.3f} ({w.spearman_95[0]:.3f} to {w.spearman_95[1]:.3f})"
                f" / {w.kendall:.3f} ({w.kendall_95[0]:.3f} to {w.kendall_95[1]:.3f})"
                for name, w in worth.items()
            )
        )
        out.print(f"({found.worth_source})")
    else:
        out.print(f"What the score is worth on {dataset} is not known: no trained accuracies were published.")


def _score_models(models: list[str], dataset: str, names: list[str] | None, as_json: bool) -> None:
    from llmnas_mcp.scoring import DEFAULT, PROXIES, build, check_proxies, measure
    from llmnas_mcp.spaces import DATASETS

    if dataset not in DATASETS:
        raise UnknownNameError("dataset", dataset, DATASETS)
    asked = check_proxies(PROXIES if names == ["all"] else names or DEFAULT)
    answers: list[dict[str, Any]] = []
    for model in models:
        try:
            values = measure(build(load(model)), DATASETS[dataset], asked)
            answers.append({"model": model, "proxies": values, "reason": None})
        except LabError as error:
            answers.append({"model": model, "proxies": None, "reason": str(error)})
    if as_json:
        print_json({"results": answers})
    else:
        rows = [(a["model"], [f"{v:.4g}" for v in a["proxies"].values()]) for a in answers if a["proxies"]]
        if rows:
            out.print(_table("model", list(asked), rows))
        for answer in answers:
            if answer["reason"]:
                err.print(f"{answer['model']}: {answer['reason']}")
    if not any(a["proxies"] for a in answers):
        raise LabError("None of the networks could be scored.")


def load(model: str) -> Callable[[], nn.Module]:
    """The factory of FILE.py:FACTORY; raises LabError, with the fix, where there is none or it returns no network."""
    from torch import nn

    path, _, name = model.rpartition(":")
    spec = importlib.util.spec_from_file_location("llmnas_user_model", path or name)
    if not path or not name.isidentifier() or spec is None or spec.loader is None:
        raise LabError("Write FILE.py:FACTORY, where FACTORY() returns a torch.nn.Module.")
    if not Path(path).is_file():
        raise LabError(f"There is no file {path}.")
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader

    def factory() -> nn.Module:
        sys.modules[module.__name__] = module
        sys.path.insert(0, str(Path(path).parent.resolve()))
        try:
            with redirect_stdout(sys.stderr):  # what it prints is not our answer
                loader.exec_module(module)
                network = getattr(module, name)()
        except (Exception, SystemExit) as error:
            raise LabError(f"Its code fails: {type(error).__name__}: {error}") from error
        finally:
            sys.path.pop(0)
        if not isinstance(network, nn.Module):
            raise LabError(f"{name}() returned {type(network).__name__}, not a torch.nn.Module.")
        return network

    return factory


def _table(first: str, heads: list[str], rows: list[tuple[str, list[str]]]) -> Table:
    """One row each, or, where there are many columns, one column each."""
    if len(heads) > MOST_COLUMNS:
        table = Table("", *(Column(Text(name), overflow="fold") for name, _ in rows))
        for i, head in enumerate(heads):
            table.add_row(head, *(values[i] for _, values in rows))
        return table
    table = Table(Column(first, overflow="fold", min_width=24), *heads)
    for name, values in rows:
        table.add_row(Text(name), *values)
    return table
