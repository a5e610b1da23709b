"""What a scientist may do next: every `next` of a search's answers.

A `next` writes calls out with their arguments, the one to make now first, so that a model in a chat can make them as
they stand; `...` is for the scientist to fill in.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llmnas_mcp.results import Edited, Submitted
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.instruments import MOST_ARCHITECTURES
from llmnas_mcp.search.members import Member
from llmnas_mcp.search.mining import FEWEST_RESULTS


def call(tool: str, **arguments: Any) -> str:
    """A call of a tool as text.

    >>> call("submit_architectures", search_id="raspi4-cifar10-1a2b3c", niche=0, architectures=...)
    'submit_architectures(search_id="raspi4-cifar10-1a2b3c", niche=0, architectures=...)'
    """
    given = (f"{name}={'...' if value is ... else json.dumps(value)}" for name, value in arguments.items())
    return f"{tool}({', '.join(given)})"


class Directions:
    """What comes next in a search that has these members."""

    def __init__(self, handle: SearchHandle, members: Sequence[Member]) -> None:
        self._handle, self._members = handle, members
        self.round = handle.round_under_way(members)

    def next_niche(self) -> str:
        """The first niche that has something left of the round, and those after it; the front when all is done."""
        waiting = [niche for niche, left in enumerate(self.round.left) if left]
        if not waiting:
            return f"{self._why_over()}: {self._call('compute_pareto_front')}."
        first, *others = waiting
        told = f"Round {self.round.number}: {self._call('get_brief', niche=first)}, share {self.round.left[first]}."
        after = ", ".join(f"niche {niche} (share {self.round.left[niche]})" for niche in others)
        return told + f" After it {after}." * bool(others)

    def after_look(self) -> str:
        """As next_niche; within a round, the shares that get_search tells are of the round after it."""
        begun = any(self.round.left) and any(m.round == self.round.number for m in self._members)
        return self.next_niche() + f" (The shares above are a forecast of round {self.round.number + 1}.)" * begun

    def after_brief(self, niche: int) -> str:
        """Reason where there are results, else find some."""
        if not self.round.left[niche]:
            return self._nothing_left(niche)
        if sum(m.niche == niche for m in self._members) < FEWEST_RESULTS:
            return f"{self._breed(niche)} offers some, as too little is known to reason with. {self._submit(niche)}"
        return (
            f"{self._call('mine_rules', niche=niche)} gives statistics to reason with; write what you conclude with"
            f" {self._call('update_knowledge_base', niche=niche, edits=...)}. Then design: {self._submit(niche)}"
        )

    def after_mining(self, niche: int, results: int, found: int) -> str:
        """Make rules of effects."""
        if not found:
            needed = f"at least {FEWEST_RESULTS} are needed, and they must differ"
            return f"Nothing to mine in {results} results ({needed}). {self._design(niche)}"
        return (
            f"{self._call('update_knowledge_base', niche=niche, edits=...)}: add what you believe (statement, pattern,"
            " target, effect, confidence and evidence can be as here), revise or retire rules this speaks against."
            f" Or leave the rules as they are: {self._design(niche)}"
        )

    def after_update(self, niche: int, edited: Sequence[Edited]) -> str:
        """Design along the rules; first send again what was refused."""
        refused = sum(edit.status == "refused" for edit in edited)
        if not refused:
            return self._design(niche)
        again = self._call("update_knowledge_base", niche=niche, edits=...)
        return (
            f"Refused edits: {refused}. Mend them by their reasons and send them again: {again}. {self._design(niche)}"
        )

    def after_breeding(self, niche: int, asked: int, found: int) -> str:
        """Submit, designs of one's own among what was bred."""
        if not found:
            return f"Every architecture of niche {niche} that can run is evaluated. {self.next_niche()}"
        fewer = f"No more than {found} are untried. " if found < asked else ""
        if not self.round.left[niche]:
            return fewer + self._nothing_left(niche)
        return f"{fewer}{self._submit(niche)} Put designs of your own in place of those you believe in least."

    def after_submission(self, round_: int, niche: int | None, results: Sequence[Submitted]) -> str:
        """More for the same niche until its share is used, then the next niche; after a round, look at the whole."""
        told = "" if any(r.status == "kept" for r in results) else "Nothing was kept: each result says why. "
        if niche is not None and self.round.number == round_ and self.round.left[niche]:
            return f"{told}Niche {niche} has {self.round.left[niche]} left of its share. {self._design(niche)}"
        if any(self.round.left) and self.round.number > round_:
            return f"{told}Round {round_} is complete: {self._call('get_search')}."
        return told + self.next_niche()

    def after_front(self, points: int, truncated: bool) -> str:
        """Show the front and choose from it, or first find something to put on it."""
        if not points:
            return f"Nothing is evaluated yet. {self.next_niche()}"
        where = {name: self._handle.row[name] for name in ("space", "dataset")}
        export = call("export_architecture", architecture=..., **where)
        told = f"{self._call('plot_pareto_front')} draws it. {export} gives the network of a choice."
        if truncated:
            pages = self._call("list_niche_members", sort="front", limit=200)
            told = f"Cut: {pages} has all, a page at a time. {told}"
        return f"This is the front so far. {self.next_niche()} To end here: {told}" if any(self.round.left) else told

    def _call(self, tool: str, **arguments: Any) -> str:
        return call(tool, search_id=self._handle.search_id, **arguments)

    def _breed(self, niche: int) -> str:
        return self._call("breed_architectures", niche=niche, count=self._at_once(niche))

    def _submit(self, niche: int) -> str:
        submit = self._call("submit_architectures", niche=niche, architectures=..., origins=...)
        return f"{submit} takes {self._at_once(niche)}."

    def _at_once(self, niche: int) -> int:
        """What is left of a niche's share, or as much of it as one call takes."""
        return min(self.round.left[niche], MOST_ARCHITECTURES)

    def _design(self, niche: int) -> str:
        if not self.round.left[niche]:
            return self._nothing_left(niche)
        return f"{self._breed(niche)} offers some. {self._submit(niche)}"

    def _nothing_left(self, niche: int) -> str:
        nothing = f"Nothing is left to do in niche {niche} in this round. " if any(self.round.left) else ""
        return nothing + self.next_niche()

    def _why_over(self) -> str:
        budget = self._handle.row["evaluations"]
        if len(self._members) >= budget:
            return f"The budget of {budget} evaluations is used"
        return "Every architecture within the limits is evaluated"
