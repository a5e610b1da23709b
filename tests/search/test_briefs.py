"""What a scientist reads: briefs and pages of members."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest

from llmnas_mcp.results import MemberInfo, RuleEdit
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.service import Laboratory


@pytest.fixture(scope="module")
def search_id(shared_lab: Laboratory, hand: SimpleNamespace) -> str:
    """A search of three niches after some rounds."""
    started = shared_lab.start_search(device="fpga", niches=3, offspring=8, evaluations=100, limits=Limits(latency=7))
    hand.play(shared_lab, started.search_id, rounds=3)
    return str(started.search_id)


def members(shared_lab: Laboratory, search_id: str, niche: int | None = None) -> list[MemberInfo]:
    return shared_lab.list_niche_members(search_id, niche, sort="newest", limit=1000).members


def front(found: list[MemberInfo]) -> list[MemberInfo]:
    """Those that none beats in score and cost, by rising cost."""
    return sorted(
        (
            m
            for m in found
            if not any(
                o.score >= m.score and o.cost <= m.cost and (o.score, o.cost) != (m.score, m.cost) for o in found
            )
        ),
        key=lambda m: m.cost,
    )


def test_the_brief_of_a_new_niche_has_its_limits_and_nothing_yet(shared_lab: Laboratory) -> None:
    started = shared_lab.start_search(device="raspi4", niches=3, limits=Limits(latency=20))
    brief = shared_lab.get_brief(started.search_id, 1)
    info = started.niches[1]
    assert (brief.params_low_m, brief.params_high_m) == (info.params_low_m, info.params_high_m)
    assert (brief.untried, brief.share) == (info.size, info.share)
    assert (brief.limits, brief.objectives, brief.units, brief.round) == ({"latency": 20}, ["latency"], ["ms"], 1)
    assert "at most 20 ms on raspi4" in brief.goal
    assert brief.parents == brief.gaps == brief.rules == brief.tried == []
    (choice,) = brief.choices
    assert choice.values[3] == "nor_conv_3x3"
    assert choice.positions[0] == "0->1"


@pytest.mark.parametrize("niche", range(3))
def test_the_brief_counts_what_is_left_to_try(shared_lab: Laboratory, search_id: str, niche: int) -> None:
    info = shared_lab.get_search(search_id).niches[niche]
    brief = shared_lab.get_brief(search_id, niche)
    assert info.members == len(members(shared_lab, search_id, niche)) > 0
    assert brief.untried == info.size - info.members
    assert brief.share == info.share
    assert brief.round == 4


@pytest.mark.parametrize("niche", range(2))
def test_the_parents_are_members_of_the_niche_its_front_first(
    shared_lab: Laboratory, search_id: str, niche: int
) -> None:
    own = members(shared_lab, search_id, niche)
    parents = shared_lab.get_brief(search_id, niche).parents
    assert len(parents) == min(12, len(own))
    assert all(parent in own for parent in parents)
    best = front(own)
    assert len(best) > 1
    assert {p.architecture for p in parents[: len(best)]} == {m.architecture for m in best}


@pytest.mark.parametrize("niche", range(2))
def test_the_gaps_are_the_widest_steps_of_cost_along_the_niches_front(
    shared_lab: Laboratory, search_id: str, niche: int
) -> None:
    steps = list(pairwise(front(members(shared_lab, search_id, niche))))
    assert steps
    gaps = [(g.cost_from, g.cost_to, g.score_from, g.score_to) for g in shared_lab.get_brief(search_id, niche).gaps]
    widest = sorted(steps, key=lambda s: s[0].cost - s[1].cost)[:5]
    assert gaps == [(a.cost, b.cost, a.score, b.score) for a, b in widest]


def test_the_last_tried_are_the_niches_newest_members(shared_lab: Laboratory, search_id: str) -> None:
    newest = [m.architecture for m in members(shared_lab, search_id, 0)]
    assert shared_lab.get_brief(search_id, 0).tried == newest[:20][::-1]


def test_the_brief_before_a_round_stays_what_it_was_while_the_round_goes_on(
    lab: Laboratory, hand: SimpleNamespace
) -> None:
    name = lab.start_search(device="fpga", niches=2, seed=3).search_id
    hand.play(lab, name, rounds=2)
    before = lab.get_brief(name, 0, round_=3)
    now = {"round", "share", "next"}
    assert before == lab.get_brief(name, 0)
    hand.play(lab, name, rounds=1)
    rule = before.rules[0]
    lab.update_knowledge_base(name, 0, [RuleEdit(action="retire", rule_id=rule.rule_id)], round_=3)
    assert lab.get_brief(name, 0, round_=3).model_dump(exclude=now) == before.model_dump(exclude=now)
    after = lab.get_brief(name, 0)
    assert after.parents != before.parents
    assert rule.rule_id not in {r.rule_id for r in after.rules}


def test_members_are_sorted_as_asked(shared_lab: Laboratory, search_id: str) -> None:
    newest = members(shared_lab, search_id)

    def by(sort: str) -> list[MemberInfo]:
        found = shared_lab.list_niche_members(search_id, sort=sort, limit=1000).members
        assert sorted(m.architecture for m in found) == sorted(m.architecture for m in newest)
        return found

    assert [m.architecture for m in newest] == [m.architecture for m in shared_lab.members(search_id)[1]][::-1]
    scores, costs = [m.score for m in by("score")], [m.cost for m in by("cost")]
    assert scores == sorted(scores, reverse=True)
    assert costs == sorted(costs)
    best = front(newest)
    assert {m.architecture for m in by("front")[: len(best)]} == {m.architecture for m in best}


@pytest.mark.parametrize("niche", [None, 0])
@pytest.mark.parametrize("sort", ["front", "score", "cost", "newest"])
def test_pages_together_are_the_whole_list(
    shared_lab: Laboratory, search_id: str, niche: int | None, sort: str
) -> None:
    whole = shared_lab.list_niche_members(search_id, niche, sort=sort, limit=1000)
    assert (whole.total, whole.truncated, whole.next) == (len(whole.members), False, None)
    pages, offset = [], 0
    while True:
        page = shared_lab.list_niche_members(search_id, niche, sort=sort, limit=7, offset=offset)
        pages += page.members
        offset += 7
        assert page.total == whole.total
        assert page.truncated == (offset < whole.total)
        assert (page.next is not None) == page.truncated
        if page.next:
            where = f'search_id="{search_id}"' + ("" if niche is None else f", niche={niche}")
            assert page.next == f'list_niche_members({where}, sort="{sort}", limit=7, offset={offset})'
        if not page.truncated:
            break
    assert pages == whole.members


def test_beyond_the_last_member_there_is_an_empty_page(shared_lab: Laboratory, search_id: str) -> None:
    page = shared_lab.list_niche_members(search_id, offset=10_000)
    assert (page.members, page.truncated, page.next) == ([], False, None)


def test_a_list_can_be_of_one_niche(shared_lab: Laboratory, search_id: str) -> None:
    assert {m.niche for m in members(shared_lab, search_id, 2)} == {2}
    assert sum(len(members(shared_lab, search_id, niche)) for niche in range(3)) == len(members(shared_lab, search_id))
