"""The card of a network: what it is, what it costs, how good it is and how that is known, as JSON and as Markdown."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from typing import Any

from llmnas_mcp import __version__

LICENCE = (
    "The network's definition is part of llmnas-mcp (Apache-2.0), or of the file of its own space (as its author says)."
    " Trained weights may be bound by the licence of the images they were trained on."
)
Card = dict[str, Any]


def versions(*packages: str) -> dict[str, str]:
    """The versions of ourselves, of Python and of packages, where they are installed under that name."""
    found = {"llmnas-mcp": __version__, "python": platform.python_version()}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def as_json(card: Card) -> str:
    """The card for programs."""
    return json.dumps(card, indent=1, allow_nan=False) + "\n"


def as_markdown(card: Card) -> str:
    """The card for people."""
    file, shape, checked = card["file"], card["input"], card["checked"]
    lines = [
        f"# {file['name']}",
        "",
        f"A network of {card['space']} for {card['dataset']}, exported by llmnas-mcp {__version__}.",
        "",
        f"    {card['architecture']}",
        "",
        *_section("What it is"),
        f"- Format {file['format']}, {file['precision']}, {file['bytes']:,} bytes, SHA-256 {file['sha256']}.",
        f"- {card['params_m']:.3f} M parameters, {card['macs_m']:.1f} M multiply-accumulates for an image.",
        f"- Input `{shape['name']}`: float32, (batch, {', '.join(map(str, shape['size']))}). {shape['pixels']}",
        f"- Output `{card['output']['name']}`: {card['output']['classes']} logits"
        + (f", of {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}." if (names := card["classes"]) else "."),
        f"- Opened in {checked['runtime']}, with {' and '.join(map(str, checked['batches']))} images: "
        f"{checked['difference']:.1e} of the largest output from torch, at most.",
        "",
        *_section("How good it is"),
        *_accuracy(card),
        "",
    ]
    if card["costs"]:
        lines += [*_section("What it costs"), *(_cost(cost) for cost in card["costs"]), ""]
    for title, key in (("Search", "search"), ("Training", "training"), ("Versions", "versions")):
        if card[key]:
            lines += [*_section(title), *(f"- {name}: {_plain(value)}" for name, value in card[key].items()), ""]
    return "\n".join([*lines, *_section("Licence"), card["licence"], ""])


def _section(title: str) -> list[str]:
    return [f"## {title}", ""]


def _accuracy(card: Card) -> list[str]:
    told = [f"- {row['value']:.2f} % ({row['grade']}): {row['of']}." for row in card["accuracy"]]
    if not card["trained"]:
        told.append("- Untrained: its weights are as they were initialised. Train it before you use it.")
    if card["search"] and "score" in card["search"]:
        score, of = card["search"]["score"], card["search"]["dataset"]
        told.append(f"- Score {score:.4f}: a training-free rank in its space for {of}, no accuracy.")
    return told or ["- Nobody has told its accuracy."]


def _cost(cost: Card) -> str:
    error = "" if cost["error"] is None else f", error {cost['error']:.1%}"
    # A network that was searched for on one dataset and trained for another has the latency of the first beside it.
    where = f"{' on ' + cost['device'] if cost['device'] else ''}, for images of {cost['dataset']}"
    if cost["value"] is None:
        return f"- {cost['objective']}{where}: not known, {cost['reason']}"
    return f"- {cost['objective']}{where}: {cost['value']:.4g} {cost['unit']} (source {cost['source']}{error})."


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
