"""GET /stream: the live messages, one struct for each kind."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from medtwin.server.shapes.common import Intended


class BeliefMessage(Struct, kw_only=True):
    patient: str
    quantity: str
    time: datetime
    mean: float
    lower: float
    upper: float
    unit: str
    event: str | None
    latency_ms: float
    replayed_since: datetime | None


class EventMessage(Struct, kw_only=True):
    patient: str
    event: str
    quantity: str
    label: str
    time: datetime
    value: float | None
    unit: str | None
    text: str
    intent: Intended
    flag: str | None


class DisagreementMessage(Struct, kw_only=True):
    patient: str
    id: str
    status: Literal["open", "answered", "closed"]
    question: str
    open: int


class QuarantineMessage(Struct, kw_only=True):
    id: str
    file: str
    resolved: bool
    total: int


class HelloMessage(Struct, kw_only=True):
    now: datetime
    version: str
