"""What it costs: latency (ms), energy (mJ) and memory (MB) per device, by imported tables or fitted models; counts."""

from llmnas_mcp.devices.catalogue import ANYWHERE, DEVICES, NAMES, ON_DEVICE, UNITS, Device, Objective, Unit
from llmnas_mcp.devices.costs import CostModel, Costs, cost_models, cost_of
from llmnas_mcp.devices.known import device_of, devices_of

__all__ = [
    "ANYWHERE",
    "DEVICES",
    "NAMES",
    "ON_DEVICE",
    "UNITS",
    "CostModel",
    "Costs",
    "Device",
    "Objective",
    "Unit",
    "cost_models",
    "cost_of",
    "device_of",
    "devices_of",
]
