"""A browser for tests, and the guard that stands behind every page: no error in the console, no request elsewhere."""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ON_MAC = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 60_000  #: ms that a page is given: a first answer is compiled, and a machine may be busy
expect.set_options(timeout=PATIENCE)


def chromium_path() -> str:
    """MEDTWIN_CHROMIUM, else a Chromium or Chrome on PATH or in the Mac's usual places."""
    named = os.environ.get("MEDTWIN_CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in NAMES]
    found += [path for path in ON_MAC if not named and Path(path).exists()]
    for path in found:
        if path:
            return path
    raise RuntimeError(
        "found no Chromium: expected MEDTWIN_CHROMIUM, or one of "
        f"{', '.join(NAMES)} on PATH. `make test` installs it on Debian; elsewhere install it or set MEDTWIN_CHROMIUM."
    )


class PageGuard:
    """Opens pages and remembers what must not happen on them.

    `page = page_guard.open(url, width=390, height=844, scheme="dark")`. At the end of the test each console error, page
    error and request off the page's origin fails it, unless a pattern in `page_guard.allowed` names it.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.contexts: list[BrowserContext] = []
        self.found: list[str] = []
        self.allowed: list[str] = []

    def open(self, url: str, *, width: int = 1440, height: int = 900, scheme: Any = "light", **options: Any) -> Page:
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB", **options
        )
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        page = context.new_page()
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))

        def on_request(request: Any) -> None:
            if not request.url.startswith((f"{origin}/", "data:", "blob:")):
                self.found.append(f"request off the origin {origin}: {request.url}")

        page.on("request", on_request)
        page.on("console", lambda said: self.found.append(f"console: {said.text}") if said.type == "error" else None)
        page.on("pageerror", lambda error: self.found.append(f"page error: {error}"))
        page.goto(url)
        return page

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        self.contexts.clear()

    def verdict(self) -> None:
        bad = [entry for entry in self.found if not any(re.search(pattern, entry) for pattern in self.allowed)]
        assert not bad, "the page did what it must not do:\n" + "\n".join(bad)


@functools.cache
def _running() -> Browser:
    """One headless browser for the whole run, whichever folder's tests ask first: a process has one Playwright."""
    playwright = sync_playwright().start()
    browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))

    def end() -> None:
        browser.close()
        playwright.stop()

    atexit.register(end)
    return browser


@pytest.fixture(scope="session")
def chromium() -> Browser:
    """The browser."""
    return _running()


@pytest.fixture
def page_guard(chromium: Browser) -> Iterator[PageGuard]:
    """Opens pages; fails the test on any console error, page error or request off the origin."""
    guard = PageGuard(chromium)
    yield guard
    guard.close()
    guard.verdict()
