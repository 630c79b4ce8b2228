"""GET /status: the server itself."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Status(Struct, kw_only=True):
    now: datetime
    version: str
    warm: bool
    store: str
    patients: int
    events: int
    quarantined: int
    research_notice: str
