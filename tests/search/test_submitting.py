from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmnas_mcp.errors import LabError
from llmnas_mcp.results import Origin
from llmnas_mcp.search.instruments import MOST_ARCHITECTURES, query_cost, score_zero_cost
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import Genotype, get_space
from tests.thorough import examples

SPACE = get_space("nasbench201")
# A cell of two 3x3 convolutions; the same with its inner nodes swapped and dead edges; others of two, one and six.
TWO, TWIN, OTHER, ONE, SIX = (
    SPACE.format(cell)
    for cell in ((0, 3, 0, 0, 0, 3), (3, 4, 1, 0, 3, 0), (0, 3, 0, 1, 0, 3), (0, 0, 0, 3, 0, 0), (3, 3, 3, 3, 3, 3))
)
# A few cells and twins of them: what is the same network must be found to be, and what is malformed must do no harm.
CELLS = [(3, 0, 0, 1, 2, 0), (1, 3, 0, 2, 0, 0), (0, 3, 4, 1, 0, 2), (3, 2, 0, 1, 4, 2), (0, 0, 0, 0, 0, 0)]
DEAD = [(3, 3, 3, 0, 0, 0), (3, 0, 2, 1, 2, 0), (0, 3, 0, 1, 0, 2)]
NAMES = st.sampled_from([SPACE.format(cell) for cell in CELLS + DEAD] + ["no cell"])


def statuses(lab: Laboratory, search_id: str, architectures: Sequence[str], niche: int | None = None) -> list[str]:
    return [result.status for result in lab.submit_architectures(search_id, architectures, niche).results]


def test_a_kept_architecture_is_told_with_score_cost_and_niche(lab: Laboratory) -> None:
    search_id = lab.start_search(device="raspi4", niches=7).search_id
    submission = lab.submit_architectures(search_id, [TWO], 2)
    (result,) = submission.results
    assert (result.architecture, result.status, result.reason, result.niche) == (TWO, "kept", None, 2)
    asked: dict[str, Any] = {"space": SPACE.name, "dataset": "cifar10", "data": lab.settings.data}
    (cost,) = query_cost([TWO], device="raspi4", objective="latency", **asked).results
    (score,) = score_zero_cost([TWO], **asked).results
    assert (result.cost, result.unit, result.score) == (cost.value, cost.unit, score.score)
    assert (submission.used, submission.left) == (1, 399)


def test_every_architecture_gets_its_status_and_reason_in_the_order_asked(lab: Laboratory) -> None:
    landscape = lab.members(lab.start_search(device="edgetpu").search_id)[0].landscape
    cells = landscape.reference.genotypes
    stuck = SPACE.format(tuple(cells[np.isnan(landscape.costs(cells).values[:, 0])][0].tolist()))
    limit = float(landscape.costs([SPACE.parse(name) for name in (TWO, OTHER, ONE)]).values.max())
    search_id = lab.start_search(device="edgetpu", niches=7, limits=Limits(latency=limit), evaluations=1).search_id

    home = lab.members(search_id)[0].home
    one, two, six = (home(int(landscape.params([SPACE.parse(name)])[0])) for name in (ONE, TWO, SIX))
    results = lab.submit_architectures(search_id, ["|none~0|", stuck, SIX, ONE, TWO, TWIN, OTHER], two).results
    results += lab.submit_architectures(search_id, [OTHER, TWIN, ONE]).results
    expected = [
        ("refused", "(?s)Not a NAS-Bench-201 cell: at character 5, .*Allowed operations: none, .*A valid cell: "),
        ("refused", ".*Edge TPU.* cannot run this cell: "),
        ("refused", f"{results[2].cost:.4g} ms is over the limit of {limit:g} ms$"),
        ("refused", rf"0\.3163 M parameters belong to niche {one}; niche {two} takes 0\.\d+ to below 0\.\d+ M$"),
        ("kept", "$"),
        ("duplicate", "submitted more than once$"),
        ("refused", "the budget of 1 evaluations is used$"),
        ("refused", "the budget of 1 evaluations is used$"),
        ("duplicate", "evaluated in round 1$"),
        ("refused", "the budget of 1 evaluations is used$"),
    ]
    for result, (status, reason) in zip(results, expected, strict=True):
        assert result.status == status
        assert re.match(reason, result.reason or "")
        assert (result.score is None) == (status == "refused")
    assert [r.architecture for r in results] == ["|none~0|", stuck, SIX, ONE, TWO, TWO, OTHER, OTHER, TWO, ONE]
    assert [r.niche for r in results[2:]] == [six, one, *[two] * 5, one]
    assert [i for i, r in enumerate(results) if r.cost is None] == [0, 1]


def test_twins_are_evaluated_once_and_answered_by_their_canonical_form(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga").search_id
    results = lab.submit_architectures(search_id, [TWIN, TWO]).results
    assert [r.status for r in results] == ["kept", "duplicate"]
    assert {r.architecture for r in results} == {TWO}
    assert len({r.score for r in results}) == 1


def test_when_the_budget_is_used_a_name_given_twice_is_refused_twice(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga", evaluations=1).search_id
    results = lab.submit_architectures(search_id, [TWO, OTHER, OTHER]).results
    assert [r.status for r in results] == ["kept", "refused", "refused"]
    assert {r.reason for r in results[1:]} == {"the budget of 1 evaluations is used"}
    assert {r.score for r in results[1:]} == {None}


@settings(max_examples=examples(30))
@given(st.lists(st.lists(NAMES, max_size=6), max_size=5), st.integers(1, 6))
def test_any_sequence_of_batches_keeps_each_canonical_architecture_once_within_the_budget(
    shared_lab: Laboratory, batches: list[list[str]], budget: int
) -> None:
    search_id = shared_lab.start_search(device="fpga", niches=2, evaluations=budget).search_id
    kept: list[Genotype] = []
    for batch in batches:
        expected = []
        for name in batch:
            cell = SPACE.canonical(SPACE.parse(name)) if name != "no cell" else None
            known = cell in kept
            never = cell is None or SPACE.constant(cell)
            expected.append("refused" if never or (not known and len(kept) == budget) else "kept")
            expected[-1] = "duplicate" if known else expected[-1]
            kept += [cell] if cell is not None and expected[-1] == "kept" else []
        assert statuses(shared_lab, search_id, batch) == expected
        assert [m.genotype for m in shared_lab.members(search_id)[1]] == kept
        assert shared_lab.get_search(search_id).used == len(kept) <= budget


def test_without_a_niche_every_architecture_goes_home(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga", niches=7).search_id
    results = lab.submit_architectures(search_id, [SIX, TWO]).results
    assert [r.niche for r in results] == [6, 2]
    assert [n.members for n in lab.get_search(search_id).niches] == [0, 0, 1, 0, 0, 0, 1]


def test_nothing_submitted_changes_nothing(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga").search_id
    assert lab.submit_architectures(search_id, []).results == []
    assert lab.get_search(search_id).used == 0


def test_too_many_architectures_are_refused_before_any_is_evaluated(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga").search_id
    with pytest.raises(LabError, match="1,001 architectures in one call are too many: send at most 1,000"):
        lab.submit_architectures(search_id, [TWO] * (MOST_ARCHITECTURES + 1))
    assert lab.get_search(search_id).used == 0


def test_origins_are_one_each_or_none(lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga").search_id
    with pytest.raises(LabError, match="1 origins for 2 architectures: give one each, or none"):
        lab.submit_architectures(search_id, [TWO, OTHER], origins=[Origin()])
    assert lab.get_search(search_id).used == 0
