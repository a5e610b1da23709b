"""What exporting makes of networks: graphs and times before and after, and how far files are from torch.

    python perf/export.py
    python perf/export.py --compare 200 --spaces nasbench201 fbnet --formats onnx torch openvino

The first line exports cells of NAS-Bench-201 as they were written once (every node a stack that is summed, dead
operations left in) and as `llmnas export` does, and times both in ONNX Runtime in one run, interleaved, on one thread:
the shortest of many runs counts. The second draws networks of spaces, exports each and tells the largest difference
from torch, as a share of the largest output, over a batch of one and of three images.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from llmnas_mcp.errors import LabError
from llmnas_mcp.exporting import FORMATS, Subject, checking
from llmnas_mcp.measuring.runner import LOADERS
from llmnas_mcp.runtimes.converters import to_onnx
from llmnas_mcp.spaces import dataset_shape, get_space
from llmnas_mcp.spaces.nasbench201.encoding import EDGES
from llmnas_mcp.spaces.nasbench201.network import Cell, Zero

CELLS = ("333333", "3n3sn1", "1s3p1s", "n13311", "sn3sn1", "nnnsnn")
PASSES, RUNS = 40, 5


class Stacked(nn.Module):
    """A cell as it was: each node the sum of a stack, zeros included."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.edges = cell.edges

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the same shape."""
        nodes = [x]
        for target in (1, 2, 3):
            incoming = [
                torch.zeros_like(nodes[source]) if isinstance(edge, Zero) else edge(nodes[source])
                for (source, to), edge in zip(EDGES, self.edges, strict=True)
                if to == target
            ]
            nodes.append(torch.stack(incoming).sum(0))
        return nodes[3]


def stacked(network: nn.Module) -> nn.Module:
    """The network with its cells as they were."""
    features = [Stacked(part) if isinstance(part, Cell) else part for part in network.features]
    network.features = nn.Sequential(*features)
    return network


def graphs(folder: Path) -> None:
    """Nodes and times of each cell before and after."""
    space, dataset = get_space("nasbench201"), dataset_shape("cifar10")
    x = torch.zeros(2, 3, 32, 32)
    runs = {}
    for name in CELLS:
        subject = Subject(space, space.parse(name), dataset)
        with torch.no_grad():
            to_onnx(subject.graph, x, folder / f"{name}-after.onnx", batches=True)
            to_onnx(stacked(subject.network), x, folder / f"{name}-before.onnx", batches=True)
        for when in ("before", "after"):
            file = folder / f"{name}-{when}.onnx"
            runs[name, when] = LOADERS["onnxruntime"](file, {"threads": 1, "accelerator": "cpu"})
    shortest = dict.fromkeys(runs, float("inf"))
    image = np.zeros((1, 3, 32, 32), np.float32)
    for _ in range(PASSES):
        for key in random.sample(list(runs), len(runs)):
            for _ in range(RUNS):
                begun = time.perf_counter()
                runs[key](image)
                shortest[key] = min(shortest[key], time.perf_counter() - begun)
    for name in CELLS:
        before, after = shortest[name, "before"], shortest[name, "after"]
        kinds = [
            Counter(n.op_type for n in onnx.load(folder / f"{name}-{w}.onnx").graph.node) for w in ("before", "after")
        ]
        gone = ", ".join(f"{kind} {kinds[0][kind]}" for kind in ("Unsqueeze", "Concat", "ReduceSum", "ConstantOfShape"))
        print(
            f"{name}: {kinds[0].total()} nodes ({gone}) to {kinds[1].total()} ({kinds[1]['Conv']} Conv,"
            f" {kinds[1]['Add']} Add); {1e3 * before:.2f} to {1e3 * after:.2f} ms, {before / after:.2f} times as fast",
            flush=True,
        )


def compare(space: str, names: list[str], count: int, folder: Path) -> None:
    """The largest difference from torch of networks drawn from a space, by format."""
    where = get_space(space)
    dataset = dataset_shape(where.dataset)
    drawn = where.sample(count, np.random.default_rng(16))
    furthest, seconds = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for row in drawn:
        subject = Subject(where, tuple(map(int, row)), dataset)
        for name in names:
            kind = FORMATS[name]
            file, begun = folder / f"a{kind.suffix}", time.perf_counter()
            with torch.no_grad():
                kind.write(subject.graph, torch.zeros(2, *subject.size), file, batches=True)
            off = checking.difference(kind, checking.opened(kind, file), subject.network, dataset)
            checking.check_near(kind, off)
            furthest[name] = max(furthest[name], off)
            seconds[name] += time.perf_counter() - begun
    for name in names:
        print(
            f"{space}, {name}: {count} networks, at most {furthest[name]:.1e} from torch,"
            f" {seconds[name] / count:.1f} s each",
            flush=True,
        )


def main() -> None:
    """See the module's first lines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--compare", type=int, metavar="NETWORKS", help="of each space, instead of times")
    parser.add_argument("--spaces", nargs="+", default=["nasbench201", "fbnet", "autoformer-tiny"])
    parser.add_argument("--formats", nargs="+", default=["onnx", "torch", "openvino"], choices=FORMATS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if given.compare is None:
            graphs(folder)
            return
        for name in given.formats:
            try:
                FORMATS[name].check(Path(f"a{FORMATS[name].suffix}"))
            except LabError as error:
                raise SystemExit(str(error)) from error
        for space in given.spaces:
            compare(space, given.formats, given.compare, folder)


if __name__ == "__main__":
    main()
