"""Measures the AutoFormer spaces on a GPU, and says what a model of their latency there is worth.

    python scripts/measure_gpu.py NAME [--minutes 15] [--runtime torch-compile] [--batch 64] [--precision f16] ...

The spaces share the minutes evenly. Measured is by `llmnas_mcp.measuring`, as by `llmnas device measure`, so the same
call goes on where it was broken off; NAME is then a device under --out, which `LLMNAS_DATA=OUT llmnas search --device
NAME --space autoformer-tiny` uses. The paper (arXiv 2510.01472) timed on an NVIDIA A6000. `--accelerator cpu` tries the
whole without a GPU.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from llmnas_mcp.devices.own import OwnDevice, add_device, fingerprints, own_devices
from llmnas_mcp.measuring.campaign import TOGETHER, check_device, measure_space
from llmnas_mcp.spaces import get_space
from llmnas_mcp.spaces.datasets import dataset_shape

SPACES = ("autoformer-tiny", "autoformer-small", "autoformer-base")


def main() -> None:
    """Measure what the arguments say, a line a space."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="what to call the GPU, as a device")
    parser.add_argument("--spaces", nargs="+", default=SPACES)
    parser.add_argument("--minutes", type=float, default=15.0, help="for all spaces together")
    parser.add_argument("--architectures", type=int, default=150, help="at most, of each space")
    parser.add_argument("--runtime", default="torch")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--accelerator", default="cuda")
    parser.add_argument("--cuda-graphs", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"))
    args = parser.parse_args()
    device = OwnDevice(
        *(args.name, args.runtime, 1, args.batch, args.precision, args.accelerator), graphs=args.cuda_graphs
    )
    check_device(device)
    if own_devices(args.out).get(args.name) != device:
        add_device(device, args.out)
    end = time.monotonic() + 60 * args.minutes
    for i, name in enumerate(args.spaces):
        space, begin = get_space(name), time.monotonic()
        until = begin + (end - begin) / (len(args.spaces) - i)
        count = 0
        while count < args.architectures and (not count or time.monotonic() < until):
            count = min(count + TOGETHER, args.architectures)
            found = measure_space(
                *(device, space, dataset_shape(space.dataset), args.out),
                architectures=count,
                progress=lambda done, _, what, name=name: print(f"\r{name}: {done} measured {what:40}", end=""),
            )
        worth = "too few to fit"
        if found.fit:
            worth = f"median error {found.fit.error:.1%}, Spearman {found.fit.spearman:.3f} (held out)"
        print(f"\r{name}: {found.measured} measured in {time.monotonic() - begin:.0f} s, {worth}")
        for warning in dict.fromkeys(found.warnings):
            print(f"  {warning}")
    print(json.dumps(fingerprints(args.name, args.out), indent=1))


if __name__ == "__main__":
    main()
