"""The command `score`: of architectures by the laboratory, or of a user's own network in this process."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from llmnas_agents.cli.lookups import call
from llmnas_agents.cli.shared import AsJson, Dataset, Server, Space, err, out, print_json
from llmnas_agents.cli.space import known_name
from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError, UnknownNameError

if TYPE_CHECKING:
    from torch import nn

commands = typer.Typer()
Architectures = Annotated[
    list[str] | None, typer.Argument(help="Architecture strings, quoted: they contain |.", show_default=False)
]
Proxies = Annotated[
    str | None, typer.Option(help="Proxies, comma-separated: zen,zico. 'all' for each that can be told.")
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="Your own network: FILE.py:FACTORY, a function that returns it. Runs that code here."),
]


@commands.command()
def score(
    architectures: Architectures = None,
    dataset: Dataset = None,
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
        _score_models(model, dataset or "cifar10", names, as_json)
    else:
        _score_architectures(architectures or [], dataset, names, space, server, as_json)


def _score_architectures(
    architectures: list[str],
    dataset: str | None,
    names: list[str] | None,
    space: str,
    server: str | None,
    as_json: bool,
) -> None:
    from llmnas_mcp.scoring import PROXIES

    found = call(
        server,
        "score_zero_cost",
        r.ZeroCostScores,
        architectures=architectures,
        dataset=dataset,
        space=known_name(space, server),
        proxies=list(PROXIES) if "all" in (names or ()) else names,
    )
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    told = dict.fromkeys(name for result in found.results for name in result.proxies)
    columns = [n for n in told if n not in ("params", "macs") and (names or n in ("growth", "swap", "jacov"))]
    heads = ["score", "params (M)", "MACs (M)", *columns, "source"]
    rows = {
        x.architecture: [
            f"{x.score:.4f}",
            f"{x.params_m:.3f}",
            f"{x.macs_m:.1f}",
            *(f"{x.proxies[n]:.4g}" if n in x.proxies else "-" for n in columns),
            x.source,
        ]
        for x in found.results
    }
    _print("architecture", heads, rows)
    for name, why in found.left_out.items():
        err.print(f"{name}: {why}")
    if found.worth:
        worth = {w.name: w for w in found.worth}
        out.print(
            f"Rank correlation with {found.worth_of} accuracy, Spearman / Kendall (95 % interval): "
            + "; ".join(
                f"{name} {w.spearman:.3f} ({w.spearman_95[0]:.3f} to {w.spearman_95[1]:.3f})"
                f" / {w.kendall:.3f} ({w.kendall_95[0]:.3f} to {w.kendall_95[1]:.3f})"
                for name, w in worth.items()
            )
        )
        out.print(f"({found.worth_source})")
    else:
        out.print(f"What the score is worth: {found.worth_source}.")


def _score_models(models: list[str], dataset: str, names: list[str] | None, as_json: bool) -> None:
    from llmnas_mcp.scoring import DEFAULT, PROXIES, attempt, build, check_proxies
    from llmnas_mcp.settings import Settings
    from llmnas_mcp.spaces import DATASETS, with_images

    known = with_images(Settings().data) | DATASETS
    if dataset not in known:
        raise UnknownNameError("dataset", dataset, known)
    asked = check_proxies(PROXIES if "all" in (names or ()) else names or DEFAULT)
    answers: list[dict[str, Any]] = []
    for model in models:
        try:
            with users_code(model) as factory:
                values, reasons = attempt(build(factory), known[dataset], asked)
            left_out = {name: str(reason) for name, reason in reasons.items()}
            answers.append({"model": model, "proxies": values, "left_out": left_out, "reason": None})
        except LabError as error:
            answers.append({"model": model, "proxies": None, "left_out": {}, "reason": str(error)})
    if as_json:
        print_json({"results": answers})
    else:
        shown = {a["model"]: a["proxies"] for a in answers if a["proxies"]}
        if shown:
            rows = {name: [f"{v[n]:.4g}" if n in v else "-" for n in asked] for name, v in shown.items()}
            _print("model", list(asked), rows)
        for answer in answers:
            for reason in dict.fromkeys([answer["reason"], *answer["left_out"].values()]):
                if reason:
                    err.print(f"{answer['model']}: {reason}")
    if not any(a["proxies"] for a in answers):
        raise LabError("None of the networks could be scored.")


@contextmanager
def users_code(model: str) -> Iterator[Callable[[], nn.Module]]:
    """The factory of FILE.py:FACTORY, and inside, a process in which its code can be run without harm to the next.

    What the code prints goes to standard error; its folder can be imported from. Raises LabError, with the fix, where
    there is no such factory; so does the factory where it returns no network.
    """
    import torch
    from torch import nn

    text, _, name = model.rpartition(":")
    path = Path(text).absolute()
    spec = importlib.util.spec_from_file_location("llmnas_user_model", path)
    if not text or not name.isidentifier() or path.suffix != ".py" or spec is None or spec.loader is None:
        raise LabError("Write FILE.py:FACTORY, where FACTORY() returns a torch.nn.Module.")
    if not path.is_file():
        raise LabError(f"There is no file {path}.")
    module, loader = importlib.util.module_from_spec(spec), spec.loader

    def factory() -> nn.Module:
        try:
            loader.exec_module(module)
            made = getattr(module, name)
            network = made if isinstance(made, nn.Module) else made()
        except (Exception, SystemExit) as error:
            raise LabError(f"Its code fails: {type(error).__name__}: {error}") from error
        if isinstance(made, nn.Module):
            raise LabError(f"{name} is a network, not a function that returns one: write def build(): return {name}")
        if not isinstance(network, nn.Module):
            raise LabError(f"{name}() returned {type(network).__name__}, not a torch.nn.Module.")
        return network

    modules, folder, dtype = set(sys.modules), Path.cwd(), torch.get_default_dtype()
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(path.parent))
    try:
        with redirect_stdout(sys.stderr):
            yield factory
    finally:
        sys.path.remove(str(path.parent))
        os.chdir(folder)
        torch.set_default_dtype(dtype)
        for added in set(sys.modules) - modules:  # another model's file may have a helper of the same name
            if str(getattr(sys.modules[added], "__file__", None)).startswith(str(path.parent)):
                del sys.modules[added]


def _print(first: str, heads: list[str], rows: dict[str, list[str]]) -> None:
    """A table of a row each, or, where the terminal is too narrow for that, a table each."""
    table = Table(Column(first, overflow="fold", min_width=24), *(Column(head, no_wrap=True) for head in heads))
    for name, values in rows.items():
        table.add_row(Text(name), *values)
    if sum(max(map(len, column)) + 3 for column in zip(heads, *rows.values(), strict=True)) + 28 <= out.width:
        out.print(table)
        return
    for name, values in rows.items():
        out.print(Text(name))
        table = Table(show_header=False)
        for pair in zip(heads, values, strict=True):
            table.add_row(*pair)
        out.print(table)
