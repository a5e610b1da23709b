"""From what the store holds to what the laboratory answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from llmnas_mcp.results import FrontPoint, Gap, MemberInfo
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.members import Member, Scale, front_members
from llmnas_mcp.search.mining import Effect
from llmnas_mcp.spaces import Genotype, Space, get_space


@lru_cache(maxsize=20_000)
def _genotype(space: str, architecture: str) -> Genotype:
    return get_space(space).parse(architecture)


def member_of(space: Space, row: dict[str, Any]) -> Member:
    """A member from its row in the store."""
    names = ("architecture", "niche", "round", "score", "cost", "params", "score_source", "cost_source")
    return Member(**{name: row[name] for name in names}, genotype=_genotype(space.name, row["architecture"]))


def member_info(member: Member, unit: str) -> MemberInfo:
    """A member as the laboratory tells it."""
    return MemberInfo(
        architecture=member.architecture,
        niche=member.niche,
        round=member.round,
        score=member.score,
        cost=member.cost,
        unit=unit,
        source=member.cost_source,
        params_m=member.params / 1e6,
    )


def front_point(space: Space, member: Member, unit: str, *, near: bool) -> FrontPoint:
    """A member of a front, or near it, as the laboratory tells it."""
    told = member_info(member, unit).model_dump(exclude={"round"})
    return FrontPoint(**told, short=space.short(member.genotype), near=near)


def brief_goal(handle: SearchHandle) -> str:
    """What a search is after, in one sentence."""
    limits = handle.limits
    limit = "" if limits.cost is None else f" of at most {limits.cost:g} {handle.unit}"
    where = f" on {handle.row['device']}" if handle.row["device"] else ""
    also = [(limits.macs, "MACs"), (limits.params, "parameters")]
    most = [f"at most {value:g} M {name}" for value, name in also if value is not None]
    having = f", with {' and '.join(most)}" if most else ""
    within = "; propose only within this niche's range of parameters" if len(handle.niches) > 1 else ""
    objective = {"macs": "number of MACs", "params": "number of parameters"}.get(handle.row["objective"])
    return (
        f"Architectures of {handle.space.name} for {handle.row['dataset']} with a high zero-cost score and a low"
        f" {objective or handle.row['objective']}{limit}{where}{having}{within}."
    )


def gaps_of(members: Sequence[Member], scale: Scale, most: int) -> list[Gap]:
    """The widest stretches of cost between neighbours on the members' front, widest first."""
    front = front_members(members, scale)
    pairs = sorted(pairwise(front), key=lambda pair: pair[0].cost - pair[1].cost)
    return [
        Gap(cost_from=one.cost, cost_to=other.cost, score_from=one.score, score_to=other.score)
        for one, other in pairs[:most]
    ]


def statement_of(effect: Effect) -> str:
    """An effect in words.

    >>> statement_of(Effect({"0->3": "skip_connect"}, "cost", -0.5, -0.7, -0.3, 0.99, 4, ()))
    'skip_connect on 0->3 lowers cost'
    """
    where = " and ".join(f"{operation} on {position}" for position, operation in effect.pattern.items())
    return f"{where} {'raises' if effect.effect > 0 else 'lowers'} {effect.target}"
