"""The laboratory's searches. Every public method is one tool's work and answers with a model of `results`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np

from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError, NotFoundError
from llmnas_mcp.search.breeding import Ground, breed
from llmnas_mcp.search.directions import Directions, call
from llmnas_mcp.search.fronts import front_of_search
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.instruments import check_count, choices_of, dataset_for
from llmnas_mcp.search.knowledge import KnowledgeBase
from llmnas_mcp.search.landscape import NO_LIMITS, Landscape, Limits
from llmnas_mcp.search.members import Member, parents
from llmnas_mcp.search.mining import mine
from llmnas_mcp.search.niches import partition
from llmnas_mcp.search.predicting import Guide
from llmnas_mcp.search.starting import check_settings, id_of
from llmnas_mcp.search.store import Store
from llmnas_mcp.search.submitting import submit
from llmnas_mcp.search.timing import with_measured
from llmnas_mcp.search.trained import best_trained
from llmnas_mcp.search.views import brief_goal, gaps_of, member_info, member_of, statement_of
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import Space, get_space

MOST_ROUNDS = 100  # of a search's history that are told: the newest
OPEN_SEARCHES = 16
# A rule base people and language models can read; more effects than this did not make better searches.
MOST_EFFECTS = {"score": 15}
MOST_OF_COST = 5
MOST_TRAINED = 6  # trainings that a brief tells


class Laboratory:
    """Searches in one store. Safe to call from several threads."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.store = Store(self.settings.store)
        self._open: OrderedDict[str, SearchHandle] = OrderedDict()
        self._lock = Lock()

    def close(self) -> None:
        """Release the store."""
        self.store.close()

    # searches --------------------------------------------------------------------------------------------------------

    def start_search(
        self,
        *,
        space: str = "nasbench201",
        dataset: str | None = None,
        device: str | None = None,
        objective: r.Objective | Sequence[r.Objective] = "latency",
        niches: int | None = None,
        limits: Limits = NO_LIMITS,
        evaluations: int = 400,
        rounds: int | None = None,
        offspring: int = 6,
        seed: int = 0,
        operator: str = "conversation",
        scored_by: r.ScoredBy = "zero-cost",
    ) -> r.Started:
        """Begin a search: cut the space into niches and remember the settings. Nothing is evaluated yet.

        dataset: by default the space's first. objective: one cost to keep low, or two. Raises LabError when a setting
        is out of range or nothing can run within the limits.
        """
        objectives: tuple[r.Objective, ...] = (objective,) if isinstance(objective, str) else tuple(objective)
        check_settings(
            objectives, limits, device, evaluations=evaluations, offspring=offspring, rounds=rounds, seed=seed
        )
        where = get_space(space)
        shape = dataset_for(where, dataset, self.settings.data)
        landscape = Landscape(where, shape, device, objectives, self.settings.data, scored_by)
        known = landscape.candidates(limits)
        scale = known.scale
        cut, how = partition(known.params, niches)
        if rounds is not None:
            evaluations = min(evaluations, rounds * offspring * len(cut))
        row = {
            "space": space,
            "dataset": shape.name,
            "device": device,
            "objectives": list(objectives),
            "operator": operator,
            "seed": seed,
            "limits": dict(limits.set),
            "evaluations": evaluations,
            "rounds": rounds,
            "offspring": offspring,
            "cost_low": list(scale.low),
            "cost_high": list(scale.high),
            "niches": [[n.low, n.high] for n in cut],
            "cut": how,
            "scored_by": scored_by,
        }
        whole = self.store.add_search(row, id_of(row))
        self._keep_open(SearchHandle(whole, landscape))
        search = self.get_search(whole["search_id"])
        return r.Started(
            search_id=search.search_id, units=search.units, niches=search.niches, cut=search.cut, next=search.next
        )

    def get_search(self, search_id: str) -> r.Search:
        """The state of a search: budget, niches with their share of the next round, hypervolume by rounds."""
        handle = self._handle(search_id)
        members = self._members(handle)
        rules = self.store.count_active_rules(search_id)
        shares = handle.shares(members)
        done = sum(shares) == 0
        row = handle.row
        numbers = sorted({m.round for m in members})
        return r.Search(
            **{name: row[name] for name in _SEARCH_FIELDS},
            units=list(handle.units),
            evaluations=row["evaluations"],
            used=len(members),
            rounds=row["rounds"],
            offspring=row["offspring"],
            done=done,
            hypervolume=handle.hypervolume(members),
            rules=sum(rules.values()),
            niches=[
                r.NicheInfo(
                    niche=n.index,
                    params_low_m=n.low / 1e6,
                    params_high_m=n.high / 1e6,
                    size=handle.sizes[n.index],
                    members=sum(m.niche == n.index for m in members),
                    rules=rules.get(n.index, 0),
                    share=shares[n.index],
                )
                for n in handle.niches
            ],
            history=[
                r.RoundInfo(round=number, evaluations=len(until), hypervolume=handle.hypervolume(until))
                for number in numbers[-MOST_ROUNDS:]
                for until in [[m for m in members if m.round <= number]]
            ],
            trained=best_trained(self.store, handle.space, {m.architecture for m in members}),
            truncated=len(numbers) > MOST_ROUNDS,
            next=Directions(handle, members).after_look(),
        )

    def list_searches(self, limit: int = 20, offset: int = 0) -> r.Searches:
        """A page of searches, newest first."""
        rows, total = self.store.list_searches(limit, offset)
        names = r.SearchLine.model_fields
        more = offset + len(rows) < total
        told = [call("get_search", search_id=row["search_id"]) for row in rows[:1]]
        told += [call("list_searches", limit=limit, offset=offset + limit)] * more
        return r.Searches(
            searches=[r.SearchLine(**{name: row[name] for name in names}) for row in rows],
            total=total,
            truncated=more,
            next=", ".join(told) or (call("list_searches") if total else call("start_search", device=...)),
        )

    # one niche -------------------------------------------------------------------------------------------------------

    def get_brief(self, search_id: str, niche: int, round_: int | None = None) -> r.Brief:
        """What a scientist needs to know about a niche before proposing: all there is, or what was before a round."""
        handle = self._handle(search_id)
        where = handle.niche(niche)
        members = self._members(handle)
        own = [m for m in _before(members, round_) if m.niche == niche]
        directions = Directions(handle, members)
        return r.Brief(
            search_id=search_id,
            niche=niche,
            round=directions.round.number,
            goal=brief_goal(handle),
            choices=choices_of(handle.space),
            example=handle.space.example,
            params_low_m=where.low / 1e6,
            params_high_m=where.high / 1e6,
            limits=handle.limits.set,
            objectives=list(handle.objectives),
            units=list(handle.units),
            untried=handle.untried(niche, len(own)),
            share=directions.round.left[niche],
            parents=[member_info(handle, m) for m in parents(own, handle.scale, 12)],
            gaps=gaps_of(handle, own, 5),
            rules=self._knowledge(handle, niche).active(round_)[:60],
            tried=[m.architecture for m in own[-20:]],
            trained=best_trained(self.store, handle.space, {m.architecture for m in own}, MOST_TRAINED),
            next=directions.after_brief(niche),
        )

    def mine_rules(self, search_id: str, niche: int, round_: int | None = None) -> r.Effects:
        """Effects of operations on score and cost, from the niche's results before the round."""
        handle = self._handle(search_id)
        handle.niche(niche)
        members = self._members(handle)
        own = [m for m in _before(members, round_) if m.niche == niche]
        effects = [
            r.Effect(
                statement=statement_of(handle.space, effect), **{name: getattr(effect, name) for name in _EFFECT_FIELDS}
            )
            for target in handle.targets
            for effect in mine(
                handle.space, own, handle.values(own, target), target, MOST_EFFECTS.get(target, MOST_OF_COST)
            )
        ]
        told = Directions(handle, members).after_mining(niche, len(own), len(effects))
        return r.Effects(effects=effects, results_used=len(own), next=told)

    def update_knowledge_base(
        self,
        search_id: str,
        niche: int,
        edits: Sequence[r.RuleEdit] = (),
        *,
        author: str = "conversation",
        round_: int | None = None,
        rollback_to: int | None = None,
    ) -> r.Knowledge:
        """Change the rules of a niche, or bring an old version back."""
        handle = self._handle(search_id)
        handle.niche(niche)
        knowledge = self._knowledge(handle, niche)
        directions = Directions(handle, self._members(handle))
        number = directions.round.number if round_ is None else round_
        if rollback_to is not None and edits:
            raise LabError("Give either edits or rollback_to, not both.")
        if rollback_to is None:
            known = knowledge.update(edits, author, number)
        else:
            known = knowledge.rollback(rollback_to, author, number)
        return known.model_copy(update={"next": directions.after_update(niche, known.results)})

    def breed_architectures(self, search_id: str, niche: int, count: int, round_: int | None = None) -> r.Bred:
        """Offspring of a niche's members, guided by its rules; seed, niche, round and what came before decide them."""
        handle = self._handle(search_id)
        handle.niche(niche)
        if not 1 <= count <= 1000:
            raise LabError(f"count={count} is out of range: choose 1 to 1,000.")
        members = self._members(handle)
        directions = Directions(handle, members)
        before = _before(members, round_)
        number = directions.round.number if round_ is None else round_
        guides = [
            Guide(rule.pattern, rule.effect)
            for rule in self._knowledge(handle, niche).active()
            if rule.target == "score" and rule.effect is not None and rule.pattern
        ]
        rng = np.random.default_rng([handle.row["seed"], niche, number])
        ground = Ground(handle.landscape, handle.limits, handle.niche(niche), handle.scale)
        proposals = breed(ground, before, handle.points(before), guides, count, rng)
        return r.Bred(
            offspring=[
                r.Offspring(
                    architecture=handle.space.format(p.genotype),
                    origin=r.Origin(operator=p.operator, parents=list(p.parents), reason=r.BRED),
                )
                for p in proposals
            ],
            next=directions.after_breeding(niche, count, len(proposals)),
        )

    def submit_architectures(
        self,
        search_id: str,
        architectures: Sequence[str],
        niche: int | None = None,
        *,
        origins: Sequence[r.Origin] = (),
        round_: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> r.Submission:
        """Evaluate architectures, each once: kept in its niche, known already, or refused with the reason."""
        check_count(architectures)
        if origins and len(origins) != len(architectures):
            raise LabError(f"{len(origins)} origins for {len(architectures)} architectures: give one each, or none.")
        handle = self._handle(search_id)
        if niche is not None:
            handle.niche(niche)
        members = self._members(handle)
        number = self._round(handle, members, round_)
        done = submit(handle, self.store, members, architectures, origins, niche, number, progress)
        directions = Directions(handle, self._members(handle))
        return done.model_copy(update={"next": directions.after_submission(number, niche, done.results)})

    def list_niche_members(
        self, search_id: str, niche: int | None = None, *, sort: str = "front", limit: int = 20, offset: int = 0
    ) -> r.Members:
        """A page of members, of one niche or all: by front rank, falling score, rising cost, or newest first."""
        handle = self._handle(search_id)
        if niche is not None:
            handle.niche(niche)
        own = [m for m in self._members(handle) if niche in (None, m.niche)]
        ordered = {
            "front": lambda: parents(own, handle.scale, len(own)),
            "score": lambda: sorted(own, key=lambda m: -m.score),
            "cost": lambda: sorted(own, key=lambda m: m.costs),
            "newest": lambda: own[::-1],
        }[sort]()
        page = ordered[offset : offset + limit]
        asked = {"search_id": search_id, **({} if niche is None else {"niche": niche}), "sort": sort, "limit": limit}
        more = offset + len(page) < len(own)
        return r.Members(
            members=[member_info(handle, m) for m in page],
            total=len(own),
            truncated=more,
            next=call("list_niche_members", **asked, offset=offset + limit) if more else None,
        )

    def compute_pareto_front(self, search_id: str) -> r.Front:
        """The front of a search and how good it is."""
        handle, members = self.members(search_id)
        return front_of_search(handle, members)

    def members(self, search_id: str) -> tuple[SearchHandle, list[Member]]:
        """A search and all its members, in the order they were kept."""
        handle = self._handle(search_id)
        return handle, self._members(handle)

    def space_of(self, search_id: str) -> Space:
        """The space that a search is in."""
        return self._handle(search_id).space

    def origins(self, search_id: str) -> dict[str, r.Origin]:
        """Where each member of a search comes from, by architecture."""
        self._handle(search_id)
        return {name: r.Origin.model_validate(origin) for name, origin in self.store.origins(search_id).items()}

    def knowledge_history(self, search_id: str) -> list[r.Rule]:
        """Every writing of every rule of a search, by niche, oldest first."""
        handle = self._handle(search_id)
        return [rule for n in handle.niches for rule in self._knowledge(handle, n.index).history()]

    # what they share -------------------------------------------------------------------------------------------------

    def _handle(self, search_id: str) -> SearchHandle:
        with self._lock:
            handle = self._open.get(search_id)
            if handle is not None:
                self._open.move_to_end(search_id)
        if handle is None:
            row = self.store.search(search_id)
            if row is None:
                recent = [line["search_id"] for line in self.store.list_searches(5, 0)[0]]
                known = (
                    f"The latest are {', '.join(recent)}."
                    if recent
                    else "There are none yet: start one (start_search, or llmnas search)."
                )
                raise NotFoundError(f"There is no search {search_id[:80]!r}. {known}")
            space, data = get_space(row["space"]), self.settings.data
            shape = dataset_for(space, row["dataset"], data)
            landscape = Landscape(space, shape, row["device"], tuple(row["objectives"]), data, row["scored_by"])
            handle = SearchHandle(row, landscape)
            self._keep_open(handle)
        return handle

    def _keep_open(self, handle: SearchHandle) -> None:
        with self._lock:
            self._open[handle.search_id] = handle
            while len(self._open) > OPEN_SEARCHES:
                self._open.popitem(last=False)

    def _members(self, handle: SearchHandle) -> list[Member]:
        """All members so far. They are only ever added, and in order, so what was read once is kept.

        Their costs are what was measured, where the device is an own one and has timed them.
        """
        with handle.lock:
            for row in self.store.members(handle.search_id, after=handle.last_id):
                handle.known.append(member_of(handle.space, row))
                handle.last_id = row["id"]
            return with_measured(handle, handle.known, self.settings.data)

    @staticmethod
    def _round(handle: SearchHandle, members: Sequence[Member], asked: int | None) -> int:
        """The round something happens in: the one asked for, which must not lie ahead, or the one under way."""
        newest = 1 + max((m.round for m in members), default=0)
        if asked is None:
            return handle.round_under_way(members).number
        if not 1 <= asked <= newest:
            raise LabError(f"round={asked} is out of range: choose 1 to {newest}, or leave it out.")
        return asked

    def _knowledge(self, handle: SearchHandle, niche: int) -> KnowledgeBase:
        return KnowledgeBase(self.store, handle, niche)


def _before(members: Sequence[Member], round_: int | None) -> list[Member]:
    """The members of earlier rounds. A round depends on nothing that happens in it, so it can be redone."""
    return [m for m in members if round_ is None or m.round < round_]


_SEARCH_FIELDS = (
    *("search_id", "created", "space", "dataset", "device", "objectives", "operator", "seed", "limits", "scored_by"),
    *("cut", "cost_low", "cost_high"),
)
_EFFECT_FIELDS = ("pattern", "target", "effect", "low", "high", "confidence", "support", "evidence")
