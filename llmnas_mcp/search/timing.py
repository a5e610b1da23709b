"""Times on the owner's own devices: measured when asked for, and put in the place of what a model said of a member."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from llmnas_mcp import results as r
from llmnas_mcp.devices.own import (
    HOST,
    fingerprint_id,
    held,
    keep,
    measured_costs,
    measured_errors,
    own_device,
    own_devices,
    times_of,
)
from llmnas_mcp.errors import LabError
from llmnas_mcp.measuring.campaign import TOGETHER, changed, warnings_of
from llmnas_mcp.measuring.session import measure
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.instruments import dataset_for, query_cost, read_all
from llmnas_mcp.search.members import Member
from llmnas_mcp.spaces import get_space

MOST_TIMED = 50


def measure_latency(
    architectures: Sequence[str],
    *,
    device: str,
    space: str,
    dataset: str | None,
    data: Path,
    progress: Callable[[int, int, str], None],
) -> r.Costs:
    """Time architectures on an own device, and keep the times; what was timed before is not timed again.

    progress(done, total, what is done now). Of those that could not be measured the reason is told. Raises LabError for
    more than MOST_TIMED, and for a device that is no own one, cannot be reached or goes away.
    """
    if len(architectures) > MOST_TIMED:
        raise LabError(
            f"{len(architectures)} architectures take too long to time in one call: send at most {MOST_TIMED}."
        )
    where, own = get_space(space), own_device(device, data)
    shape = dataset_for(where, dataset, data)
    asked = dict.fromkeys(read_all(where, architectures))
    refused, doubts = dict[str, str](), list[str]()
    with held(device, data):
        known = measured_costs(device, where.name, shape.name, "latency", data)
        todo = [genotype for genotype in asked if genotype not in known]
        for start in range(0, len(todo), TOGETHER):
            done = len(asked) - len(todo) + start

            def step(what: str, done: int = done) -> None:
                progress(done, len(asked), what)

            session = measure(own, where, todo[start : start + TOGETHER], shape, step)
            earlier = times_of(device, data)
            if earlier and earlier[-1].fingerprint != fingerprint_id(session.fingerprint):
                raise LabError(
                    f"{device} is not what it was ({changed(own, earlier[-1], session, data)}), and its earlier times"
                    f" would no longer count. Measure it again: llmnas device measure {device} --space {where.name}"
                    f" --dataset {shape.name}"
                )
            keep(session.measured, session.fingerprint, device, data, session.energy)
            if session.lost:
                raise session.lost
            refused |= {where.format(genotype): reason for genotype, reason in session.refused.items()}
            doubts += warnings_of(session)
    told = query_cost(architectures, space=space, dataset=shape.name, device=device, objective="latency", data=data)
    return r.Costs(
        results=[
            cost if cost.source.startswith(HOST) else cost.model_copy(update={"reason": reason})
            for cost in told.results
            for reason in [refused.get(where.format(where.parse(cost.architecture)), cost.reason)]
        ],
        warnings=list(dict.fromkeys(doubts)),
    )


def with_measured(handle: SearchHandle, members: Sequence[Member], data: Path) -> list[Member]:
    """The members, with what was measured since on the search's own device in the place of what its model said."""
    device = handle.row["device"]
    if not members or device is None or device not in own_devices(data):
        return list(members)
    where = (device, handle.space.name, handle.row["dataset"])
    of_each = [measured_costs(*where, objective, data) for objective in handle.objectives]
    errors = measured_errors(*where, data)

    def seen(member: Member) -> Member:
        known = [table.get(member.genotype) for table in of_each]
        pairs = list(zip(known, member.costs, member.cost_sources, strict=True))
        return replace(
            member,
            costs=tuple(cost if value is None else value for value, cost, _ in pairs),
            cost_sources=tuple(source if value is None else f"{HOST}{device}" for value, _, source in pairs),
            repeats=errors.get(member.genotype),
        )

    return [seen(member) for member in members]
