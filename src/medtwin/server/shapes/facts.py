"""GET /patients/{patient}/events and /events/{event}: the record, with provenance; POST /facts: what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from medtwin.server.shapes.common import Intended, Value


class Provenance(Struct, kw_only=True):
    system: str
    file: str | None
    locator: str | None
    raw_hash: str | None


class Coded(Struct, kw_only=True):
    system: str
    code: str
    display: str


class EventRow(Struct, kw_only=True):
    id: str
    quantity: str
    label: str
    value: float | None
    code: Coded | None
    artifact: str | None
    unit: str | None
    sd: float | None
    comparator: Literal["<", "<=", ">", ">="] | None
    text: str | None
    time: datetime | None
    until: datetime | None
    precision: Literal["instant", "minute", "hour", "day", "month", "year"]
    offset_known: bool
    available: datetime
    recorded: int
    recorded_at: datetime
    intent: Intended
    status: Literal["preliminary", "final", "corrected", "entered-in-error"]
    basis: Literal["observed", "derived"]
    flags: list[str]
    group: str | None
    source: Provenance
    superseded_by: str | None


class QuantityCount(Struct, kw_only=True):
    quantity: str
    label: str
    count: int


class EventPage(Struct, kw_only=True):
    now: datetime
    patient: str
    total: int
    offset: int
    limit: int
    quantities: list[QuantityCount]
    events: list[EventRow]


class SurpriseShown(Struct, kw_only=True):
    expected: Value
    log_density: float
    rank: float
    explanation: str | None


class EventDetail(Struct, kw_only=True):
    now: datetime
    patient: str
    event: EventRow
    chain: list[EventRow]
    group: list[EventRow]
    surprise: SurpriseShown | None


class Accepted(Struct, kw_only=True):
    """What became of facts that were sent; it exists only after the commit reached the disk."""

    events: list[str]  #: ids of the facts in what was sent, new and known ones
    new: int
    duplicate: int
    superseded: int
    unassigned: int
    quarantined: int
    reasons: list[str]
    patients: list[str]
    sequence: int
