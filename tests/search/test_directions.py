"""What a scientist is told to do next, in every state of a search."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from llmnas_mcp.errors import LabError
from llmnas_mcp.results import RuleEdit
from llmnas_mcp.search import fronts
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.service import Laboratory

WRONG = RuleEdit(action="retire", rule_id="9.9")
RIGHT = RuleEdit(action="add", statement="skip helps", pattern={"0->3": "skip_connect"}, effect=0.1)


def begin(lab: Laboratory, **more: int) -> str:
    """A search of three niches; the largest has a share of 1 in the first rounds."""
    return lab.start_search(device="raspi4", niches=3, **{"evaluations": 36, "offspring": 4, **more}).search_id


def submit(lab: Laboratory, search_id: str, niche: int, count: int) -> str:
    """Submit so many bred ones in the round under way; returns what comes next."""
    bred = [o.architecture for o in lab.breed_architectures(search_id, niche, count).offspring]
    return lab.submit_architectures(search_id, bred, niche).next


def finish(lab: Laboratory, search_id: str) -> None:
    """Use what every niche has left of the round under way."""
    for niche in range(len(lab.get_search(search_id).niches)):
        if left := lab.get_brief(search_id, niche).share:
            submit(lab, search_id, niche, left)


def test_a_new_search_names_its_first_niche_and_those_after_it_with_their_shares(lab: Laboratory) -> None:
    search_id = begin(lab)
    first = (
        f'Round 1: get_brief(search_id="{search_id}", niche=0), share 6. After it niche 1 (share 5), niche 2 (share 1).'
    )
    assert lab.get_search(search_id).next == first
    assert lab.compute_pareto_front(search_id).next == f"Nothing is evaluated yet. {first}"


def test_a_niche_without_results_is_first_looked_around_in(lab: Laboratory) -> None:
    search_id = begin(lab)
    where = f'search_id="{search_id}", niche=0'
    look = f"breed_architectures({where}, count=6)"
    take = f"submit_architectures({where}, architectures=..., origins=...) takes 6."
    brief, mined = lab.get_brief(search_id, 0).next, lab.mine_rules(search_id, 0).next
    assert brief.startswith(look)
    assert brief.endswith(take)
    assert mined.startswith("Nothing to mine in 0 results (at least 6 are needed")
    assert f"{look} offers some. {take}" in mined


def test_a_niche_with_results_goes_from_statistics_by_rules_and_designs_to_the_next_niche(lab: Laboratory) -> None:
    search_id = begin(lab)
    finish(lab, search_id)
    where = f'search_id="{search_id}", niche=0'
    share = lab.get_brief(search_id, 0).share
    rules = f"update_knowledge_base({where}, edits=...)"
    assert lab.get_brief(search_id, 0).next.startswith(f"mine_rules({where})")
    assert lab.mine_rules(search_id, 0).next.startswith(rules)
    breed = f"breed_architectures({where}, count={share})"
    assert lab.update_knowledge_base(search_id, 0, [RIGHT]).next.startswith(breed)
    take = f"submit_architectures({where}, architectures=..., origins=...) takes {share}."
    assert lab.breed_architectures(search_id, 0, share).next.startswith(take)
    assert submit(lab, search_id, 0, share).startswith(f'Round 2: get_brief(search_id="{search_id}", niche=1)')


def test_refused_edits_are_sent_again_before_anything_else(lab: Laboratory) -> None:
    search_id = begin(lab)
    told = lab.update_knowledge_base(search_id, 1, [WRONG, RIGHT, WRONG]).next
    assert told.startswith("Refused edits: 2.")
    assert told.index(f'update_knowledge_base(search_id="{search_id}", niche=1') < told.index("breed_architectures")


def test_what_is_not_kept_is_made_up_for_in_the_same_niche_and_round(lab: Laboratory) -> None:
    search_id = begin(lab)
    bred = [o.architecture for o in lab.breed_architectures(search_id, 0, 6).offspring]
    where = f'search_id="{search_id}", niche=0'
    nothing = lab.submit_architectures(search_id, ["no cell"], 0)
    assert nothing.next.startswith("Nothing was kept: each result says why. Niche 0 has 6 left of its share.")
    part = lab.submit_architectures(search_id, bred[:4], 0)
    assert part.next.startswith(f"Niche 0 has 2 left of its share. breed_architectures({where}, count=2)")
    again = lab.submit_architectures(search_id, bred[:4], 0)
    assert again.next == f"Nothing was kept: each result says why. {part.next}"
    assert (lab.get_brief(search_id, 0).round, lab.get_brief(search_id, 0).share) == (1, 2)
    submit(lab, search_id, 0, 2)
    assert [m.round for m in lab.members(search_id)[1]] == [1] * 6


def test_a_niche_that_is_done_points_to_the_next_of_the_round_whatever_it_is_asked(lab: Laboratory) -> None:
    search_id = begin(lab)
    told = submit(lab, search_id, 0, 6)
    assert told.startswith(f'Round 1: get_brief(search_id="{search_id}", niche=1), share 5.')
    after = f"Nothing is left to do in niche 0 in this round. {told}"
    assert (lab.get_brief(search_id, 0).round, lab.get_brief(search_id, 0).share) == (1, 0)
    assert lab.get_brief(search_id, 0).next == after
    assert lab.breed_architectures(search_id, 0, 3).next == after
    assert lab.update_knowledge_base(search_id, 0, [RIGHT]).next == after
    assert lab.get_search(search_id).next == f"{told} (The shares above are a forecast of round 2.)"
    assert submit(lab, search_id, 0, 2) == told  # more than its share: it counts, and the others keep theirs
    assert {m.round for m in lab.members(search_id)[1]} == {1}


def test_a_round_that_is_complete_is_looked_at_before_the_next(lab: Laboratory) -> None:
    search_id = begin(lab)
    submit(lab, search_id, 0, 6)
    submit(lab, search_id, 1, 5)
    assert submit(lab, search_id, 2, 1) == f'Round 1 is complete: get_search(search_id="{search_id}").'
    search = lab.get_search(search_id)
    assert search.next.startswith(
        f'Round 2: get_brief(search_id="{search_id}", niche=0), share {search.niches[0].share}.'
    )
    assert "forecast" not in search.next
    assert [lab.get_brief(search_id, k).share for k in range(3)] == [n.share for n in search.niches]


@pytest.mark.parametrize("limit", [{"evaluations": 30}, {"rounds": 2}])
def test_a_search_at_its_limit_points_to_its_front_whatever_is_asked(lab: Laboratory, limit: dict[str, int]) -> None:
    search_id = begin(lab, **limit)
    rounds = 0
    while not lab.get_search(search_id).done:
        finish(lab, search_id)
        rounds += 1
    used = limit.get("evaluations", 24)
    assert (rounds, lab.get_search(search_id).used) == (3 if used == 30 else 2, used)
    over = f'The budget of {used} evaluations is used: compute_pareto_front(search_id="{search_id}").'
    assert lab.get_search(search_id).next == lab.get_brief(search_id, 0).next == over
    assert (
        lab.breed_architectures(search_id, 1, 2).next == lab.update_knowledge_base(search_id, 2, [RIGHT]).next == over
    )
    assert submit(lab, search_id, 0, 2) == f"Nothing was kept: each result says why. {over}"
    front = lab.compute_pareto_front(search_id).next
    assert front.startswith(f'plot_pareto_front(search_id="{search_id}") draws it. export_architecture(')
    assert 'dataset="cifar10"' in front


def test_a_space_that_is_searched_whole_points_to_the_front(lab: Laboratory, hand: SimpleNamespace) -> None:
    limit = hand.cost_below("raspi4", 20)
    search_id = lab.start_search(device="raspi4", niches=2, limits=Limits(latency=limit), offspring=4).search_id
    finish(lab, search_id)
    told = lab.breed_architectures(search_id, 0, 12)
    assert told.next.startswith(f"No more than {len(told.offspring)} are untried. submit_architectures(")
    while not lab.get_search(search_id).done:
        finish(lab, search_id)
    over = f'Every architecture within the limits is evaluated: compute_pareto_front(search_id="{search_id}").'
    assert lab.get_search(search_id).next == over
    assert lab.get_brief(search_id, 1).next == over
    assert lab.breed_architectures(search_id, 0, 1).next == (
        f"Every architecture of niche 0 that can run is evaluated. {over}"
    )


def test_a_front_looked_at_early_says_how_to_go_on_and_how_to_end(lab: Laboratory) -> None:
    search_id = begin(lab)
    after = submit(lab, search_id, 0, 6)
    told = lab.compute_pareto_front(search_id).next
    assert told.startswith(f"This is the front so far. {after} To end here: plot_pareto_front(")


def test_a_front_that_was_cut_says_where_the_rest_is(lab: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fronts, "MOST_POINTS", 2)
    search_id = begin(lab, evaluations=12)
    finish(lab, search_id)
    front = lab.compute_pareto_front(search_id)
    assert (len(front.front), front.truncated) == (2, True)
    assert front.next.startswith(f'Cut: list_niche_members(search_id="{search_id}", sort="front", limit=200) has all')
    points = [fronts.Point(architecture=str(i), score=i / 3, cost=i) for i in range(3)]
    assert fronts.front_of_points(points).next == "Cut to 2 of 3 points."
    assert fronts.front_of_points(points[1:]).next == "These are all."


def test_a_rule_base_changed_meanwhile_is_to_be_read_again(lab: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    search_id = begin(lab)
    monkeypatch.setattr(lab.store, "add_rules", lambda *_: False)
    with pytest.raises(LabError, match=rf'changed by someone else.*: get_brief\(search_id="{search_id}", niche=1\)\.$'):
        lab.update_knowledge_base(search_id, 1, [RIGHT])


def test_searches_listed_point_to_the_newest_and_to_the_next_page(lab: Laboratory) -> None:
    assert lab.list_searches().next == "start_search(device=...)"
    ids = [begin(lab, seed=seed) for seed in range(3)]
    assert lab.list_searches().next == f'get_search(search_id="{ids[2]}")'
    assert lab.list_searches(2).next == f'get_search(search_id="{ids[2]}"), list_searches(limit=2, offset=2)'
    assert lab.list_searches(2, 2).next == f'get_search(search_id="{ids[0]}")'
    assert lab.list_searches(2, 4).next == "list_searches()"


def test_a_share_is_no_larger_than_what_one_call_takes(lab: Laboratory) -> None:
    search_id = begin(lab, evaluations=4000, offspring=1000)
    brief = lab.get_brief(search_id, 0)
    assert brief.share == 1000
    assert "count=1000)" in brief.next
    assert brief.next.endswith("takes 1000.")
