"""Evaluating what a scientist submits: read, made canonical, checked against niche and limits, scored once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from llmnas_mcp.devices import ANYWHERE, NAMES
from llmnas_mcp.errors import ArchitectureError, UnscorableError
from llmnas_mcp.results import Origin, Submission, Submitted
from llmnas_mcp.scoring import Scores
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.members import Member
from llmnas_mcp.search.store import Store
from llmnas_mcp.search.views import costs_told
from llmnas_mcp.spaces import Genotype


@dataclass(frozen=True)
class _Candidate:
    """A submitted architecture as read; a `reason` means it is refused."""

    architecture: str
    genotype: Genotype | None = None
    niche: int | None = None
    params: int = 0
    costs: tuple[float, ...] | None = None  # None where it cannot run
    cost_sources: tuple[str, ...] = ()
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
    """Evaluate architectures in a search; `members` are those it has already. What comes next is left open.

    `progress` may raise to stop: what was scored until then stays in the search.
    """
    candidates = [_read(handle, architecture, niche) for architecture in architectures]
    known = {m.architecture: m for m in members}
    fresh: dict[str, int] = {}
    for i, c in enumerate(candidates):
        if c.reason is None and c.architecture not in known:
            fresh.setdefault(c.architecture, i)
    budget = handle.row["evaluations"]
    paid = dict(list(fresh.items())[: max(0, budget - len(members))])
    became: dict[str, str] = {}
    score_now = {a: m.score for a, m in known.items()}
    used = len(members)
    unscorable: dict[str, str] = {}
    for batch, found in _scored(handle, [candidates[i] for i in paid.values()], progress):
        if isinstance(found, UnscorableError):
            unscorable[batch[0].architecture] = str(found)
            continue
        rows = [
            {
                "architecture": c.architecture,
                "niche": c.niche,
                "round": round_,
                "score": float(score),
                "costs": c.costs,
                "params": c.params,
                "score_source": source,
                "cost_sources": c.cost_sources,
                "origin": (origins[paid[c.architecture]] if origins else Origin()).model_dump(),
            }
            for c, score, source in zip(batch, found.score, found.sources, strict=True)
        ]
        outcome, used = store.add_members(handle.search_id, rows, budget)
        became |= {c.architecture: what for c, what in zip(batch, outcome, strict=True)}
        score_now |= {c.architecture: float(score) for c, score in zip(batch, found.score, strict=True)}
        if "budget" in outcome:
            break  # others used it up meanwhile: nothing more need be measured
    results = []
    for i, c in enumerate(candidates):
        status, reason = "refused", c.reason
        if reason is None and c.architecture in known:
            status, reason = "duplicate", f"evaluated in round {known[c.architecture].round}"
        elif reason is None and c.architecture in unscorable:
            reason = unscorable[c.architecture]
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
                **(costs_told(handle, c.costs) if c.costs else {"cost": None, "unit": handle.units[0]}),
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
        return _Candidate(architecture[:1000], reason=str(error))
    name, costs = space.format(genotype), landscape.costs([genotype])
    params = int(landscape.params([genotype])[0])
    home = handle.home(params)
    runs = not np.isnan(costs.values).any()
    reason = None
    if not runs:
        reason = costs.reasons[0] or "it cannot run on the device"
    elif space.constant(genotype):
        reason = "its output does not depend on its input"
    elif over := _over(handle, genotype):
        reason = over
    elif niche is not None and home != niche:
        wanted = handle.niche(niche)
        reason = (
            f"{params / 1e6:.4f} M parameters belong to niche {home}; niche {niche} takes"
            f" {wanted.low / 1e6:.4f} to below {wanted.high / 1e6:.4f} M"
        )
    values = tuple(costs.values[0].tolist()) if runs else None
    return _Candidate(name, genotype, home, params, values, costs.sources[0], reason)


def _over(handle: SearchHandle, genotype: Genotype) -> str | None:
    """Which limit an architecture is over, if any."""
    for objective, limit in handle.limits.set.items():
        found = handle.landscape.cost([genotype], objective)
        value, error, unit = float(found.values[0]), float(found.errors[0]), found.unit
        if np.isnan(value):
            return found.reasons[0] or f"its {NAMES[objective]} cannot be told"
        if value > limit:
            what = "" if objective in handle.objectives else f" {NAMES[objective]}"
            is_over = "are over" if what and objective in ANYWHERE else "is over"
            unsure = f", by less than its error of {error:.1%}" if value * (1 - error) <= limit else ""
            return f"{value:.4g} {unit}{what} {is_over} the limit of {limit:g} {unit}{unsure}"
    return None


def _scored(
    handle: SearchHandle, candidates: Sequence[_Candidate], progress: Callable[[int, int], None] | None
) -> Iterator[tuple[Sequence[_Candidate], Scores | UnscorableError]]:
    """Candidates with their scores: all at once where they can be looked up, else each as soon as it is measured.

    So a submission that is stopped leaves what it finished. What is measured is told only when the next is asked for,
    that is, when it is in the store.
    """
    landscape = handle.landscape
    by_genotype = {c.genotype: c for c in candidates if c.genotype is not None}
    genotypes = list(by_genotype)
    if not genotypes:
        return
    if landscape.scored_at_once(genotypes):
        yield candidates, landscape.scores(genotypes)
        return
    with closing(landscape.scored(genotypes, progress)) as found:
        for genotype, scores in found:
            yield [by_genotype[genotype]], scores
