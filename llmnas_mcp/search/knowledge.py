"""The knowledge base: design rules of one niche, in versions.

A rule is never overwritten. An update writes the changed rules under the next version; the state at any version is, for
each rule, its last writing up to there. A rollback writes an old state as a new version, so nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmnas_mcp.errors import LabError, NotFoundError
from llmnas_mcp.results import Edited, Knowledge, Rule, RuleEdit
from llmnas_mcp.search.directions import call
from llmnas_mcp.search.handle import SearchHandle
from llmnas_mcp.search.store import Store

MOST_ACTIVE = 100  # rules in force in a niche: more than anybody reads
_FIELDS = ("statement", "pattern", "target", "effect", "confidence", "evidence")


class KnowledgeBase:
    """The rules of one niche of one search. What comes after a change is not its business: `next` stays empty."""

    def __init__(self, store: Store, handle: SearchHandle, niche: int) -> None:
        self._store, self._space, self._targets = store, handle.space, handle.targets
        self._search_id, self._niche = handle.search_id, niche

    def history(self) -> list[Rule]:
        """Every writing of every rule, oldest first."""
        return [_rule(row) for row in self._store.rules(self._search_id, self._niche)]

    def active(self, before: int | None = None) -> list[Rule]:
        """The rules in force now, or before a round, oldest first."""
        asked = {} if before is None else {"before": before}
        return [_rule(row) for row in self._store.active_rules(self._search_id, self._niche, **asked)]

    def update(self, edits: Sequence[RuleEdit], author: str, round_: int) -> Knowledge:
        """Apply edits as one new version; edits that change nothing make none.

        An edit that cannot be applied is refused with its reason, and the others stand.
        """
        history = self.history()
        state, version = _state(history, None), _version(history)
        changed: dict[str, dict[str, Any]] = {}
        before = dict(state)
        results = [self._apply(edit, state, changed, author, round_, version + 1) for edit in edits]
        # Edits that undo each other change nothing: that is how edits to one rule look when they are sent again.
        changed = {
            name: row for name, row in changed.items() if name not in before or _differ(state[name], before[name])
        }
        return self._write(changed, version, state, results)

    def rollback(self, to: int, author: str, round_: int) -> Knowledge:
        """Bring back the rules of version `to` as a new version. Raises NotFoundError for a version there never was."""
        history = self.history()
        version = _version(history)
        if not 0 <= to <= version:
            raise NotFoundError(f"Niche {self._niche} has no knowledge version {to}. Versions: 0 (empty) to {version}.")
        state, old = _state(history, None), _state(history, to)
        changed = {}
        for rule_id, rule in state.items():
            then = old.get(rule_id)
            target = then or rule.model_copy(update={"status": "retired"})
            if _differ(target, rule):
                changed[rule_id] = _row(target, author, round_)
                state[rule_id] = target
        return self._write(changed, version, state, [])

    def _write(
        self, changed: dict[str, dict[str, Any]], version: int, state: dict[str, Rule], results: list[Edited]
    ) -> Knowledge:
        if changed:
            version += 1
            if not self._store.add_rules(self._search_id, self._niche, version, list(changed.values())):
                brief = call("get_brief", search_id=self._search_id, niche=self._niche)
                raise LabError(
                    f"The knowledge base of niche {self._niche} was changed by someone else meanwhile: read the brief"
                    f" again and send the edits once more: {brief}."
                )
        active = sum(rule.status == "active" for rule in state.values())
        return Knowledge(version=version, active=active, results=results, next="")

    def _apply(
        self,
        edit: RuleEdit,
        state: dict[str, Rule],
        changed: dict[str, dict[str, Any]],
        author: str,
        round_: int,
        version: int,
    ) -> Edited:
        old = state.get(edit.rule_id or "")
        problem = self._problem(edit, old, state)
        if problem:
            return Edited(rule_id=edit.rule_id, status="refused", reason=problem)
        if edit.action == "add":
            same = next((r for r in state.values() if r.status == "active" and r.statement == edit.statement), None)
            if same and same.author != author:
                return Edited(rule_id=same.rule_id, status="unchanged", reason=f"in force already, by {same.author}")
            if same:  # said before: what is new about it is a revision
                edit, old = edit.model_copy(update={"action": "revise", "rule_id": same.rule_id}), same
        if edit.action == "add":
            rule_id, old = f"{self._niche}.{len(state) + 1}", None
            content = edit.model_dump(include=set(_FIELDS))
        else:
            rule_id = str(edit.rule_id)
            given = edit.model_dump(include=set(_FIELDS), exclude_unset=True) if edit.action == "revise" else {}
            content = {**(_content(old) if old else {}), **given}
        status = "retired" if edit.action == "retire" else "active"
        if old and content == _content(old) and status == old.status:
            return Edited(rule_id=rule_id, status="unchanged", reason=None)
        rule = Rule(
            rule_id=rule_id,
            niche=self._niche,
            author=author,
            round=round_,
            status=status,
            version=version,
            **content,
        )
        state[rule_id] = rule
        changed[rule_id] = _row(rule, author, round_)
        done = {"add": "added", "revise": "revised", "retire": "retired"}[edit.action]
        return Edited(rule_id=rule_id, status=done, reason=None)

    def _problem(self, edit: RuleEdit, old: Rule | None, state: dict[str, Rule]) -> str | None:
        states = edit.action == "add" or (edit.action == "revise" and "statement" in edit.model_fields_set)
        if states and not (edit.statement or "").strip():
            return "a rule needs a statement"
        if edit.action != "add" and old is None:
            return f"there is no rule {edit.rule_id!r} in niche {self._niche}: get_brief lists them"
        if edit.action == "add" and sum(rule.status == "active" for rule in state.values()) >= MOST_ACTIVE:
            return f"{MOST_ACTIVE} rules are in force in niche {self._niche}: revise or retire one instead"
        target = edit.target if edit.action == "add" or "target" in edit.model_fields_set or not old else old.target
        if target not in self._targets:
            return f"target {target!r} is not one of this search: use one of {', '.join(self._targets)}"
        if target == "score" and abs(edit.effect or 0.0) > 1:
            return f"effect={edit.effect:g} is out of range: a score changes by -1 to 1"
        for position, operation in edit.pattern.items():
            if position not in self._space.positions:
                return f"position {position!r} is unknown: use one of {', '.join(self._space.positions)}"
            allowed = self._space.words[self._space.positions.index(position)]
            if operation not in allowed:
                return f"operation {operation!r} is unknown at {position}: use one of {', '.join(allowed)}"
        for architecture in edit.evidence:
            try:
                self._space.parse(architecture)
            except LabError:
                return f"evidence must be architectures; {architecture[:60]!r} is none"
        return None


def _state(history: Sequence[Rule], version: int | None) -> dict[str, Rule]:
    return {rule.rule_id: rule for rule in history if version is None or rule.version <= version}


def _version(history: Sequence[Rule]) -> int:
    return max((rule.version for rule in history), default=0)


def _differ(one: Rule, other: Rule) -> bool:
    return (_content(one), one.status) != (_content(other), other.status)


def _content(rule: Rule) -> dict[str, Any]:
    return rule.model_dump(include=set(_FIELDS))


def _row(rule: Rule, author: str, round_: int) -> dict[str, Any]:
    return {
        "rule_id": rule.rule_id,
        "content": _content(rule),
        "status": rule.status,
        "author": author,
        "round": round_,
    }


def _rule(row: dict[str, Any]) -> Rule:
    kept = {name: row[name] for name in ("rule_id", "niche", "status", "author", "round", "version")}
    return Rule(**kept, **row["content"])
