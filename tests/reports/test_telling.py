"""What the report tells, before it is a page: the values themselves, and the pictures beside it."""

from __future__ import annotations

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from importlib.resources import files
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from llmnas_mcp.errors import NotFoundError
from llmnas_mcp.pareto import ranks_of
from llmnas_mcp.reports import html_report, plot_front
from llmnas_mcp.reports.telling import tell
from llmnas_mcp.results import Origin, RuleEdit
from llmnas_mcp.search.members import Member
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import get_space

SPACE = get_space("nasbench201")


def test_columns_say_of_every_member_what_the_laboratory_does(searched: tuple[Laboratory, str]) -> None:
    lab, search_id = searched
    handle, members = lab.members(search_id)
    origins, told = lab.origins(search_id), tell(lab, search_id)["members"]
    assert told["architecture"] == [m.architecture for m in members]
    assert told["rank"] == (ranks_of(handle.points(members)) + 1).tolist()
    for i, member in enumerate(members):
        assert tuple(map(int, told["genotype"][i])) == SPACE.parse(member.architecture)
        assert [own[i] for own in told["costs"]] == pytest.approx(member.costs, rel=1e-5)
        assert told["score"][i] == pytest.approx(member.score, abs=1e-5)
        sources, errors = zip(*told["sources"][told["source"][i]], strict=True)
        assert sources == member.cost_sources
        assert errors == pytest.approx(handle.landscape.costs([member.genotype]).errors[0], rel=1e-5)
        origin = origins[member.architecture]
        assert [told["architecture"][parent] for parent in told["parents"][i]] == origin.parents
        assert told["reasons"][told["reason"][i]] == origin.reason


def test_the_front_and_the_figures_are_those_of_the_laboratory(
    searched: tuple[Laboratory, str], front: list[Member]
) -> None:
    lab, search_id = searched
    told, found = tell(lab, search_id), lab.compute_pareto_front(search_id)
    named = [(told["members"]["architecture"][p["member"]], p["near"]) for p in told["front"]]
    assert named == [(point.architecture, point.near) for point in found.front]
    assert [name for name, near in named if not near] == [m.architecture for m in front]
    assert told["hypervolume"]["final"] == found.hypervolume
    assert told["hypervolume"]["final"] / told["hypervolume"]["best"] == found.share
    assert told["hypervolume"]["curve"][-1][1] == pytest.approx(found.hypervolume, rel=1e-5)
    values = [value for _, value in told["hypervolume"]["curve"]]
    assert values == sorted(values)
    assert len(values) == len(told["members"]["score"])
    scores, costs = np.array(told["exact"]).T
    assert (np.diff(costs) > 0).all()
    assert (np.diff(scores) > 0).all()


def test_coverage_counts_every_member_once(searched: tuple[Laboratory, str]) -> None:
    lab, search_id = searched
    told, search = tell(lab, search_id)["coverage"], lab.get_search(search_id)
    (ranges,) = told["ranges"]
    assert sum(ranges["counts"]) == search.used
    assert sum(ranges["space"]) == sum(niche.size for niche in search.niches)
    for own, niche in zip(told["niches"], search.niches, strict=True):
        assert (own["members"], own["size"], own["rules"]) == (niche.members, niche.size, niche.rules)


def test_twins_named_as_parents_or_evidence_are_the_members_they_are_the_same_as(lab: Laboratory) -> None:
    search_id = lab.start_search(device="raspi4", niches=1).search_id
    twin = SPACE.format((3, 0, 3, 1, 0, 0))  # computes what one skip does
    lab.submit_architectures(search_id, [twin, SPACE.example], origins=[Origin(), Origin(parents=[twin, "what?"])])
    edit = RuleEdit(action="add", statement="It helps", effect=0.1, evidence=[twin])
    assert lab.update_knowledge_base(search_id, 0, [edit]).active == 1
    told = tell(lab, search_id)
    assert told["members"]["parents"] == [[], [0, "what?"]]
    assert told["knowledge"][0]["writings"][0]["evidence"] == [0]


def test_no_search_no_report(lab: Laboratory) -> None:
    with pytest.raises(NotFoundError, match="no search 'nothing'"):
        html_report(lab, "nothing")


