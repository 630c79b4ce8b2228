"""The browser for the report's page."""

from browser.guard import chromium, page_guard

__all__ = ["chromium", "page_guard"]
