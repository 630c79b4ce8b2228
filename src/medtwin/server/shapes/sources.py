"""GET /sources: how often each system sends, and when it last did; also part of a patient."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from medtwin.server.shapes.common import Freshness


class SourceStatus(Struct, kw_only=True):
    system: str
    label: str
    first: datetime | None
    last: datetime | None
    received: datetime | None
    facts: int
    quarantined: int
    expected_every_s: float | None
    latency_s: float | None
    state: Freshness | None


class SourceOfAll(Struct, kw_only=True):
    system: str
    label: str
    first: datetime | None
    last: datetime | None
    received: datetime | None
    facts: int
    quarantined: int
    expected_every_s: float | None
    latency_s: float | None
    state: Freshness | None
    patients: int


class Sources(Struct, kw_only=True):
    now: datetime
    sources: list[SourceOfAll]
    unassigned: int
