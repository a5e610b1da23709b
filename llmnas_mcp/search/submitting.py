"""Evaluating what a scientist submits: read, made canonical, checked against niche and limits, scored once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from llmnas_mcp.errors import ArchitectureError
from llmnas_mcp.results import Origin, Submission, Submitted
from llmnas_mcp.scoring import score_of
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.members import Member
from llmnas_mcp.search.store import Store
from llmnas_mcp.spaces import Genotype


@dataclass(frozen=True)
class _Candidate:
    """A submitted architecture as read; a `reason` means it is refused."""

    architecture: str
    genotype: Genotype | None = None
    niche: int | None = None
    params: int = 0
    cost: float | None = None
    cost_source: str = ""
    reason: str | None = None


def submit(
    handle: SearchHandle,
    store: Store,
    members: Sequence[Member],
    architectures: Sequence[str],
    origins: Sequence[Origin],
    niche: int | None,
    round_: int,
    progress: Callable[[int, int], None] | None,
) -> Submission:
    """Evaluate architectures in a search; `members` are those it has already. What comes next is left open."""
    candidates = [_read(handle, architecture, niche) for architecture in architectures]
    known = {m.architecture: m for m in members}
    fresh: dict[str, int] = {}
    for i, c in enumerate(candidates):
        if c.reason is None and c.architecture not in known:
            fresh.setdefault(c.architecture, i)
    budget = handle.row["evaluations"]
    paid = dict(list(fresh.items())[: max(0, budget - len(members))])
    scores, sources = _scores(handle, [candidates[i] for i in paid.values()], progress)
    rows = [
        {
            "architecture": architecture,
            "niche": candidates[i].niche,
            "round": round_,
            "score": score,
            "cost": candidates[i].cost,
            "params": candidates[i].params,
            "score_source": source,
            "cost_source": candidates[i].cost_source,
            "origin": (origins[i] if origins else Origin()).model_dump(),
        }
        for (architecture, i), score, source in zip(paid.items(), scores, sources, strict=True)
    ]
    outcome, used = store.add_members(handle.search_id, rows, budget)
    became = dict(zip(paid, outcome, strict=True))
    score_now = {**{a: m.score for a, m in known.items()}, **dict(zip(paid, scores, strict=True))}
    results = []
    for i, c in enumerate(candidates):
        status, reason = "refused", c.reason
        if reason is None and c.architecture in known:
            status, reason = "duplicate", f"evaluated in round {known[c.architecture].round}"
        elif reason is None and became.get(c.architecture, "budget") == "budget":
            reason = f"the budget of {budget} evaluations is used"
        elif reason is None and fresh[c.architecture] == i and became[c.architecture] == "kept":
            status = "kept"
        elif reason is None:
            status, reason = "duplicate", "submitted more than once"
        shown = status != "refused"
        results.append(
            Submitted(
                architecture=c.architecture,
                status=status,
                reason=reason,
                score=score_now[c.architecture] if shown else None,
                cost=c.cost,
                unit=handle.unit,
                niche=c.niche,
            )
        )
    return Submission(results=results, used=used, left=max(0, budget - used), next="")


def _read(handle: SearchHandle, architecture: str, niche: int | None) -> _Candidate:
    """Read one architecture and check it against the device, the limits and the niche asked for."""
    space, landscape = handle.space, handle.landscape
    try:
        genotype = space.canonical(space.parse(architecture))
    except ArchitectureError as error:
        return _Candidate(architecture[:400], reason=str(error))
    name, row = space.format(genotype), landscape.rows[genotype]
    params, cost = int(landscape.params[row]), float(landscape.costs.values[row])
    home = next((n.index for n in handle.niches if n.holds(params)), None)
    reason = None
    if np.isnan(cost):
        reason = landscape.costs.reasons[row] or "it cannot run on the device"
    elif handle.max_cost is not None and cost > handle.max_cost:
        reason = f"{cost:.4g} {handle.unit} is over the limit of {handle.max_cost:g} {handle.unit}"
    elif niche is not None and home != niche:
        wanted = handle.niche(niche)
        reason = (
            f"{params / 1e6:.4f} M parameters belong to niche {home}; niche {niche} takes"
            f" {wanted.low / 1e6:.4f} to below {wanted.high / 1e6:.4f} M"
        )
    return _Candidate(
        name, genotype, home, params, None if np.isnan(cost) else cost, landscape.costs.sources[row], reason
    )


def _scores(
    handle: SearchHandle, candidates: Sequence[_Candidate], progress: Callable[[int, int], None] | None
) -> tuple[list[float], tuple[str, ...]]:
    genotypes = [c.genotype for c in candidates if c.genotype is not None]
    if not genotypes:
        return [], ()
    landscape = handle.landscape
    found = score_of(handle.space, genotypes, dataset=landscape.dataset, data=landscape.data, progress=progress)
    return [float(s) for s in found.score], found.sources
