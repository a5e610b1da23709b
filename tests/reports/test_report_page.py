"""The report in a real browser: what a reader sees, points at, types and copies."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmnas_mcp import baselines
from llmnas_mcp import results as r
from llmnas_mcp.pareto import ranks_of
from llmnas_mcp.reports import html_report, report, telling
from llmnas_mcp.search.members import Member, front_members
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import get_space
from llmnas_mcp.spaces.nasbench201.encoding import OPERATIONS, POSITIONS
from llmnas_mcp.spaces.nasbench201.topology import topology
from tests.reports.conftest import Opened

SPACE = get_space("nasbench201")
CELLS = st.tuples(*(st.integers(0, len(OPERATIONS) - 1) for _ in POSITIONS))
HOSTILE = '</script><img src=x onerror="hacked=1"><b>it\'s &amp; bold</b> {{title}} <!--'


@pytest.fixture(scope="module")
def front(searched: tuple[Laboratory, str]) -> list[Member]:
    handle, members = searched[0].members(searched[1])
    return front_members(members, handle.scale)


@pytest.fixture(scope="module")
def canvas(open_report: Opened, searched: tuple[Laboratory, str]) -> Iterator[Any]:
    """One page for many drawings."""
    with open_report(*searched) as page:
        yield page


def drawn(page: Any, cells: list[tuple[int, ...]]) -> list[list[list[Any]]]:
    """What the page draws for genotypes: from, to, operation and whether it is dashed, read back from the picture."""
    read = """words => words.map(word => [...drawCell(word).querySelectorAll("[data-op]")].map(edge =>
        [Number(edge.dataset.from), Number(edge.dataset.to), edge.dataset.op, edge.classList.contains("dead")]))"""
    found: list[list[list[Any]]] = page.evaluate(read, ["".join(map(str, cell)) for cell in cells])
    return found


def rows(page: Any) -> list[str]:
    found: list[str] = page.locator("#table tbody .arch").all_text_contents()
    return found


def clipboard(page: Any) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def centre(page: Any, member: int) -> tuple[float, float]:
    """Where a network is drawn, on the screen."""
    page.locator("svg.field").scroll_into_view_if_needed()
    box = page.locator("svg.field").bounding_box()
    x, y = page.evaluate(f"[field.scale('x').apply(M.cost[{member}]), field.scale('y').apply(M.score[{member}])]")
    return box["x"] + x, box["y"] + y


@settings(max_examples=60)
@given(cells=st.lists(CELLS, min_size=1, max_size=40))
def test_the_drawn_graph_is_the_parsed_architecture(canvas: Any, cells: list[tuple[int, ...]]) -> None:
    for cell, edges in zip(cells, drawn(canvas, cells), strict=True):
        parsed = SPACE.parse(SPACE.format(cell))
        expected = {(*map(int, where.split("->")), OPERATIONS[op]) for where, op in zip(POSITIONS, parsed, strict=True)}
        assert {(source, target, op) for source, target, op, _ in edges} == expected
        assert len(edges) == len(POSITIONS)


@settings(max_examples=40)
@given(cells=st.lists(CELLS, min_size=1, max_size=40))
def test_dashed_are_the_operations_without_which_the_cell_computes_the_same(
    canvas: Any, cells: list[tuple[int, ...]]
) -> None:
    for cell, edges in zip(cells, drawn(canvas, cells), strict=True):
        dashed = {f"{source}->{target}" for source, target, _, dead in edges if dead}
        without = [(*cell[:i], 0, *cell[i + 1 :]) for i in range(len(cell))]
        useless = {POSITIONS[i] for i, other in enumerate(without) if cell[i] and topology(other) == topology(cell)}
        assert dashed == useless


def test_the_page_answers_in_a_sentence_and_tells_what_every_number_is(
    open_report: Opened, searched: tuple[Laboratory, str], front: list[Member]
) -> None:
    with open_report(*searched) as page:
        answer = page.locator("#answer").text_content()
        assert answer.startswith(f"{len(front)} networks from {front[0].cost:.3g} to {front[-1].cost:.3g} ms")
        assert "Raspberry Pi 4" in page.title()
        share = searched[0].compute_pareto_front(searched[1]).share
        assert f"Hypervolume {share:.4f} of the best there is" in page.locator("#added").text_content()
        told = page.locator("#meaning").text_content()
        assert "It is not an accuracy" in told
        assert "0.945 (95 % interval 0.924 to 0.958)" in told
        assert "fitted:hwnasbench (median relative error" in told
        assert page.locator("#command pre").text_content().startswith("llmnas search --device raspi4 ")


def test_hovering_shows_the_nearest_network_with_its_cell(
    open_report: Opened, searched: tuple[Laboratory, str], front: list[Member]
) -> None:
    handle, members = searched[0].members(searched[1])
    target = front[len(front) // 2]
    number = members.index(target)
    with open_report(*searched) as page:
        assert not page.locator("#tip").is_visible()
        x, y = centre(page, number)
        page.mouse.move(x + 2, y + 1)
        tip = page.locator("#tip")
        assert tip.is_visible()
        assert tip.locator("code").text_content() == target.architecture
        assert tip.locator("svg.cell [data-op]").count() == len(POSITIONS)
        told = dict(zip(tip.locator("dt").all_text_contents(), tip.locator("dd").all_text_contents(), strict=True))
        assert told["score"] == f"{target.score:.4f}"
        assert told["latency"].startswith(f"{target.cost:.4g} ms, ±")
        assert told["source"] == target.cost_source
        assert told["rank"] == "1, on the front"
        page.keyboard.press("Escape")
        assert not tip.is_visible()
        worst = int(ranks_of(handle.points(members)).argmax())
        page.mouse.move(*centre(page, worst))
        assert int(tip.locator("dd").nth(4).text_content().split()[0]) == ranks_of(handle.points(members))[worst] + 1


def test_a_click_copies_the_architecture_and_says_so(
    open_report: Opened, searched: tuple[Laboratory, str], front: list[Member]
) -> None:
    members = searched[0].members(searched[1])[1]
    with open_report(*searched) as page:
        page.mouse.click(*centre(page, members.index(front[1])))
        assert clipboard(page) == front[1].architecture
        assert page.locator("#toast").text_content().startswith("Copied |")
        # Where there is no clipboard to write to, the old way does it.
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
        page.mouse.click(*centre(page, members.index(front[2])))
        assert clipboard(page) == front[2].architecture


def test_brushing_a_range_filters_the_table(
    open_report: Opened, searched: tuple[Laboratory, str], front: list[Member]
) -> None:
    with open_report(*searched) as page:
        page.locator(".strip").scroll_into_view_if_needed()
        box = page.locator(".strip").bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + 420, box["y"] + 20, steps=4)
        page.mouse.up()
        low, high = (float(page.locator(name).input_value()) for name in ("#low", "#high"))
        inside = [m.architecture for m in front if low <= m.cost <= high]
        assert 0 < len(inside) < len(front)
        assert rows(page) == inside
        assert page.locator("#count").text_content().startswith(f"{len(inside)} of {len(front)} networks between")
        page.get_by_role("button", name="Whole range").click()
        assert len(rows(page)) == len(front)
        assert page.locator("#low").input_value() == ""


def test_a_range_can_be_typed_and_holds_for_whatever_the_table_shows(
    open_report: Opened, searched: tuple[Laboratory, str]
) -> None:
    members = searched[0].members(searched[1])[1]
    with open_report(*searched) as page:
        page.locator("#low").focus()
        page.keyboard.type("20")
        page.keyboard.press("Tab")
        page.keyboard.type("30")
        page.keyboard.press("Tab")
        page.get_by_role("button", name=re.compile("^All")).press("Enter")
        inside = [m.architecture for m in sorted(members, key=lambda m: m.cost) if 20 <= m.cost <= 30]
        assert rows(page) == inside[:50]
        assert page.locator("#count").text_content() == f"{len(inside)} of {len(members)} networks between 20 and 30 ms"
        assert page.locator(".brushing .selection").is_visible()


def test_headers_sort_both_ways_and_say_which(
    open_report: Opened, searched: tuple[Laboratory, str], front: list[Member]
) -> None:
    with open_report(*searched) as page:
        header = page.locator("th[data-key=params]")
        assert page.locator("th[data-key=cost]").get_attribute("aria-sort") == "ascending"
        for direction, sign in (("ascending", 1), ("descending", -1)):
            header.get_by_role("button").click()
            assert header.get_attribute("aria-sort") == direction
            assert page.locator("th[aria-sort]").count() == 1
            by_params = [m.params for name in rows(page) for m in front if m.architecture == name]
            assert by_params == sorted((m.params for m in front), key=lambda value: sign * value)


def test_all_is_done_by_keyboard_alone(
    open_report: Opened, searched: tuple[Laboratory, str], front: list[Member]
) -> None:
    members = searched[0].members(searched[1])[1]
    with open_report(*searched) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the table"
        page.keyboard.press("Enter")
        while not page.evaluate("document.activeElement.matches('.arch')"):
            page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.locator("#toast", has_text="Copied").wait_for()
        assert clipboard(page) == front[1].architecture
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        spot = page.locator(".spot")
        assert spot.get_attribute("visibility") == "visible"
        at = page.evaluate(f"field.scale('x').apply(M.cost[{members.index(front[1])}])")
        assert float(spot.get_attribute("cx")) == pytest.approx(at)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "lineage"
        assert front[1].architecture in page.locator("#lineage-caption").text_content()


def luminance(colour: str) -> float:
    channels = [int(colour.strip().lstrip("#")[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_stand_out_in_light_and_dark(
    open_report: Opened, searched: tuple[Laboratory, str], scheme: str
) -> None:
    with open_report(*searched, color_scheme=scheme) as page:
        names = [
            "paper",
            "raised",
            "ink",
            "quiet",
            "accent",
            *(f"niche-{i}" for i in range(7)),
            "conv3",
            "conv1",
            "pool",
        ]
        read = "names => names.map(name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`))"
        colours = dict(zip(names, page.evaluate(read, names), strict=True))
        assert (luminance(colours["paper"]) > 0.5) == (scheme == "light")
        for name in ("ink", "quiet", "accent"):
            assert contrast(colours[name], colours["paper"]) >= 4.5
            assert contrast(colours[name], colours["raised"]) >= 4.5
        for name in names[5:]:
            assert contrast(colours[name], colours["paper"]) >= 3
        assert page.evaluate("getComputedStyle(document.querySelector('.field .layer-front')).stroke") != "none"


def test_it_fits_a_phone_where_a_tap_shows_and_the_next_copies(
    open_report: Opened, searched: tuple[Laboratory, str], front: list[Member]
) -> None:
    members = searched[0].members(searched[1])[1]
    with open_report(*searched, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.get_by_role("button", name=re.compile("^All")).tap()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.evaluate("navigator.clipboard.writeText('nothing')")
        where = centre(page, members.index(front[-1]))
        page.touchscreen.tap(*where)
        box = page.locator("#tip").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert page.locator("#tip code").text_content() == front[-1].architecture
        assert clipboard(page) == "nothing"
        page.touchscreen.tap(*where)
        page.locator("#toast", has_text="Copied").wait_for()
        assert clipboard(page) == front[-1].architecture


def test_print_is_light_and_without_what_only_a_screen_can_do(
    open_report: Opened, searched: tuple[Laboratory, str]
) -> None:
    with open_report(*searched, color_scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not any(page.locator(name).is_visible() for name in (".brush", ".strip", "#shown", "#tip"))
        assert page.locator("#table tbody tr").first.is_visible()


def test_layers_are_shown_and_hidden(open_report: Opened, searched: tuple[Laboratory, str]) -> None:
    with open_report(*searched) as page:
        for layer in ("niche-1", "near", "exact", "front"):
            button = page.locator(f"button[data-layer={layer}]")
            assert button.get_attribute("aria-pressed") == "true"
            assert page.locator(f".field .layer-{layer}").first.is_visible()
            button.click()
            assert button.get_attribute("aria-pressed") == "false"
            assert not page.locator(f".field .layer-{layer}").first.is_visible()


def test_the_figure_is_saved_as_svg_and_png(open_report: Opened, searched: tuple[Laboratory, str]) -> None:
    with open_report(*searched) as page:
        page.locator("button[data-layer=niche-0]").click()
        for kind in ("SVG", "PNG"):
            with page.expect_download() as waiting:
                page.get_by_role("button", name=f"Save {kind}").click()
            assert waiting.value.suggested_filename == f"{searched[1]}.{kind.lower()}"
            content = Path(waiting.value.path()).read_bytes()
            if kind == "PNG":
                assert content.startswith(b"\x89PNG")
            else:
                ET.fromstring(content)
                assert b"var(" not in content
                assert b"layer-niche-1" in content
                assert b"layer-niche-0" not in content


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
    search_id = lab.start_search(device="fpga", max_cost=40.0, operator="conversation").search_id
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


@pytest.mark.parametrize("estimated", [True, False])
def test_an_estimate_of_accuracy_is_called_one(
    open_report: Opened, searched: tuple[Laboratory, str], monkeypatch: pytest.MonkeyPatch, estimated: bool
) -> None:
    def judged(lab: Laboratory, search_id: str) -> dict[str, Any]:
        told = telling.tell(lab, search_id)
        told["truth"] = {
            "estimated": estimated,
            "source": "a table",
            "error": 0.31 if estimated else None,
            "share": 0.98,
            "random": 0.96,
            "best_accuracy": 93.5,
        }
        for point in told["front"]:
            point |= {"accuracy": 91.25, "accuracy_error": 0.31 if estimated else None}
        return told

    monkeypatch.setattr(report, "tell", judged)
    with open_report(*searched) as page:
        told, head = page.locator("#truth").text_content(), page.locator("th[data-key=accuracy]").text_content()
        cell = page.locator("#table tbody tr").first.locator("td").nth(3).text_content()
        if estimated:
            assert told.startswith("By estimated accuracies (a table, error ±0.31 points)")
            assert (head, cell) == ("accuracy, estimated", "about 91.3 %, an estimate ± 0.3")
        else:
            assert told.startswith("By measured accuracies (a table), the front reaches 98.0 %")
            assert (head, cell) == ("accuracy", "91.25 %")


def test_a_search_of_ten_thousand_members_stays_small_and_is_drawn_whole(open_report: Opened, lab: Laboratory) -> None:
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
    landscape = handle.landscape
    cells = list(SPACE.genotypes())[:count]
    for cell in cells:
        landscape.rows[cell] = landscape.rows[SPACE.canonical(cell)]
    names = [SPACE.format(cell) for cell in cells]
    new = [
        {
            "architecture": name,
            "niche": next(n.index for n in handle.niches if n.holds(int(landscape.params[landscape.rows[cell]]))),
            "round": 1 + i // 42,
            "score": (i * 7919 % count) / count,
            "cost": float(landscape.costs.values[landscape.rows[cell]]) * (1 + i / 1e6),
            "params": int(landscape.params[landscape.rows[cell]]),
            "score_source": "atlas",
            "cost_source": landscape.costs.sources[0],
            "origin": r.Origin(
                operator="crossover", parents=[names[i // 2], names[i // 3]], reason=f"reason {i}: " + "x" * 60
            ).model_dump(),
        }
        for i, (cell, name) in enumerate(zip(cells, names, strict=True))
    ]
    for i in range(0, count, 1000):
        lab.store.add_members(search_id, new[i : i + 1000], count)


def test_what_is_embedded_is_json_that_no_text_can_leave() -> None:
    for text in (HOSTILE, "]]>", "\u2028", "<!--<script>"):
        assert "<" not in report.as_json([text])
        assert json.loads(report.as_json([text])) == [text]
