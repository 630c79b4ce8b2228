"""GET and POST /patients/{patient}/decisions: what was decided, what happened, how far it surprised the twin."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from medtwin.server.shapes.common import Value
from medtwin.server.shapes.what_if import PlannedEvent


class DecisionRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    hours: float
    suggested: list[PlannedEvent]
    verdict: Literal["accepted", "changed", "refused"]
    planned: list[PlannedEvent] = []  #: what it was changed to; of another verdict nothing
    because: str = ""


class OutcomePoint(Struct, kw_only=True):
    """A reading after the decision, in what was promised."""

    time: datetime
    measured: float
    lower: float
    median: float
    upper: float
    place: float  #: in the promised distribution, 0 to 1


class DecisionShown(Struct, kw_only=True):
    id: str
    question: str
    verdict: str
    by: str
    because: str
    suggested_by: str
    decided_at: datetime
    unit: str
    planned: list[PlannedEvent]
    carried: str  #: carried out | not recorded | otherwise | open
    why: str
    promised: Value | None  #: two hours later, 90 %
    measured: Value | None  #: the reading nearest two hours
    counted: bool
    inside: float | None  #: share of readings within the promised 90 %
    readings: list[OutcomePoint]


class PromisesKept(Struct, kw_only=True):
    decisions: int
    counted: int
    inside: int
    lower: float | None  #: exact 95 % interval of the share
    upper: float | None


class Decisions(Struct, kw_only=True):
    now: datetime
    patient: str
    synthetic: bool
    decisions: list[DecisionShown]
    kept: PromisesKept
