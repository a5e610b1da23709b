"""The report in a real browser: what a reader sees, points at, types and copies."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmnas_mcp.pareto import ranks_of
from llmnas_mcp.search.learning import LEAST_TRAINED
from llmnas_mcp.search.members import Member, front_members
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.spaces import get_space, registry
from llmnas_mcp.spaces.nasbench201.encoding import OPERATIONS, POSITIONS
from llmnas_mcp.spaces.nasbench201.topology import topology
from tests.reports.conftest import Opened, play, rows
from tests.thorough import examples

ROOT = Path(__file__).parents[2]
SPACE = get_space("nasbench201")
CELLS = st.tuples(*(st.integers(0, len(OPERATIONS) - 1) for _ in POSITIONS))


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


def clipboard(page: Any) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def centre(page: Any, member: int) -> tuple[float, float]:
    """Where a network is drawn, on the screen."""
    page.locator("svg.field").scroll_into_view_if_needed()
    box = page.locator("svg.field").bounding_box()
    x, y = page.evaluate(f"['x', 'y'].map((name, i) => field.scale(name).apply(value(state.pair[i], {member})))")
    return box["x"] + x, box["y"] + y


@settings(max_examples=examples(60))
@given(cells=st.lists(CELLS, min_size=1, max_size=40))
def test_the_drawn_graph_is_the_parsed_architecture(canvas: Any, cells: list[tuple[int, ...]]) -> None:
    for cell, edges in zip(cells, drawn(canvas, cells), strict=True):
        parsed = SPACE.parse(SPACE.format(cell))
        expected = {(*map(int, where.split("->")), OPERATIONS[op]) for where, op in zip(POSITIONS, parsed, strict=True)}
        assert {(source, target, op) for source, target, op, _ in edges} == expected
        assert len(edges) == len(POSITIONS)


@settings(max_examples=examples(40))
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
        assert answer.startswith(f"{len(front)} networks from {front[0].costs[0]:.3g} to {front[-1].costs[0]:.3g} ms")
        assert "Raspberry Pi 4" in page.title()
        share = searched[0].compute_pareto_front(searched[1]).share
        assert f"Hypervolume {share:.4f} of the best there is" in page.locator("#added").text_content()
        told = page.locator("#meaning").text_content()
        assert "It is not an accuracy" in told
        assert "0.947 (95 % interval 0.926 to 0.959)" in told
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
        assert told["latency"].startswith(f"{target.costs[0]:.4g} ms, ±")
        assert told["source"] == target.cost_sources[0]
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
        inside = [m.architecture for m in front if low <= m.costs[0] <= high]
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
        inside = [m.architecture for m in sorted(members, key=lambda m: m.costs) if 20 <= m.costs[0] <= 30]
        assert rows(page) == inside[:50]
        assert page.locator("#count").text_content() == f"{len(inside)} of {len(members)} networks between 20 and 30 ms"
        assert page.locator(".brushing .selection").is_visible()


def test_headers_sort_both_ways_and_say_which(
    open_report: Opened, searched: tuple[Laboratory, str], front: list[Member]
) -> None:
    with open_report(*searched) as page:
        header = page.locator("th[data-key=params]")
        assert page.locator("th[data-key=cost-0]").get_attribute("aria-sort") == "ascending"
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
        at = page.evaluate(f"field.scale('x').apply(M.costs[0][{members.index(front[1])}])")
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
        assert not box["y"] <= where[1] <= box["y"] + box["height"]
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


@pytest.mark.parametrize("name", ["fbnet", "tinynet"])
def test_a_network_that_is_no_cell_is_drawn_position_by_position(
    open_report: Opened, lab: Laboratory, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "tinynet":
        monkeypatch.setattr(registry, "_of_process", {})
        registry.add_for_process(f"{ROOT}/examples/tinynet.py:TinyNet")
    where: dict[str, Any] = {"space": name, "dataset": "cifar100", "device": None, "objective": "macs"}
    search_id = play(lab, 2, **where, niches=2, offspring=3, scored_by="params")
    space, (handle, members) = get_space(name), lab.members(search_id)
    best = front_members(members, handle.scale)
    with open_report(lab, search_id) as page:
        assert rows(page) == [m.architecture for m in best]
        assert page.locator("#table tbody .arch").all_text_contents() == [space.short(m.genotype) for m in best]
        read = "all => all.map((one) => `${one.dataset.position}=${one.dataset.op}`)"
        for row, member in zip(page.locator("#table tbody tr").all(), best, strict=True):
            shown = ",".join(row.locator("svg.cell [data-op]").evaluate_all(read))
            assert shown == member.architecture  # the positions that matter, in their order
        page.mouse.move(*centre(page, members.index(best[-1])))
        assert page.locator("#tip svg.cell rect").count() == shown.count("=")
        assert "cell" not in page.locator("main").inner_text().lower().replace("cancelled", "")
        listed = name == "tinynet"
        assert ("grey: all that can run" in page.locator("#ranges-caption").inner_text()) == listed
        assert page.locator("#lineage-plot svg.cell").count() > 0


def test_a_transformer_is_drawn_with_a_column_a_layer_its_heads_and_its_mlp(
    open_report: Opened, lab: Laboratory
) -> None:
    asked: dict[str, Any] = {"space": "autoformer-tiny", "device": None, "objective": "macs", "niches": 2}
    search_id = play(lab, 6, **asked, offspring=4, evaluations=40)
    space, (handle, members) = get_space("autoformer-tiny"), lab.members(search_id)
    best = front_members(members, handle.scale)
    read = "all => all.map((one) => [one.dataset.heads, one.dataset.ratio])"
    with open_report(lab, search_id) as page:
        for row, member in zip(page.locator("#table tbody tr").all(), best, strict=True):
            chosen = space.chosen(member.genotype)
            layers = row.locator("svg.cell [data-heads]").evaluate_all(read)
            wanted = [[f"{chosen[f'heads.{i}']}", f"{chosen[f'mlp_ratio.{i}']}"] for i in range(chosen["depth"])]
            assert layers == wanted
            assert row.locator("svg.cell rect").count() == sum(chosen[f"heads.{i}"] + 1 for i in range(chosen["depth"]))
        page.mouse.move(*centre(page, members.index(best[-1])))
        told = page.locator("#tip").inner_text()
        chosen = space.chosen(best[-1].genotype)
        assert f"{chosen['depth']} layers, {chosen['embed_dim']} wide" in told
        assert "inherited accuracy" in told
        assert "By estimated inherited accuracies" in page.locator("#truth").inner_text()
        assert "cell" not in page.locator("main").inner_text().lower().replace("cancelled", "")
        assert "attention heads" in page.locator("#operations").inner_text()


def test_trained_accuracies_have_a_column_of_their_own_beside_scores(open_report: Opened, lab: Laboratory) -> None:
    search_id = play(lab, 1)
    _, members = lab.members(search_id)
    other, best = sorted(members, key=lambda member: member.score)[-2:]
    lab.store.add_training(training(best, 98.6))
    lab.store.add_training(training(other, 98.5))
    with open_report(lab, search_id) as page:
        head = page.locator("#table th", has_text="trained on digits: held out / test (%)")
        head.get_by_role("button").click()
        head.get_by_role("button").click()
        first = page.locator("#table tbody tr").first
        assert "98.60 / 97.21 after 3 of 12 epochs" in first.inner_text()
        assert f"{best.score:.4f}" in first.inner_text()
        assert "trained (own training on digits, 3 of 12 epochs)" in page.locator("#accuracy-caption").inner_text()


def training(member: Member, valid: float) -> dict[str, Any]:
    """A training as the store remembers it."""
    record = {"key": member.architecture, "space": "nasbench201", "architecture": member.architecture, "data": "digits"}
    figures = {"epochs": 3, "of_epochs": 12, "seed": 0, "valid": valid, "test": 97.21, "seconds": 1.0}
    return {**record, **figures, "digest": "d", "recipe": {}, "split": {}, "weights": "k.pt"}


def test_accuracies_have_a_figure_where_there_are_any_and_the_learned_are_told_from_the_trained(
    open_report: Opened, lab: Laboratory
) -> None:
    search_id = play(lab, 2)
    _, members = lab.members(search_id)
    with open_report(lab, search_id) as page:
        assert not page.locator("#accuracy").is_visible()
    for i, member in enumerate(members[:LEAST_TRAINED]):
        lab.store.add_training(training(member, 80.0 + i % 7))
    with open_report(lab, search_id) as page:
        assert page.locator("#accuracy").is_visible()
        assert page.locator("#accuracy-plot circle").count() == len(members)
        assert "learned from 20 own trainings on digits, 3 epochs, ± " in page.locator("#accuracy-caption").inner_text()
        rows = page.locator("#accuracy table tbody tr")
        assert rows.count() == len(members)
        assert [rows.nth(0).locator("td").nth(i).text_content() for i in (1, 2)] == ["80.00", "trained"]
        assert rows.last.locator("td").nth(2).text_content() == "learned"
        assert page.locator("#table th", has_text="learned accuracy (%, ±").count() == 1
