"""Speed of the zero-cost engine, printed: run it while nothing else computes.

    python perf/scoring.py [--networks N] [--resolution 32]

On networks of cells drawn at random from NAS-Bench-201, one thread, in one run: the default set of proxies in the
engine's one forward and one backward pass; one plain forward and backward pass of the same batch; the same proxies one
by one, as reference implementations do (tests/scoring/plain_twins.py, which the tests hold the engine against). Then
the memory that the largest cell takes, with every proxy there is.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import nn

from llmnas_mcp.scoring import DEFAULT, PROXIES, attempt, build, inputs, measure
from llmnas_mcp.spaces import Dataset, get_space

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.scoring.plain_twins import PLAIN

SPACE = get_space("nasbench201")
REPEATS = 3


def best(work: Callable[[], object]) -> float:
    """The least of REPEATS times, seconds."""
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return min(times)


def main() -> None:
    """Time them all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--resolution", type=int, default=32)
    args = parser.parse_args()
    torch.set_num_threads(1)
    dataset = Dataset("benchmark", args.resolution, 10)
    images, labels = inputs.batch(args.resolution, 10)
    names = DEFAULT
    total = dict.fromkeys(("engine", "pass", *names), 0.0)
    for cell in SPACE.sample(args.networks, np.random.default_rng(0)).tolist():
        network = build(lambda cell=cell: SPACE.network(SPACE.canonical(tuple(cell)), dataset))

        def plain_pass(network: nn.Module = network) -> None:
            network.zero_grad()
            nn.functional.cross_entropy(network.train()(images), labels).backward()

        total["pass"] += best(plain_pass)
        total["engine"] += best(lambda network=network: measure(network, dataset))
        for name in names:
            total[name] += best(lambda name=name, network=network: PLAIN[name](network, images, labels))
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)

    one_by_one = sum(total[name] for name in names)
    print(
        f"{args.networks} networks, {len(images)} inputs of {args.resolution} pixels, milliseconds a network, 1 thread"
    )
    for what, seconds in (
        ("plain forward and backward", total["pass"]),
        (f"engine, {len(names)} proxies", total["engine"]),
        ("one by one, sum", one_by_one),
        *((f"  {name}", total[name]) for name in names),
    ):
        print(f"{what:28} {1e3 * seconds / args.networks:8.1f}")
    print(f"engine / plain pass          {total['engine'] / total['pass']:8.2f}")
    print(f"one by one / engine          {one_by_one / total['engine']:8.2f}")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    largest = build(lambda: SPACE.network((3,) * 6, dataset))
    start = perf_counter()
    values, _ = attempt(largest, dataset, PROXIES)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"largest cell, all {len(values)} proxies: {perf_counter() - start:.2f} s, "
        f"peak {peak:.0f} MB (before: {before:.0f} MB)"
    )


if __name__ == "__main__":
    main()
