from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from llmnas_mcp.spaces import DATASETS, Space

CELLS = ((3, 2, 4, 1, 0, 3), (0, 0, 0, 1, 0, 0), (1, 3, 0, 2, 4, 2))
# Runs in a process in which our packages cannot be imported.
READER = """
import importlib.util, json, sys
sys.modules["llmnas_mcp"] = sys.modules["llmnas_agents"] = None
import torch
torch.set_num_threads(1)
found = []
for path, resolution in zip(sys.argv[1::2], sys.argv[2::2]):
    spec = importlib.util.spec_from_file_location("exported", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.build()
    logits = network(torch.zeros(2, 3, int(resolution), int(resolution)))
    found.append([sum(p.numel() for p in network.parameters()), *logits.shape])
print(json.dumps(found))
"""


def test_an_exported_network_is_the_same_and_needs_nothing_of_ours(space: Space, tmp_path: Path) -> None:
    arguments, expected = [], []
    for cell, dataset in zip(CELLS, [DATASETS[name] for name in space.datasets or ()], strict=True):
        path = tmp_path / f"{dataset.name}.py"
        path.write_text(space.source_code(cell, dataset), encoding="utf-8")
        arguments += [str(path), str(dataset.resolution)]
        expected.append([int(space.params([cell], dataset)[0]), 2, dataset.classes])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READER, *arguments], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


@pytest.mark.parametrize("cell", CELLS)
def test_exported_source_imports_torch_only_and_names_its_cell(space: Space, cell: tuple[int, ...]) -> None:
    source = space.source_code(cell, DATASETS["cifar100"])
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert imported == {"__future__", "torch"}
    assert space.format(cell) in source
