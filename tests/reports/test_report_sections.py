"""The report in a real browser: lineage, rules, comparisons, and searches out of the ordinary."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llmnas_mcp import baselines
from llmnas_mcp import results as r
from llmnas_mcp.reports import html_report, report, telling
from llmnas_mcp.search.landscape import Limits
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import get_space
from tests.reports.conftest import Opened, rows

SPACE = get_space("nasbench201")
HOSTILE = '</script><img src=x onerror="hacked=1"><b>it\'s &amp; bold</b> {{title}} <!--'


@pytest.mark.thorough
def test_the_lineage_of_a_design_goes_back_to_its_seeds(open_report: Opened, searched: tuple[Laboratory, str]) -> None:
    lab, search_id = searched
    members, origins = lab.members(search_id)[1], lab.origins(search_id)
    number = {m.architecture: i for i, m in enumerate(members)}
    youngest = next(i for i in reversed(range(len(members))) if len(origins[members[i].architecture].parents) == 2)
    expected, todo = set(), [youngest]
    while todo:
        child = todo.pop()
        for parent in origins[members[child].architecture].parents:
            expected.add((number[parent], child))
            todo.append(number[parent])
    with open_report(*searched) as page:
        page.get_by_role("button", name=re.compile("^All")).click()
        page.locator("th[data-key=round] button").dblclick()
        while page.locator("#more").is_visible():
            page.locator("#more").click()
        page.locator(f"tr[data-member='{youngest}']").get_by_role("button", name="Lineage").click()
        read = "links => links.map(link => [Number(link.dataset.parent), Number(link.dataset.child)])"
        assert {tuple(link) for link in page.locator("#lineage-plot [data-parent]").evaluate_all(read)} == expected


def test_every_rule_is_there_with_all_its_writings_and_evidence(
    open_report: Opened, searched: tuple[Laboratory, str]
) -> None:
    lab, search_id = searched
    history = [rule for rule in lab.knowledge_history(search_id) if rule.niche == 0]
    with open_report(*searched) as page:
        niche = page.locator("#niches-knowledge > details").first
        if niche.get_attribute("open") is None:
            niche.locator("> summary").click()
        while niche.locator("> button").is_visible():
            niche.locator("> button").click()
        assert niche.locator("tbody tr").count() == len({rule.rule_id for rule in history})
        first = niche.locator("tbody tr").first
        first.locator("summary").click()
        statement = first.locator("td.rule").evaluate("cell => cell.firstChild.textContent")
        own = [rule for rule in history if rule.statement == statement]
        assert first.locator("ol li").count() == len(own)
        assert first.locator("td").last.locator("button").count() == len(own[-1].evidence)


def test_text_of_a_model_is_shown_as_it_is_and_never_runs(open_report: Opened, lab: Laboratory) -> None:
    search_id = lab.start_search(device="raspi4", niches=1, operator=HOSTILE[:40]).search_id
    cell = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    lab.submit_architectures(search_id, [cell], origins=[r.Origin(parents=[HOSTILE], reason=HOSTILE)])
    rule = r.RuleEdit(action="add", statement=HOSTILE, pattern={"0->1": "none"}, effect=0.1, evidence=[cell])
    assert lab.update_knowledge_base(search_id, 0, [rule], author=HOSTILE[:40]).active == 1
    with open_report(lab, search_id) as page:
        page.locator("#lineage summary").click()
        assert page.locator("#lineage td", has_text=HOSTILE).count() == 2
        page.locator("#niches-knowledge td.rule summary").click()
        assert HOSTILE in page.locator("#niches-knowledge td.rule").text_content()
        assert page.evaluate("typeof hacked") == "undefined"
        assert page.locator("img, main b:has-text('bold')").count() == 0


def test_a_search_without_evaluations_says_so(open_report: Opened, lab: Laboratory) -> None:
    with open_report(lab, lab.start_search(device="fpga").search_id) as page:
        assert page.locator("#answer").text_content() == "Nothing is evaluated yet."
        assert not page.locator("#front").is_visible()
        assert page.locator("#again").is_visible()


def test_one_evaluation_is_enough_to_draw(open_report: Opened, lab: Laboratory) -> None:
    search_id = lab.start_search(device="fpga", limits=Limits(latency=40.0), operator="conversation").search_id
    lab.submit_architectures(search_id, [SPACE.example])
    with open_report(lab, search_id) as page:
        assert page.locator("#answer").text_content().startswith("One network: ")
        assert len(rows(page)) == 1
        assert "A conversation led this search" in page.locator("#command").text_content()


def test_baselines_are_drawn_and_compared_in_words(
    open_report: Opened, searched: tuple[Laboratory, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, members = searched[0].members(searched[1])
    random, nsga2 = baselines.of_search(handle, len(members))
    with open_report(*searched) as page:
        best = page.evaluate("data.hypervolume.best")
        told = page.locator("#added").text_content()
        for name, method in (("random", random), ("NSGA-II", nsga2)):
            reached = method.curve[-1][1] / best
            assert f"; {name} after {len(members)}: {reached:.4f} (mean of 5 seeds)" in told
        assert page.locator("#curves-key").text_content() == "this searchrandomNSGA-IIthe best there is"
        assert page.locator(".field .layer-baseline-0 path").count() == len(random.front)
        page.locator("button[data-layer=baseline-0]").click()
        assert not page.locator(".field .layer-baseline-0").is_visible()
        assert page.locator(".field .layer-baseline-1").is_visible()
        lines = page.locator("#curves-plot g[aria-label=line] path")
        assert lines.count() == 3
    monkeypatch.setattr(telling, "MOST_COMPARED", 30)
    with open_report(*searched) as page:
        assert "; random after 30: " in page.locator("#added").text_content()


def test_a_search_by_parameters_says_so_and_tells_no_worth(open_report: Opened, lab: Laboratory) -> None:
    search_id = lab.start_search(device="raspi4", scored_by="params", operator="evolution").search_id
    lab.submit_architectures(search_id, [SPACE.example])
    with open_report(lab, search_id) as page:
        assert "by its number of parameters" in page.locator("#meaning").text_content()
        assert "Its worth" not in page.locator("#meaning").text_content()
        assert "number of parameters" in page.locator("svg.field").text_content()
        assert "--no-zero-cost" in page.locator("#command pre").text_content()


@pytest.mark.parametrize("estimated", ["accuracies", "costs", None])
def test_an_estimate_of_accuracy_is_called_one_and_a_measured_accuracy_is_not(
    open_report: Opened, searched: tuple[Laboratory, str], monkeypatch: pytest.MonkeyPatch, estimated: str | None
) -> None:
    error = 0.31 if estimated == "accuracies" else None

    def judged(lab: Laboratory, search_id: str, progress: Any) -> dict[str, Any]:
        told = telling.tell(lab, search_id, progress)
        told["truth"] = {
            "estimated": estimated is not None,
            "source": "a table",
            "error": error,
            "share": 0.98,
            "random": 0.96,
            "best_accuracy": 93.5,
        }
        for point in told["front"]:
            point |= {"accuracy": 91.25, "accuracy_error": error}
        return told

    monkeypatch.setattr(report, "tell", judged)
    with open_report(*searched) as page:
        told, head = page.locator("#truth").text_content(), page.locator("th[data-key=accuracy]").text_content()
        cell = page.locator("#table tbody tr").first.locator("td").nth(3).text_content()
        if error:
            assert told.startswith("By estimated accuracies (a table, error ±0.31 points)")
            assert (head, cell) == ("accuracy, estimated", "about 91.3 %, an estimate ± 0.3")
        else:
            costs = " and estimated costs" if estimated else ""
            assert told.startswith(f"By measured accuracies{costs} (a table), the front reaches 98.0 %")
            assert (head, cell) == ("accuracy", "91.25 %")


@pytest.mark.thorough
def test_a_search_of_ten_thousand_members_stays_small_and_is_drawn_whole(
    open_report: Opened, lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "MOST_COMPARED", 50)
    search_id = lab.start_search(device="raspi4", evaluations=10_000, operator="evolution").search_id
    fill(lab, search_id, 10_000)
    assert len(html_report(lab, search_id).encode()) < 5e6
    with open_report(lab, search_id) as page:
        assert page.locator(".field [class^=layer-niche] circle").count() == 10_000
        page.get_by_role("button", name="All (10,000)").click()
        assert len(rows(page)) == 50
        page.locator("#more").click()
        assert len(rows(page)) == 100


def fill(lab: Laboratory, search_id: str, count: int) -> None:
    """Members straight into the store: more than there are different cells, so twins that compute the same count."""
    handle, _ = lab.members(search_id)
    cells = list(SPACE.genotypes())[:count]
    canonical = [SPACE.canonical(cell) for cell in cells]
    params, costs = handle.landscape.params(canonical).tolist(), handle.landscape.costs(canonical)
    names = [SPACE.format(cell) for cell in cells]
    new = [
        {
            "architecture": name,
            "niche": handle.home(params[i]),
            "round": 1 + i // 42,
            "score": (i * 7919 % count) / count,
            "costs": [float(costs.values[i, 0]) * (1 + i / 1e6)],
            "params": params[i],
            "score_source": "atlas",
            "cost_sources": list(costs.sources[i]),
            "origin": r.Origin(
                operator="crossover", parents=[names[i // 2], names[i // 3]], reason=f"reason {i}: " + "x" * 60
            ).model_dump(),
        }
        for i, name in enumerate(names)
    ]
    for i in range(0, count, 1000):
        lab.store.add_members(search_id, new[i : i + 1000], count)


def test_what_is_embedded_is_json_that_no_text_can_leave() -> None:
    for text in (HOSTILE, "]]>", "\u2028", "<!--<script>"):
        assert "<" not in report.as_json([text])
        assert json.loads(report.as_json([text])) == [text]
