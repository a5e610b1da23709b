"""The few errors a caller can act on. Each message names the value, what is allowed and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LabError(ValueError):
    """A mistake the caller could have avoided; its text says how."""


class ArchitectureError(LabError):
    """An architecture string that does not describe an architecture of the space."""


class SpaceError(LabError):
    """A search space that is not as a space must be; its text says what is wrong with it."""


class PluginError(LabError):
    """Something of an installed package that cannot be loaded, or is not what its group takes.

    >>> print(PluginError("mine", "the package p 1.0", "ValueError: no."))
    'mine' of the package p 1.0 cannot be used: ValueError: no. Mend or uninstall the package.
    """

    def __init__(self, name: str, origin: str, why: str) -> None:
        super().__init__(f"{name!r} of {origin} cannot be used: {why} Mend or uninstall the package.")


class NotFoundError(LabError):
    """A search, niche, rule or table that is not there."""


class DataError(LabError):
    """A file that cannot be imported, or an operation the data at hand does not allow."""


class UnscorableError(LabError):
    """A network whose proxies cannot be told.

    >>> print(UnscorableError("has no Conv2d."))
    The network has no Conv2d.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"The network {why}")


class UnknownNameError(LabError):
    """A name outside a closed list.

    >>> print(UnknownNameError("device", "raspi", ["edgegpu", "raspi4"]))
    Unknown device 'raspi'. Allowed: edgegpu, raspi4. Did you mean 'raspi4'?
    """

    def __init__(self, kind: str, value: str, allowed: Iterable[str], fix: str = "") -> None:
        names = sorted(allowed)
        near = difflib.get_close_matches(value, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"Unknown {kind} {value[:80]!r}. Allowed: {', '.join(names)}.{hint}{fix and ' ' + fix}")


def leaves(group: BaseException) -> list[BaseException]:
    """The exceptions in a group of groups; of any other exception, itself.

    >>> leaves(ExceptionGroup("", [ValueError("a"), ExceptionGroup("", [KeyError("b")])]))
    [ValueError('a'), KeyError('b')]
    """
    if isinstance(group, BaseExceptionGroup):
        return [leaf for part in group.exceptions for leaf in leaves(part)]
    return [group]
