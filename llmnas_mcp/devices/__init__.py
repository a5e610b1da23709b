"""What it costs: latency (ms) and energy (mJ) per device, from imported tables or fitted predictors."""

from llmnas_mcp.devices.catalogue import DEVICES, Device, Objective
from llmnas_mcp.devices.costs import CostModel, Costs, cost_models, cost_of

__all__ = ["DEVICES", "CostModel", "Costs", "Device", "Objective", "cost_models", "cost_of"]
