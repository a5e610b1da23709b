"""A llmnas-mcp that measures nothing: run as `unmeasured.py`, over stdio.

An architecture it has no proxies of has those of the one nearest by parameters in what ships.
"""

from __future__ import annotations

from typing import Any

from llmnas_mcp.scoring import atlas, engine, workers
from llmnas_mcp.server import main


def measure(space: Any, genotype: tuple[int, ...], dataset: Any, proxies: tuple[str, ...]) -> tuple[float, ...]:
    known = atlas.load(atlas.SHIPPED / atlas.file_name(space, dataset))
    (own,), others = space.params([genotype], dataset), space.params(known.genotypes, dataset)
    nearest = int(abs(others - own).argmin())
    return tuple(float(known.proxies[name][nearest]) for name in proxies)


if __name__ == "__main__":
    workers.FEW = 1000  # all in this process
    engine.measure_genotype = measure
    main.main()