def test_the_picture_as_svg_says_what_it_shows_and_is_always_the_same(searched: tuple[Laboratory, str]) -> None:
    handle, members = searched[0].members(searched[1])
    picture = plot_front(handle, members, format="svg")
    assert ET.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
    assert picture == plot_front(handle, members, format="svg")
    assert picture != plot_front(handle, members[:-9], format="svg")
    assert plot_front(handle, members).startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_picture_of_a_search_for_two_costs_has_a_panel_for_each_pair_and_is_always_the_same(
    for_two: tuple[Laboratory, str], searched: tuple[Laboratory, str], kind: Literal["png", "svg"]
) -> None:
    handle, members = for_two[0].members(for_two[1])
    picture = plot_front(handle, members, format=kind)
    assert picture == plot_front(handle, members, format=kind)
    assert picture != plot_front(handle, members[:-9], format=kind)
    one, alone = searched[0].members(searched[1])
    if kind == "png":
        with Image.open(io.BytesIO(picture)) as both, Image.open(io.BytesIO(plot_front(one, alone))) as single:
            assert (both.size, single.size) == ((4800, 1000), (1600, 1000))
            for panel in range(3):  # each has points in the colours of niches, on white
                part = both.convert("RGB").crop((1600 * panel, 0, 1600 * (panel + 1), 1000))
                colours = {colour for _, colour in part.getcolors(1 << 24) or ()}
                assert (255, 255, 255) in colours
                assert len(colours) > 100
    else:
        axes = [f"axes_{i}" for i in range(1, 4)]
        found = [group.get("id") for group in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}g")]
        assert [name for name in found if name and re.fullmatch(r"axes_\d+", name)] == axes


def test_a_picture_of_two_costs_can_be_drawn_of_nothing_and_of_one_network(lab: Laboratory) -> None:
    search_id = lab.start_search(device="edgegpu", objective=["energy", "macs"]).search_id
    sizes = []
    for _ in range(2):
        with Image.open(io.BytesIO(plot_front(*lab.members(search_id)))) as picture:
            sizes.append(picture.size)
        lab.submit_architectures(search_id, [SPACE.example])
    assert sizes == [(4800, 1000)] * 2


def test_a_search_for_two_costs_is_told_with_both(for_two: tuple[Laboratory, str]) -> None:
    lab, search_id = for_two
    handle, members = lab.members(search_id)
    told = tell(lab, search_id)
    latency, energy = told["search"]["objectives"]
    assert latency == {"id": "latency", "name": "latency", "unit": "ms", "limit": None, "on_device": True}
    assert energy == {"id": "energy", "name": "energy", "unit": "mJ", "limit": 60.0, "on_device": True}
    assert told["search"]["limits"] == ["at most 1 M parameters"]
    assert "--objective latency --objective energy " in told["search"]["command"]
    assert "--max-energy 60 --max-params 1 " in told["search"]["command"]
    for own, values in zip(told["members"]["costs"], zip(*(m.costs for m in members), strict=True), strict=True):
        assert own == pytest.approx(values, rel=1e-5)
    for i, member in enumerate(members):
        sources, errors = zip(*told["members"]["sources"][told["members"]["source"][i]], strict=True)
        assert sources == member.cost_sources
        assert errors == pytest.approx(handle.landscape.costs([member.genotype]).errors[0], rel=1e-5)
    assert {len(point) for point in told["exact"]} == {3}
    assert all(energy <= 60 for _, _, energy in told["exact"])
    assert [len(baseline["front"][0]) for baseline in told["baselines"]] == [3, 3]
    for ranges, costs in zip(told["coverage"]["ranges"], told["members"]["costs"], strict=True):
        assert len(ranges["edges"]) == len(ranges["counts"]) + 1 == len(ranges["space"]) + 1
        assert sum(ranges["counts"]) == len(costs)
        assert sum(ranges["space"]) == sum(niche["size"] for niche in told["coverage"]["niches"])
    final = lab.compute_pareto_front(search_id)
    assert told["hypervolume"]["final"] == final.hypervolume
    assert told["hypervolume"]["final"] / told["hypervolume"]["best"] == pytest.approx(final.share)
    assert re.match(
        r"\d+ networks from [\d.]+ to [\d.]+ ms and [\d.]+ to [\d.]+ mJ on the .+, each the best at its"
        r" costs\. Within 60 mJ and 1 M parameters: take \S+ at [\d.]+ ms and [\d.]+ mJ, first by score alone \(",
        told["answer"],
    )
    assert told["truth"] is None  # it may go on, and who searches must not see


def test_the_libraries_of_the_page_are_the_files_their_list_says() -> None:
    folder = files("llmnas_mcp.reports").joinpath("page", "vendor")
    listed = folder.joinpath("README.md").read_text(encoding="utf-8")
    found = [file.name for file in folder.iterdir() if file.name.endswith(".js")]
    assert len(found) == 2
    for name in found:
        digest = hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest()
        assert f"`{name}` | " in listed
        assert f"`{digest}`" in listed
