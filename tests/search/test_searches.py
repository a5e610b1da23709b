"""Starting, reading and listing searches."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from typing import Any

import pytest

from llmnas_mcp.errors import DataError, LabError, NotFoundError, UnknownNameError
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.service import OPEN_SEARCHES, Laboratory
from llmnas_mcp.settings import Settings

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


def test_a_new_search_has_its_settings_its_niches_and_no_members(lab: Laboratory) -> None:
    more = {"evaluations": 77, "rounds": 3, "offspring": 6, "seed": 5}
    started = lab.start_search(device="raspi4", dataset="cifar100", limits=Limits(latency=9.5), **more)
    search = lab.get_search(started.search_id)
    told = (search.space, search.dataset, search.device, search.objectives, search.units, search.limits, search.seed)
    assert told == ("nasbench201", "cifar100", "raspi4", ["latency"], ["ms"], {"latency": 9.5}, 5)
    assert (search.evaluations, search.used, search.rounds, search.offspring) == (
        min(77, 3 * 6 * len(started.niches)),
        0,
        3,
        6,
    )
    assert (search.done, search.hypervolume, search.rules, search.history) == (False, 0, 0, [])
    assert search.niches == started.niches
    assert search.operator == "conversation"


def test_energy_is_searched_in_millijoules(lab: Laboratory) -> None:
    assert lab.start_search(device="eyeriss", objective="energy").units == ["mJ"]


def test_the_id_names_device_and_dataset_and_follows_from_the_settings(lab: Laboratory, tmp_path: Any) -> None:
    elsewhere = Laboratory(Settings(store=f"sqlite:///{tmp_path}/other.db", data=tmp_path))
    first = lab.start_search(device="raspi4", seed=1).search_id
    assert re.fullmatch(r"raspi4-cifar10-[0-9a-f]{6}", first)
    assert elsewhere.start_search(device="raspi4", seed=1).search_id == first
    assert lab.start_search(device="raspi4", seed=1).search_id == f"{first}-2"
    others: list[dict[str, Any]] = [
        *({"seed": 2}, {"evaluations": 9}, {"niches": 2}, {"offspring": 9}, {"rounds": 9}, {"scored_by": "params"}),
        *({"limits": limits} for limits in (Limits(latency=9), Limits(latency=8), Limits(macs=100), Limits(params=1))),
        *({"objective": ["latency", other]} for other in ("macs", "params")),
        {"objective": ["latency", "macs"], "limits": Limits(macs=100)},
    ]
    ids = {lab.start_search(device="raspi4", **{"seed": 1, **other}).search_id for other in others}
    assert len(ids - {first}) == len(others)
    assert not any(i.startswith(first) for i in ids)
    elsewhere.close()


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({"evaluations": 0}, LabError, "evaluations=0 is out of range: choose 1 to 100,000"),
        ({"evaluations": 100_001}, LabError, "evaluations=100001 is out of range: choose 1 to 100,000"),
        ({"offspring": 0}, LabError, "offspring=0 is out of range: choose 1 to 1,000"),
        ({"offspring": 1001}, LabError, "offspring=1001 is out of range"),
        ({"rounds": 0}, LabError, "rounds=0 is out of range: choose at least 1, or leave it out"),
        ({"seed": -1}, LabError, "seed=-1 is out of range: choose 0 to 2,147,483,647"),
        ({"seed": 2**31}, LabError, "seed=2147483648 is out of range"),
        (
            {"limits": Limits(latency=0.5)},
            LabError,
            r"at most 0\.5 ms latency \(the least there is: 1\.13\) on fpga\. Raise the limit",
        ),
        ({"limits": Limits(latency=-1)}, LabError, "max_latency=-1 is out of range"),
        ({"limits": Limits(energy=math.nan)}, LabError, "max_energy=nan is out of range"),
        ({"limits": Limits(memory=math.inf)}, LabError, "max_memory=inf is out of range"),
        ({"space": "nasbench301"}, UnknownNameError, "Unknown space 'nasbench301'.*Did you mean 'nasbench201'"),
        (
            {"device": "edge_gpu"},
            UnknownNameError,
            "Unknown device 'edge_gpu'.*Allowed: edgegpu, .*Did you mean 'edgegpu'",
        ),
        ({"limits": Limits(macs=0)}, LabError, "max_macs=0 is out of range: choose a positive number, or leave it out"),
        ({"limits": Limits(params=-1)}, LabError, "max_params=-1 is out of range"),
        (
            {"limits": Limits(params=0.05)},
            LabError,
            r"at most 0\.05 M parameters \(the least there is: 0\.0733\) on fpga",
        ),
        (
            {"limits": Limits(latency=0.5, macs=1, params=9)},
            LabError,
            r"at most 0\.5 ms latency \(the least there is: 1\.13\) and at most 1 M MACs \(the least there is: 7\.78\)"
            r" and at most 9 M parameters \(the least there is: 0\.0733\) on fpga\. Raise the limit",
        ),
        ({"device": None}, LabError, "latency depends on the device: give one of edgegpu, .*macs and params need none"),
        (
            {"device": None, "objective": ["macs", "energy"]},
            LabError,
            "energy depends on the device: give one of edgegpu, .*macs and params need none",
        ),
        (
            {"device": None, "objective": "macs", "limits": Limits(latency=5)},
            LabError,
            "latency depends on the device: give one of",
        ),
        (
            {"objective": "macs"},
            LabError,
            "objective=macs: the same on every device. Leave device='fpga' out, or choose latency, energy, memory",
        ),
        ({"objective": ["params", "macs"]}, LabError, "objective=params and macs: the same on every device"),
        ({"objective": "macs", "limits": Limits(params=1)}, LabError, "objective=macs: the same on every device"),
        (
            {"objective": ["latency", "energy", "macs"]},
            LabError,
            "objective=latency, energy, macs: give one or two different ones",
        ),
        ({"objective": ["latency", "latency"]}, LabError, "objective=latency, latency: give one or two different"),
        ({"objective": []}, LabError, "objective=none: give one or two different ones"),
        ({"dataset": "flowers"}, UnknownNameError, "Unknown dataset 'flowers'.*Allowed: .*cifar10, cifar100"),
        (
            {"space": "fbnet", "dataset": "cifar10"},
            UnknownNameError,
            "Unknown dataset 'cifar10'.*Allowed: cifar100, digits, imagenet",
        ),
        ({"objective": "power"}, UnknownNameError, "Unknown objective 'power'.*energy, latency"),
        ({"device": "raspi4", "objective": "energy"}, DataError, "No energy was published for raspi4.*edgegpu"),
        (
            {"device": "raspi4", "limits": Limits(energy=9)},
            DataError,
            "No energy was published for raspi4. Devices with energy: edgegpu, eyeriss, fpga.",
        ),
        (
            {"objective": "memory"},
            DataError,
            "No memory was published for fpga. Devices with memory: none.*a column fpga_memory: llmnas data import",
        ),
        ({"limits": Limits(memory=9)}, DataError, "No memory was published for fpga"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_value_and_what_is_allowed_and_no_search_is_left(
    lab: Laboratory, setting: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        lab.start_search(**{"device": "fpga", **setting})
    assert lab.list_searches().total == 0


def test_an_unknown_search_is_told_with_the_latest_ones(lab: Laboratory) -> None:
    with pytest.raises(
        NotFoundError, match=r"no search 'x'\. There are none yet: start one \(start_search, or llmnas search"
    ):
        lab.get_search("x")
    known = lab.start_search(device="fpga").search_id
    with pytest.raises(NotFoundError, match=f"no search 'x'. The latest are {known}"):
        lab.compute_pareto_front("x")
    with pytest.raises(NotFoundError, match=re.escape(repr("y" * 80))):
        lab.get_brief("y" * 5000, 0)


@pytest.mark.parametrize("niche", [-1, 7, 10**9])
def test_an_unknown_niche_is_told_with_those_there_are(lab: Laboratory, niche: int) -> None:
    search_id = lab.start_search(device="fpga").search_id
    for ask in (
        lambda: lab.get_brief(search_id, niche),
        lambda: lab.mine_rules(search_id, niche),
        lambda: lab.breed_architectures(search_id, niche, 1),
        lambda: lab.submit_architectures(search_id, [CELL], niche),
        lambda: lab.list_niche_members(search_id, niche),
    ):
        with pytest.raises(NotFoundError, match=rf"has no niche {niche}\. Niches: 0 to 6\."):
            ask()


def test_searches_are_listed_newest_first_in_pages(lab: Laboratory) -> None:
    ids = [lab.start_search(device="fpga", seed=seed).search_id for seed in range(5)]
    lab.submit_architectures(ids[4], [CELL])
    everything = lab.list_searches()
    assert [line.search_id for line in everything.searches] == ids[::-1]
    assert [line.used for line in everything.searches] == [1, 0, 0, 0, 0]
    assert (everything.total, everything.truncated) == (5, False)
    pages = [lab.list_searches(limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [line for page in pages for line in page.searches] == everything.searches
    assert [page.truncated for page in pages] == [True, True, False]


@pytest.mark.thorough
def test_a_search_can_be_gone_on_with_however_many_were_opened_since(lab: Laboratory) -> None:
    first = lab.start_search(device="fpga", niches=1).search_id
    lab.submit_architectures(first, [CELL])
    for seed in range(OPEN_SEARCHES + 1):
        lab.start_search(device="fpga", niches=1, seed=seed)
    assert lab.get_search(first).used == 1
    assert lab.submit_architectures(first, [CELL]).results[0].status == "duplicate"


def test_a_whole_search_never_imports_torch(settings: Settings) -> None:
    program = (
        "import sys; from llmnas_mcp.search.service import Laboratory\n"
        "lab = Laboratory(); i = lab.start_search(device='raspi4', niches=2).search_id\n"
        "bred = [o.architecture for o in lab.breed_architectures(i, 0, 9).offspring]\n"
        "lab.submit_architectures(i, bred, 0); lab.mine_rules(i, 0); lab.get_brief(i, 0)\n"
        "lab.compute_pareto_front(i); print(lab.get_search(i).used, 'torch' in sys.modules)"
    )
    environment = {"LLMNAS_STORE": settings.store, "LLMNAS_DATA": str(settings.data)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["9", "False"]
