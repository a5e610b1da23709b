"""What installed packages bring: spaces, devices, proxies, methods and operators, each an entry point of its group.

A package names them in its pyproject.toml: `mine = "package.file:MINE"` in `[project.entry-points."llmnas.proxies"]`.
Nothing of a package is loaded before somebody names what it brings, and nothing takes the place of ours.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from llmnas_mcp.errors import PluginError

T = TypeVar("T")


@lru_cache
def points(group: str) -> dict[str, EntryPoint]:
    """Name -> entry point of a group; of two packages with one name, the first found."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, point)
    return found


def origin(point: EntryPoint) -> str:
    """The package of an entry point, as people are told."""
    return f"the package {point.dist.name} {point.dist.version}" if point.dist else "a package"


def load(point: EntryPoint) -> object:
    """What an entry point stands for. Raises PluginError, with what went wrong, where it cannot be loaded."""
    try:
        with redirect_stdout(sys.stderr):  # standard output is a server's line to its client
            found: object = point.load()
    except (Exception, SystemExit) as error:  # a package may raise anything when it is imported
        raise PluginError(point.name, origin(point), f"{type(error).__name__}: {error}.") from error
    return found


class Catalogue(Mapping[str, T]):
    """Ours by name, in their order, then those of installed packages, which are loaded when they are asked for.

    check: turns what a package gave under a name into what is kept; raises ValueError with what is wrong with it.
    """

    def __init__(self, group: str, ours: Mapping[str, T], check: Callable[[str, object], T]) -> None:
        self.group, self.ours, self.check = group, ours, check
        self._loaded: dict[str, T] = {}

    def __iter__(self) -> Iterator[str]:
        yield from self.ours
        yield from sorted(points(self.group).keys() - self.ours.keys())

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in self.ours or name in points(self.group)

    def working(self) -> dict[str, T]:
        """All that can be loaded; of the others the log has why not."""
        found = {}
        for name in self:
            try:
                found[name] = self[name]
            except PluginError as error:
                logging.getLogger(__name__).warning("%s", error)
        return found

    def __getitem__(self, name: str) -> T:
        if name in self.ours:
            return self.ours[name]
        if name not in self._loaded:
            point = points(self.group)[name]
            try:
                self._loaded[name] = self.check(name, load(point))
            except PluginError:
                raise
            except ValueError as error:
                raise PluginError(name, origin(point), str(error)) from error
        return self._loaded[name]


def named(kind: type[T]) -> Callable[[str, object], T]:
    """A check for what has a `name`: that it is of this kind, and has the name of its entry point."""

    def check(name: str, found: object) -> T:
        if not isinstance(found, kind):
            raise ValueError(f"it is of type {type(found).__name__}, not {kind.__name__}.")
        if (own := getattr(found, "name", None)) != name:
            raise ValueError(f"its name is {own!r} there. Both names must be the same.")
        return found

    return check
