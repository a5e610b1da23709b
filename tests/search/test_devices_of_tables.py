"""Searches on a device that an imported table made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from llmnas_mcp.devices.modelling import LEAST
from llmnas_mcp.devices.tables import import_table, remove_tables
from llmnas_mcp.errors import DataError, UnknownNameError
from llmnas_mcp.reports.telling import tell
from llmnas_mcp.search import instruments
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import Space, get_space

Write = Callable[..., Path]


def measured(space: Space, count: int, device: str) -> list[dict[str, object]]:
    """Made-up latencies of so many different architectures."""
    rows = map(tuple, space.sample(2 * count, np.random.default_rng(0)).tolist())
    texts = list(dict.fromkeys(space.format(row) for row in rows))[:count]
    return [{"arch_str": text, f"{device}_latency": 1 + sum(space.parse(text)) / 7} for text in texts]


def test_a_search_on_a_device_of_a_partial_table_goes_by_the_model_fitted_to_it(
    lab: Laboratory, hand: SimpleNamespace, space: Space, write: Write
) -> None:
    import_table(write("mine_cifar10.csv", measured(space, 200, "My-Board_2")), space, lab.settings.data)
    search_id = lab.start_search(device="My-Board_2", niches=2, evaluations=60).search_id
    assert search_id.startswith("My-Board_2-cifar10-")
    hand.play(lab, search_id)
    sources = {m.source for m in lab.list_niche_members(search_id, limit=1000).members}
    assert "fitted:mine_cifar10" in sources <= {"fitted:mine_cifar10", "table:mine_cifar10"}
    assert tell(lab, search_id)["search"]["device_title"] == "My-Board_2 (imported table)"


def test_a_search_may_be_on_a_device_of_a_table_in_a_space_that_nobody_can_list(lab: Laboratory, write: Write) -> None:
    space = get_space("autoformer-tiny")
    import_table(write("mine_imagenet.csv", measured(space, 60, "mine")), space, lab.settings.data)
    started = lab.start_search(device="mine", space=space.name, niches=1)
    assert (started.units, len(started.niches)) == (["ms"], 1)


def test_a_search_on_a_device_with_too_few_measured_is_refused_with_how_many_are_needed(
    lab: Laboratory, space: Space, write: Write
) -> None:
    nothing = space.format((0,) * 6)  # which is no candidate
    import_table(write("mine_cifar10.csv", [{"arch_str": nothing, "mine_latency": 1}]), space, lab.settings.data)
    with pytest.raises(DataError, match=rf"runs on mine: The table mine_cifar10 .* 1, where {LEAST} are needed"):
        lab.start_search(device="mine")


def test_the_id_of_a_search_has_room_in_a_store_however_long_its_names_are(
    lab: Laboratory, space: Space, write: Write
) -> None:
    device, dataset = "d" * 40, "s" * 64
    import_table(write("mine.csv", measured(space, 40, device)), space, lab.settings.data, dataset)
    search_id = lab.start_search(device=device, dataset=dataset).search_id
    assert len(search_id) == 80
    assert lab.get_search(search_id).device == device


def test_without_its_table_a_search_is_listed_and_says_which_device_is_gone(
    lab: Laboratory, settings: Settings, space: Space, write: Write
) -> None:
    import_table(write("mine_cifar10.csv", measured(space, 40, "mine")), space, settings.data)
    search_id = lab.start_search(device="mine").search_id
    remove_tables("mine_cifar10", settings.data)
    later = Laboratory(settings)
    assert [line.search_id for line in later.list_searches().searches] == [search_id]
    with pytest.raises(UnknownNameError, match=r"Unknown device 'mine'\. Allowed: .*llmnas data import"):
        later.get_search(search_id)
    later.close()
    assert "mine" not in {d.device for d in instruments.list_devices("nasbench201", settings.data).devices}
