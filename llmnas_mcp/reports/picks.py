"""Which network to take, by all that may be known of it: the one place where accuracies meet what searches found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from llmnas_mcp import results as r
from llmnas_mcp.benchmarks import accuracy_of as benchmarked
from llmnas_mcp.errors import DataError
from llmnas_mcp.pareto import front_of
from llmnas_mcp.reports.truth import may_be_judged
from llmnas_mcp.search.fronts import MOST_POINTS
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.landscape import NO_LIMITS, Limits
from llmnas_mcp.search.learning import LEAST_TRAINED, learn, longest_of
from llmnas_mcp.search.members import Member
from llmnas_mcp.search.picking import TOP, Known, recommend
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.search.store import Store
from llmnas_mcp.search.trained import trained_of, trainings_of
from llmnas_mcp.search.views import costs_told
from llmnas_mcp.training import Trained


def accuracy_of(store: Store, handle: SearchHandle, members: Sequence[Member]) -> list[Known | None]:
    """What is known of each member's accuracy, by the best grade of truth there is; None where only its score is.

    Trained: by `llmnas train`, or where nothing was, a value of a table that the laboratory's owner imported. Learned:
    from LEAST_TRAINED or more such trainings, with its error. Estimated: by a fitted model, with its error. A training
    counts where another can be compared with it: of one network alone it says nothing about which to take. Tables and
    estimates are told of a search that is done, as `truth_of` has it, for who searches must not see them. All values of
    one grade can be compared with each other.
    """
    told = _benchmarked(handle, members)
    data = _trained_on(store, handle, members)
    if data is None:
        return told
    own = _trained(store, handle, members, data)
    if sum(mine is not None for mine in own) < 2:
        return told
    learned = _learned(store, handle, members, data)
    # What a table says is of another training than ours, and an estimate for other images of another task.
    alike = data == handle.landscape.dataset.name
    estimated = [other if alike and other and other.grade != "trained" else None for other in told]
    return [mine or guess or other for mine, guess, other in zip(own, learned, estimated, strict=True)]


def _trained_on(store: Store, handle: SearchHandle, members: Sequence[Member]) -> str | None:
    """The data that trainings of members are compared on: the search's own, or where none was trained on it, the most
    used.

    Who searches with what is known of CIFAR-10 trains for images of their own.
    """
    genotypes = [m.genotype for m in members]
    if any(trained_of(store, handle.space, handle.landscape.dataset.name, genotypes)):
        return handle.landscape.dataset.name
    others = Counter(record.data for record in trained_of(store, handle.space, None, genotypes) if record)
    return others.most_common(1)[0][0] if others else None


def _trained(store: Store, handle: SearchHandle, members: Sequence[Member], data: str) -> list[Known | None]:
    """Validation accuracies of the members that were trained the longest."""
    found = trained_of(store, handle.space, data, [m.genotype for m in members])
    longest = max((record.of_epochs, record.epochs) for record in found if record)
    return [_known_by(record) if record and (record.of_epochs, record.epochs) == longest else None for record in found]


def _known_by(record: Trained) -> Known:
    """The accuracy that a training showed on held-out images."""
    of = f" of {record.of_epochs}" if record.epochs < record.of_epochs else ""
    return Known(record.valid, "trained", f"own training on {record.data}, {record.epochs}{of} epochs")


def _learned(store: Store, handle: SearchHandle, members: Sequence[Member], data: str) -> list[Known | None]:
    """Accuracies of all members, learned from those that were trained, where enough were."""
    scores = {handle.space.canonical(m.genotype): m.score for m in members}
    group = [
        (genotype, record)
        for record in longest_of(trainings_of(store, handle.space, data))
        if (genotype := handle.space.parse(record.architecture)) in scores
    ]
    if len(group) < LEAST_TRAINED:
        return [None] * len(members)
    genotypes, records = zip(*group, strict=True)
    values, error = learn(
        *(handle.space, handle.landscape.dataset, genotypes, np.array([record.valid for record in records])),
        *(np.array([scores[genotype] for genotype in genotypes]), list(scores), np.array(list(scores.values()))),
    )
    source = f"from {len(records)} own trainings on {data}, {records[0].epochs} epochs"
    found = dict(zip(scores, values.tolist(), strict=True))
    return [Known(found[handle.space.canonical(m.genotype)], "learned", source, error) for m in members]


def _benchmarked(handle: SearchHandle, members: Sequence[Member]) -> list[Known | None]:
    if not may_be_judged(handle, members):
        return [None] * len(members)
    where = handle.landscape
    try:
        found = benchmarked(handle.space, [m.genotype for m in members], dataset=where.dataset.name, data=where.data)
    except DataError:
        return [None] * len(members)
    rows = zip(found.values.tolist(), found.sources, found.errors.tolist(), strict=True)
    return [None if np.isnan(value) else _known(value, source, error) for value, source, error in rows]


def _known(value: float, source: str, error: float) -> Known:
    if source.startswith("table:"):
        return Known(value, "trained", source)
    return Known(value, "estimated", source, None if np.isnan(error) else error)


def to_train(handle: SearchHandle, members: Sequence[Member], top: int) -> list[str]:
    """The architectures to train of a search: what to take of it, and others that differ.

    What own trainings showed does not count, so that a command that was broken off chooses the same ones again.
    """
    return [pick.architecture for pick in recommend(handle, members, _benchmarked(handle, members), top=top).picks]


def trained_front(handle: SearchHandle, members: Sequence[Member], known: Sequence[Known | None]) -> list[int]:
    """Which of the members that were trained no other beats in accuracy and costs: their rows, by rising first cost.

    known: as of `accuracy_of`, so only of what can be compared.
    """
    rows = [row for row, its in enumerate(known) if its and its.grade == "trained"]
    points = [[*members[row].costs, -its.value] for row in rows if (its := known[row])]
    return [rows[i] for i in front_of(np.reshape(points, (len(rows), len(handle.objectives) + 1)))]


def beside(
    store: Store, handle: SearchHandle, members: Sequence[Member], known: Sequence[Known | None]
) -> list[Known | None]:
    """What to tell beside each member: `known` where it was trained, else of another training, else what is learned.

    A training that was cut short says so in its source, as its accuracy can't be compared with those that are known.
    """
    data = _trained_on(store, handle, members)
    records = trained_of(store, handle.space, data, [m.genotype for m in members]) if data else [None] * len(members)
    others = [_known_by(one) if one else None for one in records]
    graded = [{its.grade: its} if its else {} for its in known]
    return [its.get("trained") or other or its.get("learned") for its, other in zip(graded, others, strict=True)]


def advised(lab: Laboratory, search_id: str, given: Limits = NO_LIMITS, top: int = TOP) -> r.Front:
    """A search's front with what is known of accuracies, and the network to take. Raises what `recommend` raises."""
    front = lab.compute_pareto_front(search_id)
    handle, members = lab.members(search_id)
    known = accuracy_of(lab.store, handle, members)
    picks, why = recommend(handle, members, known, given, top)
    told = dict(zip((m.architecture for m in members), beside(lab.store, handle, members, known), strict=True))
    points = [
        point.model_copy(update=its.told) if (its := told[point.architecture]) else point for point in front.front
    ]
    trained = [
        r.TrainedPoint(
            architecture=members[row].architecture,
            accuracy=its.value,
            accuracy_source=its.source,
            **costs_told(handle, members[row].costs),
        )
        for row in trained_front(handle, members, known)[:MOST_POINTS]
        if (its := known[row])
    ]
    return front.model_copy(update={"front": points, "trained_front": trained, "picks": picks, "why": why})
