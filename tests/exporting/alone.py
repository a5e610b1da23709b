"""Exported files, run in a process that has their runtime, and neither torch nor anything of ours where that can be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Each file and the images it is given; prints what it makes of them.
READER = """
import json, sys
blocked = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(blocked))
import numpy as np


def onnx(path):
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda x: session.run(["logits"], {"input": x})[0]


def xml(path):
    import openvino
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda x: model(x)["logits"]


def pt2(path):
    import torch
    network = torch.export.load(path).module()
    return lambda x: network(torch.from_numpy(x)).detach().numpy()


def pte(path):
    import torch
    from executorch.runtime import Runtime
    program = Runtime.get().load_program(open(path, "rb").read())
    return lambda x: program.load_method("forward").execute([torch.from_numpy(x)])[0].numpy()


found = []
for path, given in zip(sys.argv[2::2], sys.argv[3::2]):
    run = globals()[path.rpartition(".")[2]](path)
    found.append([run(x).tolist() for x in np.load(given).values()])
assert all(sys.modules[name] is None for name in blocked)
print(json.dumps(found))
"""
OURS = ("llmnas_mcp", "llmnas_agents")


def run_alone(
    files: Sequence[Path], images: Sequence[Sequence[NDArray[np.float32]]]
) -> list[list[NDArray[np.float32]]]:
    """What each file makes of each of its batches of images."""
    blocked = list(OURS if any(file.suffix in (".pt2", ".pte") for file in files) else (*OURS, "torch"))
    arguments: list[str] = []
    for file, batches in zip(files, images, strict=True):
        given = file.with_name(f"{file.name}.npz")
        np.savez(given, *batches)
        arguments += [str(file), str(given)]
    command = [sys.executable, "-c", READER, json.dumps(blocked), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [[np.array(out, dtype=np.float32) for out in of] for of in json.loads(done.stdout.splitlines()[-1])]
