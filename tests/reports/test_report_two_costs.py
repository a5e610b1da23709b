"""The report of a search for two costs in a real browser: one figure, for whichever two of costs and score."""

from __future__ import annotations

import re
from typing import Any

import pytest

from llmnas_mcp.search.members import Member, front_members
from llmnas_mcp.search.service import Laboratory
from tests.reports.conftest import Opened, rows
from tests.reports.test_report_page import centre

# What each button says, and of each axis what it shows: a cost by number, or the score, which is the last.
PAIRS = {"latency and score": (0, 2), "energy and score": (1, 2), "latency and energy": (0, 1)}
LABELS = ("latency on NVIDIA", "energy on NVIDIA", "zero-cost score")
UNITS = ("ms", "mJ")


@pytest.fixture(scope="module")
def found(for_two: tuple[Laboratory, str]) -> tuple[list[Member], list[Member]]:
    """The members, and the front by rising latency."""
    handle, members = for_two[0].members(for_two[1])
    return members, front_members(members, handle.scale)


def place(member: Member, axes: tuple[int, int]) -> tuple[float, float]:
    both = (*member.costs, member.score)
    return both[axes[0]], both[axes[1]]


def best_alone(front: list[Member], axes: tuple[int, int]) -> list[tuple[float, float]]:
    """Of the front, the places that nothing beats in these two alone, by rising first."""
    up = -1 if axes[1] == 2 else 1  # scores are better up
    places = {(x, up * y) for x, y in (place(m, axes) for m in front)}
    return sorted(
        (x, up * y)
        for x, y in places
        if not any(other[0] <= x and other[1] <= y and other != (x, y) for other in places)
    )


def press(page: Any, name: str) -> None:
    page.locator("#pairs").get_by_role("button", name=name, exact=True).click()
    assert page.locator("#pairs button[aria-pressed=true]").all_text_contents() == [name]


def test_the_page_tells_both_costs_wherever_it_tells_one(
    open_report: Opened, for_two: tuple[Laboratory, str], found: tuple[list[Member], list[Member]]
) -> None:
    _, front = found
    with open_report(*for_two) as page:
        answer = page.locator("#answer").text_content()
        for i, unit in enumerate(UNITS):
            costs = [m.costs[i] for m in front]
            assert f"{min(costs):.3g} to {max(costs):.3g} {unit}" in answer
        settings = page.locator("#settings").inner_text()
        assert "latency (ms); energy (mJ), at most 60" in settings
        assert "at most 1 M parameters" in settings
        meaning = page.locator("#meaning").text_content()
        assert meaning.count("fitted:hwnasbench (median relative error") == 2
        assert "cube of both scaled costs and 1 − score" in meaning
        assert "reference point (1, 1, 1)" in meaning
        assert "Dotted: the limit of 60 mJ." in page.locator("#front-caption").text_content()
        command = page.locator("#command pre").text_content()
        assert "--objective latency --objective energy --operator evolution" in command
        heads = [page.locator(f"th[data-key=cost-{i}]").text_content() for i in (0, 1)]
        assert heads == ["latency (ms)", "energy (mJ)"]
        numbers = page.locator("#table tbody tr").first.locator("td.number")
        assert [float(numbers.nth(i).text_content()) for i in (1, 2)] == pytest.approx(front[0].costs, rel=1e-3)
        assert page.locator("th[data-key=cost-0]").get_attribute("aria-sort") == "ascending"
        page.locator("th[data-key=cost-1] button").click()
        energies = {m.architecture: m.costs[1] for m in front}
        assert [energies[name] for name in rows(page)] == sorted(energies.values())
        assert re.search(r"\(0\.\d{4}, [\d.]+ ms, [\d.]+ mJ\)", page.locator("#lineage-caption").text_content())


