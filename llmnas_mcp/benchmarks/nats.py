"""Reads the official files of NATS-Bench's topology space (Dong et al., TPAMI 2021, arXiv 2009.00437).

Two forms: the folder `NATS-tss-v1_0-3ffb9-simple`, with a `meta.pickle.pbz2` and a file per architecture, or one
`.pickle.pbz2` with everything. Both are pickles packed by bz2, and the benchmark's own package runs whatever a pickle
asks for. So our unpickler, which runs nothing, makes plain dicts of them; `nats_bench` (1.8) then says what these mean.
The single file is unpacked in memory, and refused where that is more than our unpickler takes: give the folder.

Tested on small files made in this layout, not on the official ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import DataError
from llmnas_mcp.measured import Columns, starts_with
from llmnas_mcp.spaces import DATASETS, Space
from llmnas_mcp.unpickler import load_plain

META = "meta.pickle.pbz2"
EPOCHS = "200"
_WRONG = (KeyError, IndexError, TypeError, ValueError, AttributeError, AssertionError, ZeroDivisionError)


def is_nats(path: Path) -> bool:
    """Whether a path is a folder of NATS-Bench, or a file packed by bz2, as its files are."""
    return (path / META).exists() if path.is_dir() else starts_with(path, 3) == b"BZh"


def read_nats(
    path: Path, space: Space, dataset: str | None, number: Callable[[str, object], float]
) -> dict[str, NDArray[np.float64]]:
    """Test accuracies by dataset as `importers.read_accuracies` gives them, the mean of the seeds there are.

    Raises DataError where `nats_bench` is not installed, for another layout, and for a dataset that is not there.
    """
    try:
        from nats_bench import NATStopology
    except ModuleNotFoundError:
        raise DataError("NATS-Bench's files need its package: pip install 'llmnas-mcp[nats]'.") from None
    wanted = [dataset] if dataset else list(DATASETS)
    filled = Columns(path, space, wanted, number)
    for index, architecture, infos in _architectures(path):
        place = f"index {index}"
        try:
            results = {EPOCHS: infos[EPOCHS]}
            there = [d for d in wanted if d in results[EPOCHS]["dataset_seed"]]
            # Of cifar10 it is the network trained on all training images, as in the published tables.
            api = NATStopology(
                {"meta_archs": [architecture], "arch2infos": {0: results}, "evaluated_indexes": [0]}, verbose=False
            )
            values = {d: api.get_more_info(0, d, hp=EPOCHS, is_random=False)["test-accuracy"] for d in there}
        except _WRONG as error:
            raise DataError(
                f"{path}, {place}: not in the layout of NATS-Bench ({type(error).__name__}: {error}). Give the folder "
                "NATS-tss-v1_0-3ffb9-simple, or a CSV."
            ) from None
        filled.add(place, architecture, values)
    found = {name: values for name, values in filled.listed().items() if not np.isnan(values).all()}
    if not found:
        raise DataError(f"{path} has no accuracy after {EPOCHS} epochs on {' or '.join(wanted)}.")
    return found


def _architectures(path: Path) -> Iterator[tuple[int, str, Any]]:
    """Index, string and results of each architecture."""
    if not path.is_dir():
        content = load_plain(path, packed=True)
        names, infos = _part(path, content, "meta_archs"), _part(path, content, "arch2infos")
        try:
            yield from ((int(i), names[i], infos[i]) for i in sorted(infos))
        except _WRONG as error:
            raise DataError(f"{path} is not in the layout of NATS-Bench ({type(error).__name__}: {error}).") from None
        return
    names = _part(path / META, load_plain(path / META, packed=True), "meta_archs")
    for index, name in enumerate(names):
        file = path / f"{index:06d}.pickle.pbz2"
        if file.exists():
            yield index, name, load_plain(file, packed=True)


def _part(path: Path, content: object, key: str) -> Any:
    if not isinstance(content, dict) or not isinstance(content.get(key), (list, dict)):
        raise DataError(f"{path} holds nothing under {key!r}, where NATS-Bench keeps its architectures.")
    return content[key]
