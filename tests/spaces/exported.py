"""Exported networks, run in a process that has nothing of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmnas_mcp.spaces import Dataset, Genotype, Space

# Runs in a process in which our packages cannot be imported.
READER = """
import importlib.util, json, sys
sys.modules["llmnas_mcp"] = sys.modules["llmnas_agents"] = None
import torch
torch.set_num_threads(1)
found = []
for path, channels, resolution in zip(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3]):
    spec = importlib.util.spec_from_file_location("exported", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.build()
    logits = network(torch.zeros(2, int(channels), int(resolution), int(resolution)))
    found.append([sum(p.numel() for p in network.parameters()), *logits.shape])
print(json.dumps(found))
"""


def run_alone(folder: Path, networks: Sequence[tuple[Space, Genotype, Dataset]]) -> Any:
    """Of each network, written to a file of its own: its parameters and the shape of what it makes of two images."""
    arguments: list[str] = []
    for i, (space, genotype, dataset) in enumerate(networks):
        path = folder / f"network_{i}.py"
        path.write_text(space.source_code(genotype, dataset), encoding="utf-8")
        arguments += [str(path), str(dataset.channels), str(dataset.resolution)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READER, *arguments], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