def test_each_two_of_costs_and_score_are_drawn_at_a_press_of_their_button(
    open_report: Opened, for_two: tuple[Laboratory, str], found: tuple[list[Member], list[Member]]
) -> None:
    members, front = found
    target = front[len(front) // 2]
    number = members.index(target)
    with open_report(*for_two) as page:
        assert page.locator("#pairs button").all_text_contents() == list(PAIRS)
        assert page.locator("#pairs button[aria-pressed=true]").all_text_contents() == ["latency and score"]
        for name, axes in [*PAIRS.items(), *list(PAIRS.items())[:1]]:
            press(page, name)
            for axis, which in zip("xy", axes, strict=True):
                label = page.locator(f"svg.field [aria-label='{axis}-axis label']").text_content()
                assert LABELS[which] in label
            drawn = page.locator(".field [class^=layer-niche] path, .field [class^=layer-niche] circle")
            assert drawn.count() == len(members)
            # The line has a step for each network that is best in these two alone.
            read = """places => [places.map(([x, y]) => [field.scale('x').apply(x), field.scale('y').apply(y)]),
                [...document.querySelectorAll('.field .layer-front path')].map(path => path.getAttribute('d'))]"""
            places, paths = page.evaluate(read, best_alone(front, axes))
            line = max(paths, key=len)
            corners = [tuple(map(float, corner.split(","))) for corner in re.findall(r"[ML]([\d.,-]+)", line)]
            assert corners[::2] == [pytest.approx(tuple(at), abs=0.01) for at in places]
            x, y = centre(page, number)
            page.mouse.move(x, y)
            tip = page.locator("#tip")
            told = dict(zip(tip.locator("dt").all_text_contents(), tip.locator("dd").all_text_contents(), strict=True))
            assert re.fullmatch(r"[\d.]+ ms, ±[\d.]+ %", told["latency"])
            assert re.fullmatch(r"[\d.]+ mJ, ±[\d.]+ %", told["energy"])
            assert told["source"] == "fitted:hwnasbench"
            page.keyboard.press("Escape")
            # What stands below the figure is of its first cost.
            of, unit = ("latency", "energy")[axes[0]], UNITS[axes[0]]
            assert page.locator(".brush .unit").text_content() == unit
            assert page.locator("#ranges-caption").text_content().startswith(f"Figure 4. Ranges of {of}.")
            assert page.locator(".strip").text_content() == f"drag to choose a range of {of}"


def test_a_range_is_of_the_pairs_first_cost_and_ends_with_the_pair_while_hidden_layers_stay_hidden(
    open_report: Opened, for_two: tuple[Laboratory, str], found: tuple[list[Member], list[Member]]
) -> None:
    _, front = found
    energies = sorted(m.costs[1] for m in front)
    low, high = round(energies[1], 1), round(energies[-2], 1)
    with open_report(*for_two) as page:
        page.locator("button[data-layer=near]").click()
        press(page, "energy and score")
        page.locator("#low").focus()
        for end in (low, high):
            page.keyboard.type(str(end))
            page.keyboard.press("Tab")
        inside = [m.architecture for m in front if low <= m.costs[1] <= high]
        assert 0 < len(inside) < len(front)
        assert sorted(rows(page)) == sorted(inside)
        count = page.locator("#count").text_content()
        assert count == f"{len(inside)} of {len(front)} networks between {low:g} and {high:g} mJ"
        press(page, "latency and energy")
        assert len(rows(page)) == len(front)
        assert page.locator("#low").input_value() == ""
        assert not page.locator(".field .layer-near").first.is_visible()
        assert page.locator("button[data-layer=near]").get_attribute("aria-pressed") == "false"


def test_who_chooses_a_pair_by_keyboard_stays_on_its_button(
    open_report: Opened, for_two: tuple[Laboratory, str]
) -> None:
    with open_report(*for_two) as page:
        page.locator("#pairs button").last.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.textContent") == "latency and energy"


def test_a_page_for_one_cost_offers_no_pairs(open_report: Opened, searched: tuple[Laboratory, str]) -> None:
    with open_report(*searched) as page:
        assert not page.locator("#pairs").is_visible()


def test_the_buttons_of_pairs_fit_a_phone_and_stay_off_paper(
    open_report: Opened, for_two: tuple[Laboratory, str]
) -> None:
    with open_report(*for_two, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as page:
        page.locator("#pairs button").last.tap()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.emulate_media(media="print")
        assert not page.locator("#pairs").is_visible()
