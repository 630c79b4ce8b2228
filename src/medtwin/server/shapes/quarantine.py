"""GET /quarantine: what was not understood; POST /quarantine/{item}/replay: what came of another try."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class QuarantineReason(Struct, kw_only=True):
    found: str
    expected: str
    where: str
    todo: str


class QuarantineItem(Struct, kw_only=True):
    id: str
    time: datetime
    file: str
    size: int
    dialect: str | None
    patient: str | None
    reason: QuarantineReason
    excerpt: str | None
    replays: int


class Quarantine(Struct, kw_only=True):
    now: datetime
    items: list[QuarantineItem]


class ReplayResult(Struct, kw_only=True):
    id: str
    resolved: bool
    new_facts: int
    duplicates: int
    still: QuarantineItem | None
