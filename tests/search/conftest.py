"""Tools of the tests of searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from llmnas_mcp import results as r
from llmnas_mcp.devices import cost_of
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import DATASETS, Space, get_space
from llmnas_mcp.spaces.reference import reference_of

CONTENT = {"statement", "pattern", "target", "effect", "confidence", "evidence"}


@pytest.fixture(scope="session")
def space() -> Space:
    return get_space("nasbench201")


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """A laboratory for properties: every example starts a search of its own in it."""
    folder = tmp_path_factory.mktemp("shared")
    laboratory = Laboratory(Settings(store=f"sqlite:///{folder}/llmnas.db", data=folder / "tables"))
    yield laboratory
    laboratory.close()


def edits_for(rules: Sequence[r.Rule], effects: Sequence[r.Effect]) -> list[r.RuleEdit]:
    """The edits that make the rules say what the effects say."""
    known = {rule.statement: rule.rule_id for rule in rules}
    found = {effect.statement: effect.model_dump(include=CONTENT) for effect in effects}
    edits = [
        r.RuleEdit(action="revise", rule_id=known[s], **content) if s in known else r.RuleEdit(action="add", **content)
        for s, content in found.items()
    ]
    return edits + [r.RuleEdit(action="retire", rule_id=known[s]) for s in known if s not in found]


def work(lab: Laboratory, search_id: str, niche: int, share: int, round_: int) -> tuple[r.Bred, r.Submission]:
    """One round of one niche: mine, update, breed, submit."""
    effects = lab.mine_rules(search_id, niche, round_).effects
    rules = lab.get_brief(search_id, niche).rules
    lab.update_knowledge_base(search_id, niche, edits_for(rules, effects), author="test", round_=round_)
    bred = lab.breed_architectures(search_id, niche, share, round_)
    return bred, lab.submit_architectures(
        search_id,
        [o.architecture for o in bred.offspring],
        niche,
        origins=[o.origin for o in bred.offspring],
        round_=round_,
    )


def play(
    lab: Laboratory,
    search_id: str,
    *,
    rounds: int = 10_000,
    order: Callable[[list[r.NicheInfo]], list[r.NicheInfo]] = list,
    after: Callable[[r.NicheInfo, int, r.Bred, r.Submission], None] = lambda *_: None,
) -> r.Search:
    """A search by hand, to its end or for some rounds; the niches of a round are worked in `order`."""
    for _ in range(rounds):
        search = lab.get_search(search_id)
        if search.done:
            break
        round_ = 1 + (search.history[-1].round if search.history else 0)  # a niche without a share skips rounds
        for niche in order([n for n in search.niches if n.share]):
            after(niche, round_, *work(lab, search_id, niche.niche, niche.share, round_))
    return lab.get_search(search_id)


@cache
def costs_on(device: str, dataset: str) -> NDArray[np.float64]:
    """What every candidate that runs on a device takes there, rising."""
    space = get_space("nasbench201")
    cells = reference_of(space, DATASETS["cifar10"]).genotypes
    costs = cost_of(space, cells, device=device, dataset=dataset, objective="latency", data=Path("nowhere"))
    return np.sort(costs.values[np.isfinite(costs.values)])


def cost_below(device: str, count: int, dataset: str = "cifar10") -> float:
    """A limit within which `count` architectures run on the device, or a few more where costs are equal."""
    costs = costs_on(device, dataset)
    return float(costs[min(count, len(costs)) - 1])


def remembered(lab: Laboratory, search_id: str) -> tuple[list[dict[str, object]], list[r.Rule], r.Front]:
    """All that a search has led to."""
    return lab.store.members(search_id), lab.knowledge_history(search_id), lab.compute_pareto_front(search_id)


@pytest.fixture(scope="session")
def hand() -> SimpleNamespace:
    """What a scientist does by hand."""
    return SimpleNamespace(play=play, work=work, cost_below=cost_below, remembered=remembered)
