"""Reads a pickle of plain data and runs nothing that it asks for.

Only containers, numbers and strings are built, and stand-ins for the few numpy reconstructors such files hold: numpy
itself never sees what the file says, except as bytes of numbers. The pure-Python unpickler is used because it lets us
bound what the C one does not: nested tuples (their hash overflows the C stack) and buffers announced but not there.
"""

from __future__ import annotations

import bz2
import io
import pickle
import re
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from llmnas_mcp.errors import DataError

MAX_BYTES = 512 * 2**20
MAX_TUPLES = 4  # one within the other; an array of numpy takes two
_DAMAGED = (
    *(pickle.UnpicklingError, EOFError, LookupError, AttributeError, TypeError, ValueError),
    *(MemoryError, OverflowError, struct.error),
)


class _RefusedError(Exception):
    """Something a file of plain data does not hold."""


class _Dtype:
    """Stands for numpy.dtype: numbers only, kept as a string like `<f8`."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = str(code)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.code = str(state[1]) + self.code

    def numbers(self, raw: object) -> list[float]:
        """The numbers in a buffer."""
        if not re.fullmatch(r"[<>=|]?[fiub]\d{1,2}", self.code):
            raise _RefusedError(f"a numpy array of type {self.code[:20]!r}")
        data = raw.encode("latin1") if isinstance(raw, str) else raw
        return np.frombuffer(data, np.dtype(self.code)).tolist()  # type: ignore[call-overload,no-any-return]


class _Array(list[Any]):
    """Stands for numpy.ndarray: the elements of a one-dimensional array."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *_, dtype, _fortran, raw = state
        self[:] = raw if isinstance(raw, list) else dtype.numbers(raw)


class _Bytes(_Array):
    """Stands for numpy.ndarray where a file holds images: one of bytes is kept as it is, of any shape."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *_, shape, dtype, fortran, raw = state
        if dtype.code.lstrip("|<>=") != "u1" or fortran:
            super().__setstate__(state)
            return
        data = raw.encode("latin1") if isinstance(raw, str) else raw
        self.append(np.frombuffer(data, np.uint8).reshape(shape))


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _reconstruct_bytes(*_: object) -> _Bytes:
    return _Bytes()


def _frombuffer(raw: bytes, dtype: _Dtype, *_: object) -> _Array:
    return _Array(dtype.numbers(raw))


def _scalar(dtype: _Dtype, raw: object) -> float:
    return dtype.numbers(raw)[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise _RefusedError(f"text encoded as {encoding!r}")
    return text.encode("latin1")


_ALLOWED: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": OrderedDict,
    "_codecs.encode": _encode,
    "numpy.ndarray": _Array,
    "numpy.dtype": _Dtype,
    **{
        f"numpy.{core}.{name}": stand_in
        for core in ("core", "_core")
        for name, stand_in in (
            ("multiarray._reconstruct", _reconstruct),
            ("multiarray.scalar", _scalar),
            ("numeric._frombuffer", _frombuffer),
        )
    },
}


_OF_IMAGES: dict[str, Callable[..., object]] = {
    "numpy.ndarray": _Bytes,
    **dict.fromkeys(("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"), _reconstruct_bytes),
}


class _Unpickler(pickle._Unpickler):
    """The standard one with few globals; a few opcodes are checked below. images: see `plain_of`."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: io.BytesIO, *, images: bool) -> None:
        super().__init__(file, encoding="latin1")  # what Python 2 wrote, as bytes are
        self._allowed = _ALLOWED | _OF_IMAGES if images else _ALLOWED

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in self._allowed:
            raise _RefusedError(f"the global {module[:80]}.{name[:80]}")
        return self._allowed[f"{module}.{name}"]


def _checked_tuple(code: bytes) -> Callable[[Any], None]:
    def load(unpickler: Any) -> None:
        pickle._Unpickler.dispatch[code[0]](unpickler)
        if _depth(unpickler.stack[-1]) > MAX_TUPLES:
            raise _RefusedError("tuples nested too deeply")

    return load


def _depth(value: tuple[object, ...]) -> int:
    return 1 + max((_depth(v) for v in value if isinstance(v, tuple)), default=0)


def _checked_build(unpickler: Any) -> None:
    if not isinstance(unpickler.stack[-2], (_Array, _Dtype)):
        raise _RefusedError("the state of an object")
    unpickler.load_build()


def _bounded_bytearray(unpickler: Any) -> None:
    (size,) = struct.unpack("<Q", unpickler.read(8))
    data = unpickler.read(size)  # the standard one first reserves what the file announces
    if len(data) < size:
        raise pickle.UnpicklingError("pickle data was truncated")
    unpickler.append(bytearray(data))


_Unpickler.dispatch |= {pickle.BUILD[0]: _checked_build, pickle.BYTEARRAY8[0]: _bounded_bytearray}
_Unpickler.dispatch |= {c[0]: _checked_tuple(c) for c in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)}


def load_plain(path: Path, *, packed: bool = False) -> object:
    """What a pickle of containers, numbers, strings and numpy arrays holds; arrays come as lists.

    packed: it is packed by bz2. Raises DataError for anything else, naming it, and for a damaged file or one larger
    than MAX_BYTES, unpacked.
    """
    with path.open("rb") as file:
        try:
            content = (bz2.BZ2File(file) if packed else file).read(MAX_BYTES + 1)
        except (EOFError, OSError) as error:
            raise DataError(f"{path} cannot be read, or is damaged ({error}). Get the file again.") from None
    if len(content) > MAX_BYTES:
        fix = "Give the folder that has a file per architecture." if packed else "No table is."
        raise DataError(f"{path} is larger than {MAX_BYTES // 2**20} MB. {fix}")
    return plain_of(content, str(path))


def plain_of(content: bytes, name: str, *, images: bool = False) -> object:
    """What a pickle holds, as of `load_plain`; `name` is its file's, for what is told.

    images: an array of bytes comes as a list with one thing in it, that array (uint8, in its shape).
    """
    try:
        return _Unpickler(io.BytesIO(content), images=images).load()
    except _RefusedError as error:
        fix = "" if images else " Export the table as CSV if you trust its source."
        raise DataError(
            f"{name}: refused {error}. Nothing of the file was run or imported: it may hold only containers, "
            f"numbers, strings and numpy arrays of numbers.{fix}"
        ) from None
    except _DAMAGED as error:
        raise DataError(f"{name} is not a pickle, or a damaged one ({type(error).__name__}: {error}).") from None
