"""How fast is it? Each line is measured in this run, on this machine; ratios are against the peer that is named.

    python perf/speed.py

Run it on a machine that does nothing else.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mcp import Client, StdioServerParameters


def best(work: Callable[[], object], times: int = 5) -> float:
    """The shortest of several runs, in seconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def line(what: str, seconds: float, note: str = "") -> None:
    """Print one result."""
    print(f"{what:62} {seconds * 1000:10.1f} ms   {note}")


def fronts() -> None:
    """A million points to a front; fronts and hypervolume against pymoo."""
    from pymoo.indicators.hv import HV
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    from llmnas_mcp.pareto import front_of, hypervolume

    rng = np.random.default_rng(0)
    million, some = rng.random((1_000_000, 2)), rng.random((2000, 2))
    line("front of 1,000,000 random points", best(lambda: front_of(million)))
    line("front of 1,000,000 points that are all on it", best(lambda: front_of(np.sort(million, 0) * [1, -1])))
    ours = best(lambda: front_of(some))
    theirs = best(lambda: NonDominatedSorting().do(some, only_non_dominated_front=True))
    line("front of 2,000 random points", ours, f"pymoo takes {theirs / ours:.0f} times as long")
    ours = best(lambda: hypervolume(some, (1, 1)))
    theirs = best(lambda: HV(ref_point=np.ones(2))(some))
    line("hypervolume of 2,000 random points", ours, f"pymoo takes {theirs / ours:.1f} times as long")


def instruments() -> None:
    """Costs and scores of the whole space, first call and later ones."""
    from llmnas_mcp.devices import cost_of
    from llmnas_mcp.scoring import score_of
    from llmnas_mcp.spaces import DATASETS, get_space

    space, none = get_space("nasbench201"), Path("no tables")
    cells = np.array(list(space.genotypes()))

    def costs() -> object:
        return cost_of(space, cells, device="edgetpu", dataset="cifar10", objective="latency", data=none)

    line("latency of all 15,625 cells, first call", best(costs, 1))
    line("latency of all 15,625 cells", best(costs))
    space.distinct()
    line(
        "score of all 15,625 cells, first call",
        best(lambda: score_of(space, cells, dataset=DATASETS["cifar10"], data=none), 1),
    )
    line("score of all 15,625 cells", best(lambda: score_of(space, cells, dataset=DATASETS["cifar10"], data=none)))


def judges() -> None:
    """A judge of a space without tables, and its verdict on as many architectures as a default search evaluates."""
    from llmnas_mcp.benchmarks import Judge
    from llmnas_mcp.spaces import get_space

    space = get_space("nasbench201")

    def of() -> Judge:
        return Judge.of(space, "cifar10", "raspi4", ["latency"], Path("no tables"))

    cells = [tuple(cell) for cell in space.sample(400, np.random.default_rng(0)).tolist()]
    line("judge of all 15,625 cells, estimated", best(of))
    judge = of()
    line("verdict on 400 cells", best(lambda: judge.verdict(cells), 100))


async def server() -> None:
    """The list of tools, and a large call over stdio; perf/server.py has cold start and small calls against a peer."""
    cell = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "LLMNAS_STORE": f"sqlite:///{folder}/llmnas.db", "LLMNAS_DATA": folder}
        ours = StdioServerParameters(command=sys.executable, args=["-m", "llmnas_mcp.server.main"], env=env)
        async with Client(ours) as client:
            size = len((await client.list_tools()).model_dump_json(by_alias=True, exclude_none=True))
            print(f"{'tools/list':62} {size / 4:10.0f} tokens (bytes / 4)")
            arguments = {"architectures": [cell] * 1000, "device": "raspi4"}
            await client.call_tool("query_latency", arguments)
            took = []
            for _ in range(5):
                began = time.perf_counter()
                await client.call_tool("query_latency", arguments)
                took.append(time.perf_counter() - began)
            line("query_latency of 1,000 architectures over stdio", min(took))


def search() -> None:
    """A default search as a fresh process, to a saved front."""
    code = "from llmnas_agents.cli import main; main()"
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["search", "--device", "raspi4", "--out", f"{folder}/out", "--store", f"sqlite:///{folder}/l.db"]
        took = best(
            lambda: subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True), times=3
        )
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    line("llmnas search, 400 evaluations, fresh process to saved front", took, f"at most {memory:.0f} MB")


if __name__ == "__main__":
    search()
    asyncio.run(server())
    instruments()
    judges()
    fronts()
