"""The devices of HW-NAS-Bench (Li et al., ICLR 2021, arXiv 2103.10584) and of packages; what can be asked of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.plugins import Catalogue, named
from llmnas_mcp.spaces import Genotypes, Space

Objective = Literal["latency", "energy", "memory", "macs", "params"]
Unit = Literal["ms", "mJ", "MB", "M"]

# What costs something on a device (memory is the peak), and what is a cost anywhere: multiply-accumulates and
# parameters, in millions.
ON_DEVICE: dict[Objective, Unit] = {"latency": "ms", "energy": "mJ", "memory": "MB"}
ANYWHERE: dict[Objective, Unit] = {"macs": "M", "params": "M"}
UNITS: dict[Objective, Unit] = {**ON_DEVICE, **ANYWHERE}

NAMES: dict[Objective, str] = {
    **{"latency": "latency", "energy": "energy", "memory": "memory"},
    **{"macs": "MACs", "params": "parameters"},
}


@dataclass(frozen=True)
class Device:
    """A device: its name in tables, its name for people, and whether its energy and its memory are known.

    price: a package's own model, called as price(space, genotypes, dataset, objective): ms, mJ or MB, (n,), down, NaN
    for what cannot run. It raises DataError where it knows nothing. error: its median relative error, where that is
    known.
    """

    name: str
    title: str
    energy: bool
    price: Callable[[Space, Genotypes, str, Objective], NDArray[np.float64]] | None = None
    error: float | None = None
    memory: bool = False


_OURS = {
    d.name: d
    for d in (
        Device("edgegpu", "NVIDIA Jetson TX2 (Edge GPU)", True),
        Device("raspi4", "Raspberry Pi 4", False),
        Device("edgetpu", "Google Edge TPU (Coral Dev Board)", False),
        Device("pixel3", "Google Pixel 3", False),
        Device("eyeriss", "Eyeriss (ASIC, simulated)", True),
        Device("fpga", "Xilinx ZC706 (FPGA)", True),
    )
}

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}"  # how a device may be called
_COLUMN = re.compile(f"({NAME})_({'|'.join(ON_DEVICE)})")
GIVE_COLUMNS = (
    "NAME_latency (ms), NAME_energy (mJ) or NAME_memory (MB), such as raspi4_latency; NAME is a device, new or not, in "
    "at most 40 letters, digits, '_' and '-'"
)

DEVICES = Catalogue("llmnas.devices", _OURS, named(Device))


def column(device: str, objective: Objective) -> str:
    """The name of a device's column in tables.

    >>> column("raspi4", "latency")
    'raspi4_latency'
    """
    return f"{device}_{objective}"


def parse_column(title: object) -> tuple[str, Objective] | None:
    """Device and objective that the name of a column stands for; None for a column of anything else.

    >>> parse_column("my_phone_energy"), parse_column("index"), parse_column("a phone_latency")
    (('my_phone', 'energy'), None, None)
    """
    found = _COLUMN.fullmatch(title) if isinstance(title, str) else None
    return (found[1], found[2]) if found else None  # type: ignore[return-value]
