"""Browser tests share one Chromium; the page's own tests run it on made-up people."""

from collections.abc import Iterator

import pytest

from browser.fixture_server import STATIC, Server
from browser.guard import chromium, page_guard

__all__ = ["chromium", "made_up", "page_guard"]


@pytest.fixture
def made_up() -> Iterator[Server]:
    """The fixture server: the page, and made-up people behind its API."""
    if not (STATIC / "index.html").is_file():
        pytest.fail(f"the page is not built: expected {STATIC / 'index.html'}. Run `make ui`.")
    with Server() as server:
        yield server
