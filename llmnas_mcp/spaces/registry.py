"""The spaces there are: ours, those that the laboratory's owner added, and those of installed packages.

A name, which anybody may send, finds only what is known by it. A file, which is code, is loaded by `load_space`: at the
command line, and for a name that the owner gave a file of their own (`llmnas space add`).
"""

from __future__ import annotations

import copyreg
import hashlib
import inspect
import json
import linecache
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import EntryPoint
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import RLock
from types import CodeType, ModuleType
from typing import Any

from filelock import FileLock, Timeout

from llmnas_mcp import plugins
from llmnas_mcp.errors import DataError, LabError, NotFoundError, PluginError, SpaceError, UnknownNameError
from llmnas_mcp.spaces.autoformer.space import AutoFormerBase, AutoFormerSmall, AutoFormerTiny
from llmnas_mcp.spaces.base import Space
from llmnas_mcp.spaces.checking import check_declared
from llmnas_mcp.spaces.fbnet.space import FBNet
from llmnas_mcp.spaces.mishaps import told
from llmnas_mcp.spaces.nasbench201.space import NASBench201

GROUP = "llmnas.spaces"  # the entry points of packages that bring spaces
FILE = "spaces.json"  # in the folder of imported tables: name -> FILE.py:CLASS
HINT = "A space of your own: llmnas space add FILE.py:CLASS"
WRITE = "Write FILE.py:CLASS, where CLASS is a subclass of llmnas_mcp.spaces.Space."

_LOCK = RLock()  # servers work in threads: a file is run once
_loaded: dict[str, Space] = {}  # by spec
_of_process: dict[str, Space] = {}  # by name


def get_space(name: str) -> Space:
    """The space of that name: ours, added, or of a package. Whoever may not load code may call this.

    Raises UnknownNameError with the names there are, and SpaceError where what is known by the name cannot be loaded.

    >>> get_space("nasbench201").size
    15625
    """
    if known := BUILT_IN.get(name) or _of_process.get(name):
        return known
    if spec := remembered().get(name):
        return _of_file(name, spec)
    if name in _plugins():
        return _of_plugin(name)
    raise UnknownNameError("space", name, names(), HINT)


def names() -> list[str]:
    """All names that `get_space` knows, sorted; nothing is loaded for it."""
    try:
        added = remembered()
    except DataError:
        added = {}
    return sorted({*BUILT_IN, *_of_process, *added, *_plugins()})


def known_spaces() -> tuple[list[Space], dict[str, str]]:
    """Every space there is, ours first, and by name why the others cannot be had."""
    found, broken = list[Space](), dict[str, str]()
    try:
        remembered()
    except DataError as error:
        broken[FILE] = str(error)
    ours = list(BUILT_IN)
    for name in sorted(names(), key=lambda name: (ours.index(name) if name in BUILT_IN else len(ours), name)):
        try:
            found.append(get_space(name))
        except LabError as error:
            broken[name] = str(error)
    return found, broken


def is_file(text: str) -> bool:
    """Whether this is meant as a file and no name.

    >>> is_file("mine/tinynet.py:TinyNet"), is_file("tinynet.py"), is_file("tinynet")
    (True, True, False)
    """
    return ":" in text or text.endswith(".py")


def space_of(spec: str) -> Space:
    """The space of a `Space.spec`, as another process has it. For specs of our own making: it may load a file."""
    return load_space(spec) if is_file(spec) else get_space(spec)


def load_space(spec: str) -> Space:
    """The space of FILE.py:CLASS, once in a process: runs that file. Never for an argument that comes from outside.

    Raises SpaceError that says what is wrong, and where. `check_space` looks further.
    """
    path, class_name = _parts(spec)
    where = f"{path}:{class_name}"
    with _LOCK:
        if where not in _loaded:
            module = _run(path)
            try:
                space = _registered(_made(module, class_name, path), where)
            except SpaceError:
                if not any(other.startswith(f"{path}:") for other in _loaded):
                    del sys.modules[module.__name__]  # it may be mended, and is run anew then
                raise
            space.edition = hashlib.sha256("".join(linecache.getlines(str(path))).encode()).hexdigest()[:12]
            _loaded[where] = space
        return _loaded[where]


