"""Whether a space is as a space must be: one clear error for each mistake that its author can make.

`check_declared` looks at what is written down, and takes no time. `check_space` tries networks too: a dozen, the
smallest and the largest on the meta device, which takes no memory, and one small network for real.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from llmnas_mcp.errors import LabError, SpaceError, UnknownNameError
from llmnas_mcp.spaces import counting
from llmnas_mcp.spaces.base import Space
from llmnas_mcp.spaces.datasets import DATASETS, Dataset
from llmnas_mcp.spaces.mishaps import file_of, told
from llmnas_mcp.spaces.needed import Genotype
from llmnas_mcp.spaces.notation import INACTIVE
from llmnas_mcp.spaces.reference import Reference, reference_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    Score = Callable[[Callable[[], nn.Module], Dataset], Mapping[str, float]]

NAME = re.compile(r"[a-z0-9-]{1,40}")
MOST_PARAMS = 500_000_000  # 2 GB of weights, of which scoring and training hold several
TRIED = 12
SEED = 2510
ALLOWED = "allowed are texts, numbers and booleans; build can look up what they stand for"
RESERVED = {",": "a comma", "=": "an equals sign", "-": "a hyphen"}  # what the notation puts between values


@dataclass(frozen=True)
class Sample:
    """One network of a space: how it is written, in full and in short, its parameters, its multiply-accumulates."""

    architecture: str
    short: str
    params: int
    macs: int


@dataclass(frozen=True)
class Scored:
    """One network as it was scored: the seconds that building and scoring took, and what `score` found."""

    architecture: str
    seconds: float
    proxies: Mapping[str, float]


@dataclass(frozen=True)
class Checked:
    """What `check_space` found of a space that is in order.

    samples: the dozen tried, then the smallest and the largest of the reference. scored: a small network, and, where
    it was quick, one of the middle.
    """

    space: Space
    dataset: Dataset
    reference: Reference
    samples: tuple[Sample, ...]
    scored: tuple[Scored, ...]


def check_declared(space: Space, spec: str = "") -> None:
    """Raise SpaceError, with the fix, for a name, choices or datasets that a space cannot have. `spec`: where it is."""
    where = spec or type(space).__name__
    name = getattr(space, "name", None)
    if name is None:
        raise SpaceError(f'{where} has no name: write name = "{_suggested(type(space).__name__)}" in the class.')
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise SpaceError(
            f"{where}: the name {_shown(name)} is not allowed. Use 1 to 40 of a-z, 0-9 and '-', as in"
            f' name = "{_suggested(name if isinstance(name, str) else type(space).__name__)}".'
        )
    _check_choices(space, where)
    datasets: Any = space.datasets
    if isinstance(datasets, str) or not (
        datasets is None
        or (isinstance(datasets, tuple | list) and datasets and all(isinstance(d, str) for d in datasets))
    ):
        raise SpaceError(
            f'{where}: datasets is {_shown(datasets)}. It is a tuple of names, as ("cifar10",) with its comma, or left'
            " out for any."
        )


def _check_choices(space: Space, where: str) -> None:
    choices: Any = getattr(space, "choices", None)
    example = 'choices = {"depth": (1, 2, 3), "width": (16, 32)}'
    if choices is None:
        raise SpaceError(f"{where} has no choices: write {example} in the class.")
    if not isinstance(choices, Mapping):
        raise SpaceError(
            f"{where}: choices is of type {type(choices).__name__}, not a mapping from position to values."
            f" Write {example}"
        )
    if not choices:
        raise SpaceError(f"{where}: choices is empty, so there is nothing to search. Write {example}")
    for position, values in choices.items():
        if not isinstance(position, str) or not re.fullmatch(r"[^\s,=]{1,40}", position):
            raise SpaceError(
                f"{where}: the position {_shown(position)} cannot be written in an architecture. Name it with up to 40"
                " letters, digits, '.' or '_'; no spaces, ',' or '='."
            )
        if not isinstance(values, tuple | list | range):
            raise SpaceError(
                f"{where}: the values of {position} are {_shown(values)}, of type {type(values).__name__}. Write a"
                f' tuple, as "{position}": (3, 5); one value needs its comma: (3,).'
            )
        if not len(values):
            raise SpaceError(f"{where}: {position} has no values. Give it at least one, or leave {position} out.")
        _check_values(values, position, where)
    if all(len(values) == 1 for values in choices.values()):
        raise SpaceError(f"{where}: every position has one value, so there is nothing to search. Give one of them two.")


def _check_values(values: Iterable[Any], position: str, where: str) -> None:
    seen: dict[str, Any] = {}
    for value in values:
        # The types themselves: what derives from them, as numpy's numbers and enums, is written otherwise.
        if type(value) not in (str, int, float, bool):
            raise SpaceError(
                f"{where}: {position} has the value {_shown(value)} of type {type(value).__name__}; {ALLOWED}."
            )
        word = str(value)
        if word in seen:
            both = (
                f"{seen[word]!r} and {value!r}, which are written alike" if seen[word] != value else f"{value!r} twice"
            )
            raise SpaceError(f"{where}: {position} has {both}. Keep one of them.")
        if value in seen.values():
            raise SpaceError(f"{where}: {position} has {value!r} twice, written in two ways. Keep one of them.")
        seen[word] = value
        bad = next((what for sign, what in RESERVED.items() if sign in word), None)
        if bad is None and (re.search(r"\s", word) or not word.isprintable()):
            bad = "a space"
        if bad or word in ("", INACTIVE):
            why = f"has {bad} in it" if bad else "stands for a position without a value"
            raise SpaceError(
                f"{where}: the value {value!r} of {position} {why}, so an architecture could not be read back. Write it"
                " otherwise, and translate it in build."
            )


def check_space(space: Space, dataset: Dataset, score: Score | None = None) -> Checked:
    """Try a space for a dataset; raises SpaceError that names the first mistake, the architecture and the fix.

    score: takes a function that builds a network, and the dataset, and gives proxies; by default nothing is scored.
    What `reference_of` takes of time comes on top.
    """
    check_declared(space)
    if space.datasets is not None and dataset.name in DATASETS and dataset.name not in space.datasets:
        raise UnknownNameError(f"dataset of space {space.name}", dataset.name, space.datasets)
    space.check_dataset(dataset)
    ends = [tuple(0 for _ in space.values), tuple(len(values) - 1 for values in space.values)]
    drawn = [tuple(row) for row in space.sample(TRIED, np.random.default_rng(SEED)).tolist()]
    for genotype in [*ends, *drawn]:
        _check_notation(space, genotype)
        _check_network(space, genotype, dataset)
    reference = _checked_reference(space, dataset)
    by_size = [tuple(row) for row in reference.genotypes[np.argsort(reference.params, kind="stable")].tolist()]
    for genotype in (by_size[0], by_size[-1]):
        _check_network(space, genotype, dataset)
    _check_dependence(space, by_size[0], dataset)
    scored = _scored(space, [by_size[0], by_size[len(by_size) // 2]], dataset, score) if score else []
    shown = [*dict.fromkeys(map(space.canonical, drawn)), by_size[0], by_size[-1]]
    return Checked(space, dataset, reference, tuple(_sample(space, g, dataset) for g in shown), tuple(scored))


def _checked_reference(space: Space, dataset: Dataset) -> Reference:
    reference = reference_of(space, dataset)
    if not len(reference.genotypes):
        raise SpaceError(
            f"{space.name}: `constant` says of every architecture that its output does not depend on its input. Let it"
            " say so only of those for which that is true."
        )
    return reference


def _check_notation(space: Space, genotype: Genotype) -> None:
    """What is active, and whether an architecture is read back as it was written."""
    file, chosen = file_of(type(space)), space.chosen(genotype)
    text = ", ".join(f"{name}={value}" for name, value in chosen.items())
    try:
        named: Any = space.active(dict(chosen))
        active = [named] if isinstance(named, str) else list(named)
    except (Exception, SystemExit) as error:
        raise SpaceError(
            f"active of space {space.name} fails for {text}: {told(error, file)}. It returns the positions that matter,"
            ' as ["depth", "width"].'
        ) from error
    if isinstance(named, str):
        raise SpaceError(
            f"active of space {space.name} returns the text {named!r} for {text}: return a list of positions,"
            f" [{named!r}]."
        )
    for name in active:
        if name not in space.positions:
            raise SpaceError(
                f"active of space {space.name} names {_shown(name)}, which is no position, for {text}. Positions:"
                f" {', '.join(space.positions)}."
            )
    if not active:
        raise SpaceError(f"active of space {space.name} returns no position for {text}: return those that matter.")
    try:
        stands = space.canonical(genotype)
        if set(space.active(space.chosen(stands))) != set(active) or space.canonical(stands) != stands:
            raise SpaceError(
                f"active of space {space.name} asks a position that does not matter: with the others set to their first"
                f" values, other positions matter than for {text}. Let it ask only positions that it names itself."
            )
        read = {way: space.canonical(space.parse(getattr(space, way)(stands))) for way in ("format", "short")}
    except SpaceError:
        raise
    except Exception as error:
        raise SpaceError(f"{space.name}: {text} cannot be written and read back: {told(error, file)}") from error
    for way, back in read.items():
        if back != stands:
            raise SpaceError(
                f"{space.name}: parse reads {getattr(space, way)(stands)!r}, which {way} wrote, as"
                f" {space.format(back)!r}. Make them each other's inverse, or leave them to Space."
            )


def _check_network(space: Space, genotype: Genotype, dataset: Dataset) -> None:
    """One network on the meta device: its shapes, its size, its layers, and what the space says of its size."""
    found = counting.count(space, genotype, dataset)
    architecture = space.format(genotype)
    if found.params > MOST_PARAMS:
        raise SpaceError(
            f"{architecture} of space {space.name} has {found.params:,} parameters; {MOST_PARAMS:,} are the most that"
            " is worked with. Leave out the choices that make it so large."
        )
    if found.params == 0:
        raise SpaceError(f"{architecture} of space {space.name} has no parameters that could be trained.")
    if not space.counted and (said := int(space.params([genotype], dataset)[0])) != found.params:
        raise SpaceError(
            f"params of space {space.name} says {said:,} of {architecture}, and the network that build returns has"
            f" {found.params:,}. Mend params, or leave it out: they are counted then."
        )
    if type(space).canonical is not Space.canonical:  # what it takes for the same need not be built the same
        return
    stands = space.canonical(genotype)
    if stands != genotype and (other := counting.count(space, stands, dataset)) != found:
        raise SpaceError(
            f"{architecture} of space {space.name} has {found.params:,} parameters and {found.macs:,} MACs, or"
            f" {other.params:,} and {other.macs:,}, by a position that `active` leaves out. Name in active every"
            " position that build uses."
        )


def _check_dependence(space: Space, genotype: Genotype, dataset: Dataset) -> None:
    """One network for real: layers for the proxies, and an output that is another where the input is."""
    import torch
    from torch import nn

    architecture = space.format(genotype)
    shape = (2, dataset.channels, dataset.resolution, dataset.resolution)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        network = counting.built(space, genotype, dataset).eval()
        if not any(isinstance(module, nn.Conv2d | nn.Linear) for module in network.modules()):
            raise SpaceError(
                f"The network of {architecture} of space {space.name} has no nn.Conv2d and no nn.Linear, which is what"
                " scores look at: build it of these modules, not of functions with weights of your own."
            )
        images = torch.randn(shape)
        try:
            first: Tensor = network(images)
            for parameter in network.parameters():  # weights that begin as zero hide what they multiply
                parameter.add_(torch.randn_like(parameter) * 0.05)
            moved: Tensor = network(images)
        except (Exception, SystemExit) as error:
            raise SpaceError(
                f"The network of {architecture} of space {space.name} fails on a batch of two inputs:"
                f" {told(error, file_of(type(space)))}. It must take a batch of any size."
            ) from error
        if first.shape != (2, dataset.classes):
            raise SpaceError(
                f"The network of {architecture} of space {space.name} gives shape {tuple(first.shape)} of a batch of"
                f" two inputs, not (2, {dataset.classes}). Keep the first dimension, which is the batch."
            )
        if torch.equal(first[0], first[1]) and torch.equal(moved[0], moved[1]):
            raise SpaceError(
                f"The output of {architecture} of space {space.name} does not depend on its input, so it cannot learn."
                " Use in forward what it is given; where a choice cuts the network off on purpose, let"
                " constant(self, genotype) return True for it."
            )


def _scored(space: Space, genotypes: list[Genotype], dataset: Dataset, score: Score) -> list[Scored]:
    """The first network, and the next as long as none took over ten seconds."""
    found: list[Scored] = []
    for genotype in dict.fromkeys(genotypes):
        architecture, start = space.format(genotype), time.perf_counter()
        try:
            proxies = dict(score(lambda genotype=genotype: space.network(genotype, dataset), dataset))  # type: ignore[misc]
        except LabError as error:
            raise SpaceError(f"{architecture} of space {space.name} cannot be scored. {error}") from error
        found.append(Scored(architecture, time.perf_counter() - start, proxies))
        if found[-1].seconds > 10:
            break
    return found


def _sample(space: Space, genotype: Genotype, dataset: Dataset) -> Sample:
    params, macs = space.params([genotype], dataset)[0], space.macs([genotype], dataset)[0]
    return Sample(space.format(genotype), space.short(genotype), int(params), int(macs))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _suggested(name: str) -> str:
    """A name that is allowed, near this one.

    >>> _suggested("TinyNet"), _suggested("My Net_2")
    ('tinynet', 'my-net-2')
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "mine"
