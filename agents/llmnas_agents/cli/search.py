"""Commands on searches: search, resume, searches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from llmnas_agents.cli.left import Left
from llmnas_agents.cli.progress import Progress, front_table, worth_line
from llmnas_agents.cli.shared import (
    AsJson,
    Dataset,
    Device,
    MaxEnergy,
    MaxLatency,
    MaxMacs,
    MaxMemory,
    MaxParams,
    Objectives,
    Server,
    Space,
    Store,
    check_limits,
    err,
    out,
    print_json,
    run,
)
from llmnas_agents.cli.space import known_name
from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError

commands = typer.Typer()
# What is in front.json, the folder it was saved in, and which network to take.
Ended = tuple[dict[str, Any], str | None, str]
Model = Annotated[str | None, typer.Option(help="Of operators that ask one: a Claude model, or local.")]
MaxCost = Annotated[float | None, typer.Option(min=0, help="US dollars that the model may cost.")]
MaxTokens = Annotated[int | None, typer.Option(min=0, help="Tokens that the model may use, in and out.")]
Deadline = Annotated[float | None, typer.Option(min=0, help="Seconds from now to end in.")]


@commands.command()
def search(
    device: Device = None,
    space: Space = "nasbench201",
    dataset: Dataset = None,
    objective: Objectives = ["latency"],  # noqa: B006 - typer shows it
    asked: Annotated[
        str, typer.Option("--operator", help="Who searches: evolution, claude, local, plain-prompt, latency-prompt.")
    ] = "evolution",
    model: Model = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    deadline: Deadline = None,
    niches: Annotated[int | None, typer.Option(help="Default: the clear clusters of the space's complexity.")] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Stop after the evaluations of so many. Default: when the budget is used.")
    ] = None,
    offspring: Annotated[int, typer.Option(help="Per niche and round, on average.")] = 6,
    evaluations: Annotated[int, typer.Option(help="Budget of scored architectures.")] = 400,
    max_latency: MaxLatency = None,
    max_energy: MaxEnergy = None,
    max_memory: MaxMemory = None,
    max_macs: MaxMacs = None,
    max_params: MaxParams = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same front.")] = 0,
    no_partition: Annotated[bool, typer.Option("--no-partition", help="Ablation: one niche.")] = False,
    no_knowledge_base: Annotated[bool, typer.Option("--no-knowledge-base", help="Ablation: no rules.")] = False,
    no_llm: Annotated[bool, typer.Option("--no-llm", help="Ablation: evolution in the model's place.")] = False,
    no_zero_cost: Annotated[
        bool, typer.Option("--no-zero-cost", help="Ablation: the number of parameters as the score.")
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="On your own device, time the front at the end.")
    ] = True,
    server: Server = None,
    store: Store = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for report.html, front.json and pictures.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for the Pareto front of zero-cost score against one cost or two: latency, energy, MACs, ..."""
    most = {"latency": max_latency, "energy": max_energy, "memory": max_memory, "macs": max_macs, "params": max_params}
    limits = {f"max_{name}": limit for name, limit in check_limits(most).items()}
    _check_folder(out_dir)
    if no_partition and niches not in (None, 1):
        raise LabError(f"--no-partition is one niche, --niches {niches} are more: leave one of them out.")
    language = {"model": model, "max_cost": max_cost, "max_tokens": max_tokens, "deadline": deadline}
    space = known_name(space, server, keep=True)

    async def work() -> Ended:
        # The runner first: what a kill finds between start_search and the first checkpoint should be short.
        from llmnas_agents import runner  # noqa: F401
        from llmnas_agents.laboratory import open_laboratory
        from llmnas_agents.llm import model_of
        from llmnas_agents.operators import LANGUAGE, NO_KNOWLEDGE_BASE, WITHOUT_NICHES, check_operator

        # What cannot work is refused before anything is remembered.
        check_operator(asked)
        operator = "evolution" if no_llm else asked
        if no_knowledge_base:
            if operator in WITHOUT_NICHES:
                raise LabError(f"--operator {operator} has no knowledge base: leave --no-knowledge-base out.")
            operator = operator.removesuffix(NO_KNOWLEDGE_BASE) + NO_KNOWLEDGE_BASE
        _check_language(operator, language)
        if operator in LANGUAGE:
            model_of(operator, model)
        if operator in WITHOUT_NICHES and niches not in (None, 1):
            raise LabError(f"--operator {operator} knows no niches: leave --niches out.")
        async with open_laboratory(server, store) as lab:
            lab.progress = None if as_json else Left()
            started = await lab.start_search(
                device=device,
                space=space,
                dataset=dataset,
                objective=objective,
                niches=1 if no_partition or operator in WITHOUT_NICHES else niches,
                **limits,
                evaluations=evaluations,
                rounds=rounds,
                offspring=offspring,
                seed=seed,
                operator=operator,
                scored_by="params" if no_zero_cost else "zero-cost",
            )
            return await _drive(lab, started.search_id, store, out_dir, as_json, language, measure)

    ended: Ended = run(work())
    _finish(*ended, as_json)