def add_for_process(spec: str) -> Space:
    """Load FILE.py:CLASS and make it known by its name until this process ends."""
    space = load_space(spec)
    _check_free(space, {**remembered(), **{name: other.spec for name, other in _of_process.items()}})
    _of_process[space.name] = space
    return space


def remember(spec: str) -> Space:
    """Load FILE.py:CLASS and make it known by its name to every process that has the same folder of tables."""
    space = load_space(spec)
    with _writing() as known:
        _check_free(space, known)
        known[space.name] = space.spec
    return space


def forget(name: str) -> str:
    """Make a space unknown that `remember` made known, and return its FILE.py:CLASS; the file stays."""
    if name not in remembered():
        ours = (
            f"{name} comes with {_origin(name)} and stays." if name in names() else f"No space {name[:80]!r} was added."
        )
        raise NotFoundError(f"{ours} Added: {', '.join(remembered()) or 'none'}.")
    with _writing() as known:
        return known.pop(name, "")


def remembered() -> dict[str, str]:
    """Name -> FILE.py:CLASS of the spaces that were added; raises DataError where the file of them is damaged."""
    path = _folder() / FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}). Delete it, and add your spaces again.") from None
    if not isinstance(known, dict) or not all(isinstance(spec, str) for spec in known.values()):
        raise DataError(f"{path} is damaged. Delete it, and add your spaces again: llmnas space add FILE.py:CLASS")
    return known


def _folder() -> Path:
    from llmnas_mcp.settings import Settings  # half of what importing spaces would take, and seldom needed

    return Settings().data


@contextmanager
def _writing() -> Iterator[dict[str, str]]:
    """What is remembered, to be changed inside: written whole, and by one process at a time."""
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{FILE}.lock", timeout=10):
            known = remembered()
            yield known
            handle, partial = tempfile.mkstemp(dir=folder, suffix=".partial")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(dict(sorted(known.items())), file, indent=1)
                Path(partial).replace(folder / FILE)
            finally:
                Path(partial).unlink(missing_ok=True)
    except Timeout:
        raise DataError(f"{folder / FILE} is being written by another process. Try again.") from None
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}. Set LLMNAS_DATA to a folder.") from None


def _check_free(space: Space, known: dict[str, str]) -> None:
    other = known.get(space.name)
    if other not in (None, space.spec) and Path(str(other).rpartition(":")[0]).exists():
        raise SpaceError(
            f"{space.name} is already the space {other}. Give {space.spec} another `name`, or forget the other first:"
            f" llmnas space remove {space.name}"
        )
    if space.name in _plugins():
        raise SpaceError(f"{space.name} is already a space of {_origin(space.name)}. Give {space.spec} another `name`.")


# files ---------------------------------------------------------------------------------------------------------------


def _parts(spec: str) -> tuple[Path, str]:
    file, colon, class_name = spec.rpartition(":")
    if not colon or not file or not class_name.isidentifier():
        raise SpaceError(f"{spec[:200]!r} names no space. {WRITE}")
    path = Path(file).expanduser()
    if path.suffix != ".py":
        raise SpaceError(f"{file[:200]!r} is no Python file: its name does not end in .py. {WRITE}")
    if not path.is_file():
        raise SpaceError(f"There is no file {path.absolute()}. {WRITE}")
    return path.resolve(), class_name


class _Fresh(SourceFileLoader):
    """Runs the file as it stands, never what Python kept of it compiled."""

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.get_filename(fullname)), self.path)
        return code


def _run(path: Path) -> ModuleType:
    """The module of a file, once in a process, under a name that is the same in every process."""
    name = f"llmnas_space_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path, loader=_Fresh(name, str(path)))
    assert isinstance(spec, ModuleSpec)
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    linecache.cache.pop(str(path), None)
    vars(module)["print"] = _print  # also for what it calls later: standard output is a server's line to its client
    try:
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise SpaceError(f"{path} cannot be loaded: {told(error, path)}.{_help(error, path)}") from error
    # What is exported is what was run, whatever becomes of the file: without a time, the lines are kept.
    lines = linecache.getlines(str(path))
    linecache.cache[str(path)] = (sum(map(len, lines)), None, lines, str(path))
    return module


