"""Pages in a real browser: Debian's Chromium, driven by playwright, without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.thorough import HUNG

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def binary() -> str | None:
    """The browser's program, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browser(program: str) -> Iterator[Browser]:
    """Runs a browser; while it does, no other event loop can run in this thread."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield running
        finally:
            running.close()


@contextmanager
def opened(running: Browser, path: Path, **how: Any) -> Iterator[Page]:
    """A page from a file, drawn. At the end it must have raised no error, said nothing and asked for nothing else."""
    context = running.new_context(**{"viewport": {"width": 1280, "height": 900}, **how})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(HUNG * 1000)
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    # An address that is data holds what it is for; nothing leaves for it.
    page.on("request", lambda request: asked.append(request.url) if not request.url.startswith("data:") else None)
    try:
        page.goto(path.as_uri())
        assert page.evaluate("performance.getEntriesByName('drawn').length") == 1
        yield page
    finally:
        context.close()
    assert said == []
    assert asked == [path.as_uri()]
