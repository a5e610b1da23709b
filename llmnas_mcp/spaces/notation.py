"""The notation of a space that has none of its own: `depth=3,width=32,kernel.0=5`, in short `3-32-5`."""

from __future__ import annotations

import ast
import difflib
import inspect
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from llmnas_mcp.errors import ArchitectureError, SpaceError
from llmnas_mcp.spaces.datasets import Dataset

if TYPE_CHECKING:
    from llmnas_mcp.spaces.needed import Choices, Genotype

INACTIVE = "_"  # what stands in the short form for a position that does not matter


def format_pairs(space: Choices, genotype: Genotype) -> str:
    """Position and value of everything active, in the order of the space's choices."""
    active = set(space.active(space.chosen(genotype)))
    words = (words[choice] for words, choice in zip(space.words, genotype, strict=True))
    return ",".join(f"{name}={word}" for name, word in zip(space.positions, words, strict=True) if name in active)


def format_short(space: Choices, genotype: Genotype) -> str:
    """The values alone, in the order of the space's choices."""
    active = set(space.active(space.chosen(genotype)))
    words = (words[choice] for words, choice in zip(space.words, genotype, strict=True))
    return "-".join(word if name in active else INACTIVE for name, word in zip(space.positions, words, strict=True))


def parse(space: Choices, architecture: str) -> Genotype:
    """Read either form: the pairs in any order; what does not matter may be left out.

    Raises ArchitectureError that names the position, what is allowed there and a valid example.
    """
    text = architecture.strip()
    if "=" not in text and len(given := text.split("-")) == len(space.positions):
        pairs = [(name, word) for name, word in zip(space.positions, given, strict=True) if word != INACTIVE]
    else:
        pairs = []
        for part in text.split(","):
            name, equals, word = part.partition("=")
            if not equals:
                raise malformed(space, architecture, f"{part.strip()[:40]!r} is not position=value")
            pairs.append((name.strip(), word.strip()))
    return genotype_of(space, pairs, architecture)


def genotype_of(space: Choices, pairs: Iterable[tuple[str, str]], architecture: str) -> Genotype:
    """The genotype of positions with their values as they are written; errors show the `architecture` they come from.

    Raises ArchitectureError as `parse` does.
    """
    chosen: dict[str, int] = {}
    for name, word in pairs:
        if name not in space.choices:
            near = difflib.get_close_matches(name, space.positions, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise malformed(space, architecture, f"there is no position {name[:40]!r}{hint}")
        if name in chosen:
            raise malformed(space, architecture, f"{name} is there twice")
        words = space.words[space.positions.index(name)]
        if word not in words:
            raise malformed(space, architecture, f"{name} cannot be {word[:40]!r}; allowed: {', '.join(words)}")
        chosen[name] = words.index(word)
    genotype = tuple(chosen.get(name, 0) for name in space.positions)
    missing = [name for name in space.positions if name not in chosen and name in space.active(space.chosen(genotype))]
    if missing:
        raise malformed(space, architecture, f"{missing[0]} is missing")
    return genotype


def malformed(space: Choices, architecture: str, problem: str) -> ArchitectureError:
    """The error of a text that is no architecture of a space: the problem, the text, the notation and an example."""
    shown = architecture if len(architecture) <= 160 else architecture[:157] + "..."
    return ArchitectureError(
        f"Not an architecture of {space.name}: {problem}.\n  {shown!r}\nAn architecture is written {space.encoding};"
        f" a valid one: {space.example}"
    )


_STANDS = {
    "Dataset": '''\
class Dataset(NamedTuple):
    """What the network is built for."""

    name: str
    resolution: int
    classes: int
    channels: int = 3
''',
    "Space": '''\
class Space:
    """Stands for the search space's base class, which building a network does not need."""
''',
}
_HOMES = ("llmnas_mcp.spaces", "llmnas_mcp.spaces.base", "llmnas_mcp.spaces.datasets")


def standalone(space: Choices, genotype: Genotype, dataset: Dataset) -> str:
    """The file in which a space is written as a module of its own, with `build()` for one architecture.

    Raises SpaceError where the file imports more of ours than Space and Dataset.
    """
    kind = type(space)
    try:
        source = inspect.getsource(sys.modules[kind.__module__])
    except (KeyError, OSError, TypeError):
        raise SpaceError(
            f"The source of space {space.name} cannot be read. Write the class in a file of its own."
        ) from None
    shape = (dataset.name, dataset.resolution, dataset.classes, dataset.channels)
    return (
        f"{_without_ours(source, space.name).rstrip()}\n\n\n# {space.format(genotype)}\n"
        f"CHOSEN = {space.chosen(genotype)!r}\n\n\n"
        f'def build():\n    """The network for {dataset.name}, untrained: inputs (batch, {dataset.channels},'
        f' {dataset.resolution}, {dataset.resolution})."""\n'
        f"    return {kind.__name__}().build(CHOSEN, _Dataset{shape!r})\n"
    )


def _without_ours(source: str, name: str) -> str:
    """A module's source with stand-ins for Space and Dataset where it imports them."""
    tree, lines = ast.parse(source), source.splitlines()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "llmnas_mcp":
            if node.module not in _HOMES or not {alias.name for alias in node.names} <= _STANDS.keys():
                raise _too_much(name, ast.unparse(node))
            said = "; ".join(f"{alias.asname or alias.name} = _{alias.name}" for alias in node.names)
            indent = lines[node.lineno - 1][: node.col_offset]
            last = node.end_lineno or node.lineno
            lines[node.lineno - 1 : last] = [indent + said, *[""] * (last - node.lineno)]  # as many: others keep theirs
        elif (isinstance(node, ast.ImportFrom) and node.level) or (
            isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "llmnas_mcp" for alias in node.names)
        ):
            raise _too_much(name, ast.unparse(node))
    body = [node for node in tree.body if not _first(node)]
    at = min((body[0].lineno, *(d.lineno for d in getattr(body[0], "decorator_list", [])))) - 1
    stands = "\n\n".join(text.replace("class ", "class _", 1) for text in _STANDS.values())
    return "\n".join([*lines[:at], "from typing import NamedTuple", "", "", *stands.splitlines(), "", "", *lines[at:]])


def _first(node: ast.stmt) -> bool:
    """Whether a statement must stay at the head of its module: its docstring, or `from __future__`."""
    return (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) or (
        isinstance(node, ast.ImportFrom) and node.module == "__future__"
    )


def _too_much(name: str, statement: str) -> SpaceError:
    return SpaceError(
        f"The networks of space {name} cannot be written as source: its file has `{statement}`. Of llmnas_mcp it may"
        " only have `from llmnas_mcp.spaces import Space, Dataset`; what else build needs must stand in the file."
    )