def _print(*values: object, **options: Any) -> None:
    """Print, to standard error where nothing else is said."""
    print(*values, **{**options, "file": options.get("file") or sys.stderr})  # noqa: T201


def _help(error: BaseException, path: Path) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is None:
        return ""
    if (path.parent / missing.split(".")[0]).exists() or (path.parent / f"{missing.split('.')[0]}.py").exists():
        return (
            f" A space is one file, so that its networks can be exported: move what it needs of {missing} into it, or"
            " make a package of it and install that."
        )
    return f" Install what has it into this Python: {sys.executable} -m pip install ..."


def _made(module: ModuleType, class_name: str, path: Path) -> Space:
    there = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Space) and value.__module__ == module.__name__
    ]
    found = getattr(module, class_name, None)
    if found is None:
        has = f"It has: {', '.join(there)}." if there else "There is no subclass of Space in it."
        raise SpaceError(f"{path} has no class {class_name}. {has}")
    return _instance(found, f"{path}:{class_name}", path)


def _instance(kind: object, spec: str, path: str | Path | None) -> Space:
    if not isinstance(kind, type) or not issubclass(kind, Space):
        what = (
            f"a class, but no subclass of Space: write class {kind.__name__}(Space)"
            if isinstance(kind, type)
            else (f"a value of type {type(kind).__name__}, not a class: name the class itself")
        )
        raise SpaceError(f"{spec} is {what}, with `from llmnas_mcp.spaces import Space`.")
    if inspect.isabstract(kind):
        raise SpaceError(f"{spec} has no {' and no '.join(sorted(kind.__abstractmethods__))}: write {_BUILD}")
    try:
        space = kind()
    except (Exception, SystemExit) as error:
        raise SpaceError(
            f"{spec} cannot be made: {told(error, path)}. {kind.__name__}() must work without arguments."
        ) from error
    check_declared(space, spec)
    return space


_BUILD = "def build(self, chosen, dataset), which returns the network."


def _registered(space: Space, spec: str) -> Space:
    """Refuse a name of ours; else let another process find the space by `spec`, also where it is pickled."""
    if space.name in BUILT_IN and BUILT_IN[space.name] is not space:
        raise SpaceError(f"{spec}: {space.name!r} is the name of a built-in space. Give yours another `name`.")
    space.spec = spec
    copyreg.pickle(type(space), _reduced)  # type: ignore[arg-type]
    return space


def _reduced(space: Space) -> tuple[object, tuple[str]]:
    return space_of, (space.spec,)


def _of_file(name: str, spec: str) -> Space:
    try:
        space = load_space(spec)
    except SpaceError as error:
        raise SpaceError(
            f"Space {name} cannot be loaded. {error}\nMend the file; where it is elsewhere now, llmnas space add it"
            f" again; or llmnas space remove {name}"
        ) from error
    if space.name != name:
        raise SpaceError(f"{spec} was added as {name}, and is named {space.name} now: llmnas space add {spec}")
    return space


# packages ------------------------------------------------------------------------------------------------------------


def _plugins() -> dict[str, EntryPoint]:
    """Name -> what a package says of it; a name of ours is not taken."""
    return {name: point for name, point in plugins.points(GROUP).items() if name not in BUILT_IN}


def _of_plugin(name: str) -> Space:
    point = _plugins()[name]
    with _LOCK:
        if name in _loaded:
            return _loaded[name]
        kind = plugins.load(point)
        try:
            space = kind if isinstance(kind, Space) else _instance(kind, point.value, None)
            check_declared(space, point.value)
            if space.name != name:
                raise SpaceError(f"it is named {space.name} in its class. Both names must be the same.")
        except SpaceError as error:
            raise PluginError(name, plugins.origin(point), str(error)) from error
        _loaded[name] = _registered(space, name)
        return _loaded[name]


def _origin(name: str) -> str:
    return "llmnas-mcp" if name in BUILT_IN else plugins.origin(_plugins()[name])


BUILT_IN: dict[str, Space] = {}
for _space in (NASBench201(), FBNet(), AutoFormerTiny(), AutoFormerSmall(), AutoFormerBase()):
    BUILT_IN[_space.name] = _space
    _registered(_space, _space.name)
