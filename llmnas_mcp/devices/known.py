"""What devices there are: published, of packages, of the laboratory's owner, and those that imported tables make."""

from __future__ import annotations

from pathlib import Path

from llmnas_mcp.devices.catalogue import DEVICES, Device, Objective
from llmnas_mcp.devices.layers import imported_layers
from llmnas_mcp.devices.own import measured_anywhere, own_devices
from llmnas_mcp.devices.tables import imported_tables
from llmnas_mcp.errors import UnknownNameError


def devices_of(data: Path) -> dict[str, Device]:
    """All devices by name: the published, those of packages that can be loaded, then those in the folder `data`.

    Raises DataError for a damaged table.
    """
    known = DEVICES.working() | _of_owner(data)
    return known | {name: device for name, device in _of_tables(data).items() if name not in known}


def device_of(name: str, data: Path) -> Device:
    """The device of that name. Raises UnknownNameError, and PluginError for a package's that cannot be loaded."""
    if name in DEVICES:
        return DEVICES[name]
    known = devices_of(data)
    if name not in known:
        made = "Your own: llmnas device add NAME; of a table with a column NAME_latency: llmnas data import FILE."
        raise UnknownNameError("device", name, known, made)
    return known[name]


def _of_owner(data: Path) -> dict[str, Device]:
    """The owner's own devices, in alphabetical order."""
    found = {}
    for name, own in own_devices(data).items():
        known = {objective for _, _, objective in measured_anywhere(name, data)}
        found[name] = Device(name, f"{name} ({own.title})", "energy" in known, memory="memory" in known)
    return found


def _of_tables(data: Path) -> dict[str, Device]:
    """The devices that have a column in an imported table, in alphabetical order."""
    costs: dict[str, set[Objective]] = {}
    for table in (*imported_tables(data), *imported_layers(data)):
        costs.setdefault(table.device, set()).add(table.objective)
    return {
        name: Device(name, f"{name} (imported table)", "energy" in own, memory="memory" in own)
        for name, own in sorted(costs.items())
    }