@commands.command()
def resume(
    search_id: Annotated[str, typer.Argument(help="See `llmnas searches`.")],
    model: Model = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    deadline: Deadline = None,
    server: Server = None,
    store: Store = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Default: the folder given to `search`.")] = None,
    as_json: AsJson = False,
) -> None:
    """Carry on a search that was interrupted, or that a conversation began. Its limits hold unless given anew."""
    _check_folder(out_dir)
    language = {"model": model, "max_cost": max_cost, "max_tokens": max_tokens, "deadline": deadline}

    async def work() -> Ended:
        from llmnas_agents.laboratory import open_laboratory

        async with open_laboratory(server, store) as lab:
            operator = (await lab.get_search(search_id)).operator
            _check_language(operator, language)
            return await _drive(lab, search_id, store, out_dir, as_json, language)

    ended: Ended = run(work())
    _finish(*ended, as_json)


@commands.command()
def searches(
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    server: Server = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """List the searches remembered, newest first."""

    async def work() -> r.Searches:
        from llmnas_agents.laboratory import open_laboratory

        async with open_laboratory(server, store) as lab:
            return await lab.call("list_searches", r.Searches, limit=limit)

    found = run(work())
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    from rich.table import Table

    table = Table("search", "device", "dataset", "objective", "operator", "seed", "evaluations", "created (UTC)")
    for line in found.searches:
        table.add_row(
            line.search_id,
            line.device or "",
            line.dataset,
            ", ".join(line.objectives),
            line.operator,
            str(line.seed),
            f"{line.used}/{line.evaluations}",
            line.created[:19],
        )
    out.print(table)
    if found.truncated:
        out.print(f"{len(found.searches)} of {found.total}; more with --limit")


def _check_language(operator: str, language: dict[str, Any]) -> None:
    """Refuse what only means something to an operator that asks a model."""
    from llmnas_agents.operators import LANGUAGE

    for name, value in language.items():
        if value is not None and operator not in LANGUAGE:
            asking = ", ".join(one for one in LANGUAGE if "+" not in one)
            raise LabError(
                f"--{name.replace('_', '-')} is for operators that ask a language model ({asking}), and {operator} asks"
                " none: leave it out. --evaluations and --rounds limit any search."
            )
    if operator.partition("+")[0] == "local" and language["model"] not in (None, "local"):
        raise LabError(f"--operator local asks the local model, not {language['model']!r}: leave --model out.")


def _check_folder(out_dir: Path | None) -> None:
    """Refuse a folder that cannot be written before a search is run for it, not after."""
    if out_dir is None:
        return
    there = next(p for p in (out_dir.absolute(), *out_dir.absolute().parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise LabError(f"--out {out_dir}: cannot write there. Name a folder you can write to.")


async def _drive(
    lab: Any,
    search_id: str,
    store: str | None,
    out_dir: Path | None,
    quiet: bool,
    language: dict[str, Any],
    measure: bool = True,
) -> Ended:
    from llmnas_agents import runner

    with Progress(search_id, quiet) as progress:
        lab.progress = None if quiet else Left(progress.tell)
        front = await runner.run(lab, search_id, store, out_dir, progress.listen, language, measure=measure)
    if not quiet and "scored_by" not in front:
        asked = {"architectures": [], "dataset": front["dataset"], "space": front["space"]}
        err.print(worth_line(await lab.call("score_zero_cost", r.ZeroCostScores, **asked)))
    return front, progress.saved, progress.advice


def _finish(front: dict[str, Any], saved: str | None, advice: str, as_json: bool) -> None:
    if as_json:
        print_json(front)
    else:
        others = f" llmnas pick {front['search_id']} has others, and chooses within limits." if front["front"] else ""
        out.print(advice + others, soft_wrap=True)
        out.print(front_table(front))
        near = sum(point["near"] for point in front["front"])
        whole = "All of the front" + (f", with {near} more that are within error of it," if near else "")
        where = f"is in {saved}/front.json" if saved else "is saved by --out DIR and printed by --json"
        out.print(f"{whole} {where}.", soft_wrap=True)
        err.print(
            f"{front['evaluations']} evaluations in {front['wall_s']:.1f} s, hypervolume {front['hypervolume']:.4f}."
        )
        if truth := front.get("truth"):
            beside = "" if truth["random"] is None else f", random at as many evaluations {truth['random']:.4f}"
            err.print(f"In truth {truth['share']:.4f} of the exact front's hypervolume{beside} ({truth['judge']}).")
        if llm := front["llm"] if front["llm"]["calls"] else None:
            err.print(
                f"Model: {llm['calls']} calls, {llm['input_tokens']:,} tokens in ({llm['cache_read_tokens']:,} of them"
                f" read from the cache, {llm['cache_write_tokens']:,} written), {llm['output_tokens']:,} out,"
                f" ${llm['cost_usd']:.4f}, {llm['seconds']:.0f} s of waiting, {llm['rejected']} proposals rejected."
            )
            if llm["unanswered"]:
                err.print(
                    f"{llm['unanswered']} calls were cut off and may have cost up to ${llm['unanswered_usd']:.4f}."
                )
    if "stopped" in front:
        kept = "The best front so far is kept" if front["front"] else "Nothing is evaluated yet"
        raise LabError(f"{front['stopped']} {kept}: llmnas resume {front['search_id']}")
