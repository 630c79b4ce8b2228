"""GET /patients/{patient}/raw/{hash}: the bytes that a fact was read from."""

from __future__ import annotations

from msgspec import Struct


class Highlight(Struct, kw_only=True):
    start: int
    end: int


class RawExcerpt(Struct, kw_only=True):
    hash: str
    file: str | None
    media_type: str
    size: int
    locator: str | None
    start: int
    text: str
    highlight: Highlight | None
    truncated_before: bool
    truncated_after: bool
