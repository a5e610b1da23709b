"""Whole searches by hand: a round redone changes nothing, the budget is used to the last, limits hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmnas_mcp import results as r
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings


def evaluated(lab: Laboratory, search_id: str) -> dict[int, set[tuple[str, int, float, tuple[float, ...]]]]:
    """The members of each round, in whatever order they were kept."""
    rounds: dict[int, set[tuple[str, int, float, tuple[float, ...]]]] = {}
    for m in lab.members(search_id)[1]:
        rounds.setdefault(m.round, set()).add((m.architecture, m.niche, m.score, m.costs))
    return rounds


def test_the_same_seed_makes_the_same_search_and_another_seed_another(lab: Laboratory, hand: SimpleNamespace) -> None:
    ends = []
    for seed in (1, 1, 2):
        search_id = lab.start_search(device="raspi4", evaluations=90, seed=seed).search_id
        hand.play(lab, search_id)
        front = lab.compute_pareto_front(search_id)
        ends.append((evaluated(lab, search_id), front.front, front.hypervolume))
    assert ends[0] == ends[1]
    assert ends[0][1] != ends[2][1]
    assert all(ends[0][0][k] != ends[2][0][k] for k in ends[0][0])


@pytest.mark.thorough
def test_a_round_redone_changes_nothing(lab: Laboratory, hand: SimpleNamespace) -> None:
    search_id = lab.start_search(device="edgetpu", evaluations=90, seed=3).search_id

    def redo(niche: r.NicheInfo, round_: int, bred: r.Bred, _: r.Submission) -> None:
        before = hand.remembered(lab, search_id)
        again, submission = hand.work(lab, search_id, niche.niche, niche.share, round_)
        assert again.offspring == bred.offspring
        assert {s.status for s in submission.results} == {"duplicate"}
        assert hand.remembered(lab, search_id) == before

    assert hand.play(lab, search_id, after=redo).used == 90


@pytest.mark.thorough
def test_a_round_broken_off_and_begun_again_elsewhere_ends_the_same(
    lab: Laboratory, settings: Settings, hand: SimpleNamespace, tmp_path: Path
) -> None:
    asked = {"device": "pixel3", "evaluations": 80, "seed": 5}
    search_id = lab.start_search(**asked).search_id
    hand.play(lab, search_id, rounds=1)
    planned = [n for n in lab.get_search(search_id).niches if n.share]
    for niche in planned[:3]:
        hand.work(lab, search_id, niche.niche, niche.share, 2)
    # The process ends here; another one does the whole round as it was planned, then goes on.
    second = Laboratory(settings)
    for niche in planned:
        hand.work(second, search_id, niche.niche, niche.share, 2)
    hand.play(second, search_id)

    undisturbed = Laboratory(Settings(store=f"sqlite:///{tmp_path}/other.db", data=tmp_path))
    assert undisturbed.start_search(**asked).search_id == search_id
    hand.play(undisturbed, search_id)
    assert evaluated(second, search_id) == evaluated(undisturbed, search_id)
    assert second.compute_pareto_front(search_id) == undisturbed.compute_pareto_front(search_id)
    second.close()
    undisturbed.close()


@pytest.mark.parametrize("objective", ["latency", ["energy", "macs"]])
def test_niches_may_be_worked_in_any_order_and_at_once(lab: Laboratory, hand: SimpleNamespace, objective: Any) -> None:
    ends = []
    for order in ("up", "down", "at once"):
        search_id = lab.start_search(device="fpga", objective=objective, evaluations=80).search_id
        if order == "at once":
            while not (search := lab.get_search(search_id)).done:
                round_ = lab.get_brief(search_id, 0).round
                busy = [n for n in search.niches if n.share]
                with ThreadPoolExecutor(4) as pool:
                    list(pool.map(lambda n, k=round_, i=search_id: hand.work(lab, i, n.niche, n.share, k), busy))
        else:
            hand.play(lab, search_id, order=list if order == "up" else lambda niches: niches[::-1])
        front = lab.compute_pareto_front(search_id)
        ends.append((evaluated(lab, search_id), front.front, front.hypervolume))
    assert ends[0] == ends[1] == ends[2]


@pytest.mark.parametrize("evaluations", [1, 43, 100])
def test_the_budget_is_used_to_the_last_evaluation(lab: Laboratory, hand: SimpleNamespace, evaluations: int) -> None:
    search = hand.play(lab, lab.start_search(device="fpga", evaluations=evaluations).search_id)
    assert search.used == evaluations
    assert search.done
    assert search.next.endswith(f'is used: compute_pareto_front(search_id="{search.search_id}").')
    assert {n.share for n in search.niches} == {0}


def test_exhausted_niches_hand_on_their_share_until_all_is_evaluated(lab: Laboratory, hand: SimpleNamespace) -> None:
    limit = hand.cost_below("pixel3", 150)
    search_id = lab.start_search(
        device="pixel3", evaluations=1000, limits=Limits(latency=limit), niches=5, offspring=5
    ).search_id
    sizes = [n.size for n in lab.get_search(search_id).niches]
    assert len(sizes) == 5
    assert min(sizes) < 15 < max(sizes)  # some are exhausted before others
    rounds = []
    while not (search := lab.get_search(search_id)).done:
        left = sum(sizes) - search.used
        assert sum(n.share for n in search.niches) == min(5 * 5, left)
        assert all(n.share <= n.size - n.members for n in search.niches)
        rounds.append(hand.play(lab, search_id, rounds=1))
    assert [n.members for n in search.niches] == sizes
    assert search.used == sum(sizes) == 150
    assert len(rounds) == -(-sum(sizes) // 25)


def test_a_limit_of_rounds_ends_a_search_before_its_budget(lab: Laboratory, hand: SimpleNamespace) -> None:
    search = hand.play(lab, lab.start_search(device="fpga", rounds=2, niches=3, offspring=5).search_id)
    assert [h.round for h in search.history] == [1, 2]
    assert search.used == 30
    assert search.done


def test_the_history_tells_each_round_and_hypervolume_never_falls(lab: Laboratory, hand: SimpleNamespace) -> None:
    search = hand.play(lab, lab.start_search(device="raspi4", evaluations=100, niches=3, offspring=6).search_id)
    assert [h.round for h in search.history] == list(range(1, len(search.history) + 1))
    assert [h.evaluations for h in search.history] == [*range(18, 100, 18), 100]
    volumes = [h.hypervolume for h in search.history]
    assert volumes == sorted(volumes)
    assert 0 < volumes[0] < volumes[-1] == search.hypervolume < 1


def test_whoever_comes_later_goes_on_with_the_next_round(lab: Laboratory, hand: SimpleNamespace) -> None:
    search_id = lab.start_search(device="fpga").search_id
    hand.play(lab, search_id, rounds=2)
    bred = lab.breed_architectures(search_id, 1, 3)
    lab.submit_architectures(search_id, [o.architecture for o in bred.offspring], 1)
    assert {m.round for m in lab.members(search_id)[1]} == {1, 2, 3}
