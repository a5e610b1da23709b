"""What it costs: latency (ms) and energy (mJ) per device, from imported tables or fitted models; counts."""

from llmnas_mcp.devices.catalogue import ANYWHERE, DEVICES, UNITS, Device, Objective
from llmnas_mcp.devices.costs import CostModel, Costs, cost_models, cost_of

__all__ = ["ANYWHERE", "DEVICES", "UNITS", "CostModel", "Costs", "Device", "Objective", "cost_models", "cost_of"]
