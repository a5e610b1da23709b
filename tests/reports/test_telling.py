"""What the report tells, before it is a page: the values themselves, and the pictures beside it."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp.errors import NotFoundError
from llmnas_mcp.pareto import ranks_of
from llmnas_mcp.reports import html_report, plot_front
from llmnas_mcp.reports.telling import round_up, tell
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
        assert told["cost"][i] == pytest.approx(member.cost, rel=1e-5)
        assert told["score"][i] == pytest.approx(member.score, abs=1e-5)
        source, error = told["sources"][told["source"][i]]
        assert (source, error) == (
            member.cost_source,
            pytest.approx(handle.landscape.costs([member.genotype]).errors[0], rel=1e-5),
        )
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
    costs, scores = np.array(told["exact"]).T
    assert (np.diff(costs) > 0).all()
    assert (np.diff(scores) > 0).all()


def test_coverage_counts_every_member_once(searched: tuple[Laboratory, str]) -> None:
    lab, search_id = searched
    told, search = tell(lab, search_id)["coverage"], lab.get_search(search_id)
    assert sum(told["ranges"]) == search.used
    assert sum(told["space"]) == sum(niche.size for niche in search.niches)
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


@given(st.floats(1e-9, 1e9))
def test_a_limit_is_rounded_up_to_one_digit(value: float) -> None:
    limit = round_up(value)
    assert value <= limit * (1 + 1e-9)
    assert limit <= 2 * value * (1 + 1e-9)
    assert f"{limit:.0e}" == f"{limit:.12e}".replace("." + "0" * 12, "")


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


def test_the_libraries_of_the_page_are_the_files_their_list_says() -> None:
    folder = files("llmnas_mcp.reports").joinpath("page", "vendor")
    listed = folder.joinpath("README.md").read_text(encoding="utf-8")
    found = [file.name for file in folder.iterdir() if file.name.endswith(".js")]
    assert len(found) == 2
    for name in found:
        digest = hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest()
        assert f"`{name}` | " in listed
        assert f"`{digest}`" in listed
