"""How large is a report, and how fast does it open? Each line is measured in this run, on this machine.

    python perf/report.py

The page is opened in Debian's Chromium; "drawn" is from the start of the navigation to the end of the page's scripts,
"painted" to the second frame after that. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from llmnas_mcp.reports import html_report
from llmnas_mcp.results import Origin
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PAINTED = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() =>
    done([performance.getEntriesByName("drawn")[0].startTime, performance.now()]))))"""


def search_of(lab: Laboratory, count: int) -> str:
    """A search with so many members, put straight into the store: there are fewer distinct cells than 10,000."""
    search_id = lab.start_search(device="raspi4", evaluations=count, operator="evolution").search_id
    handle, _ = lab.members(search_id)
    space, landscape = handle.space, handle.landscape
    cells = [tuple(map(int, cell)) for cell in np.random.default_rng(0).permutation(list(space.genotypes()))[:count]]
    names = [space.format(cell) for cell in cells]
    canonical = [space.canonical(cell) for cell in cells]
    scores, costs = landscape.scores(canonical).score, landscape.costs(canonical)
    sizes = landscape.params(canonical).tolist()
    new = []
    for i, (name, params) in enumerate(zip(names, sizes, strict=True)):
        origin = Origin(
            operator="crossover", parents=[names[i // 2], names[i // 3]], reason=f"a reason of its own, {i}"
        )
        new.append(
            {
                "architecture": name,
                "niche": handle.home(params),
                "round": 1 + i // 42,
                "score": float(scores[i]),
                "costs": costs.values[i].tolist(),
                "params": params,
                "score_source": "atlas",
                "cost_sources": costs.sources[i],
                "origin": origin.model_dump(),
            }
        )
    for start in range(0, count, 1000):
        lab.store.add_members(search_id, new[start : start + 1000], count)
    return search_id


def opening(browser: Browser, path: Path) -> tuple[float, float]:
    """Seconds until the page is drawn, and until it is painted: the median of five."""
    took = []
    for _ in range(5):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        took.append(page.evaluate(PAINTED))
        page.close()
    drawn, painted = np.median(took, axis=0) / 1000
    return float(drawn), float(painted)


def main() -> None:
    """Print a line for each size of a search."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("Chromium is not here: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Laboratory(Settings(store=f"sqlite:///{folder}/llmnas.db", data=Path(folder)))
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for count in (400, 10_000):
            search_id = search_of(lab, count)
            began = time.perf_counter()
            text = html_report(lab, search_id)
            made = time.perf_counter() - began
            path = Path(folder) / "report.html"
            path.write_text(text, encoding="utf-8")
            drawn, painted = opening(browser, path)
            print(
                f"report of {count:6,} members: {path.stat().st_size / 1e6:.2f} MB, made in {made:.1f} s,"
                f" drawn in {drawn:.2f} s, painted in {painted:.2f} s"
            )
        browser.close()
        lab.close()


if __name__ == "__main__":
    main()
