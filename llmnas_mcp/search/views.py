"""From what the store holds to what the laboratory answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, zip_longest
from typing import Any

from llmnas_mcp.devices import NAMES, UNITS
from llmnas_mcp.pareto import front_of
from llmnas_mcp.results import FrontPoint, Gap, MemberInfo
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.members import Member
from llmnas_mcp.search.mining import Effect
from llmnas_mcp.spaces import Genotype, Space, get_space


@lru_cache(maxsize=20_000)
def _genotype(space: str, architecture: str) -> Genotype:
    return get_space(space).parse(architecture)


def member_of(space: Space, row: dict[str, Any]) -> Member:
    """A member from its row in the store."""
    names = ("architecture", "niche", "round", "score", "params", "score_source")
    return Member(
        **{name: row[name] for name in names},
        costs=tuple(row["costs"]),
        cost_sources=tuple(row["cost_sources"]),
        genotype=_genotype(space.name, row["architecture"]),
    )


def costs_told(handle: SearchHandle, costs: Sequence[float]) -> dict[str, Any]:
    """Costs as answers have them: the first, its unit, and where there are two all by their names."""
    several = dict(zip(handle.objectives, costs, strict=True)) if len(costs) > 1 else {}
    return {"cost": costs[0], "unit": handle.units[0], "costs": several}


def member_info(handle: SearchHandle, member: Member) -> MemberInfo:
    """A member as the laboratory tells it."""
    return MemberInfo(
        architecture=member.architecture,
        niche=member.niche,
        round=member.round,
        score=member.score,
        **costs_told(handle, member.costs),
        source=source_of(member),
        params_m=member.params / 1e6,
    )


def source_of(member: Member) -> str:
    """Where a member's costs come from."""
    return ", ".join(dict.fromkeys(member.cost_sources))


def front_point(handle: SearchHandle, member: Member, *, near: bool) -> FrontPoint:
    """A member of a front, or near it, as the laboratory tells it."""
    told = {**member_info(handle, member).model_dump(exclude={"round", "costs"}), **costs_told(handle, member.costs)}
    return FrontPoint(**told, short=handle.space.short(member.genotype), near=near)


def brief_goal(handle: SearchHandle) -> str:
    """What a search is after, in one sentence."""
    limits, where = handle.limits.set, f" on {handle.row['device']}" if handle.row["device"] else ""
    counted = {"macs": "number of MACs", "params": "number of parameters"}
    aims = [
        f"a low {counted.get(name, name)}" + (f" of at most {limits[name]:g} {UNITS[name]}" if name in limits else "")
        for name in handle.objectives
    ]
    most = [f"at most {limits[n]:g} {UNITS[n]} {NAMES[n]}" for n in limits if n not in handle.objectives]
    having = f", with {' and '.join(most)}" if most else ""
    within = "; propose only within this niche's range of parameters" if len(handle.niches) > 1 else ""
    return (
        f"Architectures of {handle.space.name} for {handle.row['dataset']} with"
        f" {', '.join(['a high zero-cost score', *aims[:-1]])} and {aims[-1]}{where}{having}{within}."
    )


def gaps_of(handle: SearchHandle, members: Sequence[Member], most: int) -> list[Gap]:
    """The widest stretches of cost between neighbours on the members' front, widest first.

    Where there are two costs, of the front of the score and each of them alone, by turns.
    """
    of_each = []
    for column, objective in enumerate(handle.objectives):
        points = handle.points(members)[:, [column, -1]]
        front = [members[i] for i in front_of(points)]
        pairs = sorted(pairwise(front), key=lambda pair: pair[0].costs[column] - pair[1].costs[column])
        of_each.append(
            [
                Gap(
                    objective=objective,
                    cost_from=one.costs[column],
                    cost_to=other.costs[column],
                    score_from=one.score,
                    score_to=other.score,
                )
                for one, other in pairs
            ]
        )
    return [gap for turn in zip_longest(*of_each) for gap in turn if gap is not None][:most]


def statement_of(space: Space, effect: Effect) -> str:
    """An effect in words.

    >>> found = Effect({"0->3": "skip_connect"}, "cost", -0.5, -0.7, -0.3, 0.99, 4, ())
    >>> statement_of(get_space("nasbench201"), found)
    'skip_connect on 0->3 lowers cost'
    """
    where = " and ".join(space.say(position, word) for position, word in effect.pattern.items())
    return f"{where} {'raises' if effect.effect > 0 else 'lowers'} {effect.target}"
