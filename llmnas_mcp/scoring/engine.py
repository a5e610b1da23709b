"""Measures proxies of networks: of a space's, built from one seed, or of any module.

Everything random comes from explicit seeds: a network has the same values alone, among others, in any order, and
whatever else is measured beside them; to the last bit on one machine with one number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from numpy.linalg import LinAlgError

from llmnas_mcp.errors import UnknownNameError, UnscorableError
from llmnas_mcp.scoring import inputs
from llmnas_mcp.scoring.proxies import PROXIES
from llmnas_mcp.spaces import Dataset, Genotype, Space

if TYPE_CHECKING:
    from torch import nn

VERSION = 2  # raise it with anything that changes a value: atlases and kept samples are valid for one version only
SEED = 2510
COUNTED = ("params", "macs")  # a space counts these without building a network
OBSERVED = ("growth", "jacov", "naswot", "expressivity", "progressivity", "meco", "swap")  # one forward, one backward
DEFAULT = COUNTED + OBSERVED


def settings() -> dict[str, object]:
    """What the values depend on, as an atlas records it."""
    return {"version": VERSION, "seed": SEED, "batch": inputs.BATCH, "inputs": inputs.SEED, "proxies": list(OBSERVED)}


def check_proxies(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each once; raises UnknownNameError for one that is no proxy."""
    unique = tuple(dict.fromkeys([names] if isinstance(names, str) else names))
    for name in unique:
        if name not in PROXIES:
            raise UnknownNameError("proxy", name, PROXIES)
    return unique


def build(factory: Callable[[], nn.Module]) -> nn.Module:
    """What `factory` returns, its weights drawn from SEED."""
    from llmnas_mcp.scoring.observation import seeded

    with seeded(SEED):
        return factory()


def measure(network: nn.Module, dataset: Dataset, proxies: Iterable[str] = DEFAULT) -> dict[str, float]:
    """Proxies of a network as it is initialised, for inputs of the dataset's resolution: name -> a finite number.

    The network stays as it is. On the GPU where there is one. Raises UnscorableError, with the reason, where one of
    them cannot be told, and UnknownNameError for a proxy there is not.
    """
    values, reasons = attempt(network, dataset, proxies)
    for reason in reasons.values():
        raise reason
    return values


def attempt(
    network: nn.Module, dataset: Dataset, proxies: Iterable[str]
) -> tuple[dict[str, float], dict[str, UnscorableError]]:
    """As `measure`; proxies that cannot be told come with the reason instead, and the others are told all the same.

    Raises UnscorableError where none can be.
    """
    from llmnas_mcp.scoring.observation import Observation, exactly

    names, values, reasons = check_proxies(proxies), dict[str, float](), dict[str, UnscorableError]()
    with exactly():
        try:
            seen = Observation(network, *inputs.batch(dataset.resolution, dataset.classes, dataset.channels), SEED)
        except RuntimeError as error:  # torch's, of tensors that cannot be worked with: sparse, quantised, too large
            raise UnscorableError(f"cannot be looked at: {_what(error)}") from error
        for name in names:
            try:
                values[name] = PROXIES[name].measure(seen)
                if not math.isfinite(values[name]):
                    raise UnscorableError(f"has no finite {name} ({values.pop(name)}): scale its weights down.")
            except UnscorableError as error:
                reasons[name] = error
            except (
                RuntimeError,
                ArithmeticError,
                LinAlgError,
            ) as error:  # a backward pass torch cannot make, or numbers
                reasons[name] = UnscorableError(f"cannot be measured by {name}: {_what(error)}")
    return values, reasons


def _what(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


@lru_cache(maxsize=65_536)
def measure_genotype(
    space: Space, genotype: Genotype, dataset: Dataset, proxies: tuple[str, ...] = OBSERVED
) -> tuple[float | str, ...]:
    """`proxies` of the network of a genotype, initialised from SEED, in their order: a number, or why there is none.

    Raises UnscorableError where one of OBSERVED has none, so that the network has no score.
    """
    network = build(lambda: space.network(genotype, dataset))
    values, reasons = attempt(network, dataset, proxies)
    for name in OBSERVED:
        if name in reasons:
            raise reasons[name]
    return tuple(values[name] if name in values else str(reasons[name]) for name in proxies)
