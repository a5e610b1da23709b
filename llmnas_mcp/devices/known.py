"""What devices there are: those that were published, those of packages, and those that imported tables make."""

from __future__ import annotations

from pathlib import Path

from llmnas_mcp.devices.catalogue import DEVICES, Device, Objective
from llmnas_mcp.devices.layers import imported_layers
from llmnas_mcp.devices.tables import imported_tables
from llmnas_mcp.errors import UnknownNameError


def devices_of(data: Path) -> dict[str, Device]:
    """All devices by name: the published, those of packages that can be loaded, then those in the folder `data`.

    Raises DataError for a damaged table.
    """
    known = DEVICES.working()
    return known | {name: device for name, device in _of_tables(data).items() if name not in known}


def device_of(name: str, data: Path) -> Device:
    """The device of that name. Raises UnknownNameError, and PluginError for a package's that cannot be loaded."""
    if name in DEVICES:
        return DEVICES[name]
    known = devices_of(data)
    if name not in known:
        made = "A column NAME_latency of an imported table makes a device NAME: llmnas data import FILE."
        raise UnknownNameError("device", name, known, made)
    return known[name]


def _of_tables(data: Path) -> dict[str, Device]:
    """The devices that have a column in an imported table, in alphabetical order."""
    costs: dict[str, set[Objective]] = {}
    for table in (*imported_tables(data), *imported_layers(data)):
        costs.setdefault(table.device, set()).add(table.objective)
    return {
        name: Device(name, f"{name} (imported table)", "energy" in own, memory="memory" in own)
        for name, own in sorted(costs.items())
    }
