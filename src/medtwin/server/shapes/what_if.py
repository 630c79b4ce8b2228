"""POST /patients/{patient}/what-if: a plan, and two futures with and without it."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from medtwin.server.shapes.common import DisplayUnit, Target, Value
from medtwin.server.shapes.forecast import ForecastBasis, Future


class PlannedEvent(Struct, kw_only=True, forbid_unknown_fields=True):
    quantity: str
    value: float
    unit: str
    time: datetime
    until: datetime | None = None  #: the end of what lasts: a walk's heart rate, a meal


class WhatIfRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    hours: float
    planned: list[PlannedEvent]
    quantity: str | UnsetType = UNSET


class Difference(Struct, kw_only=True):
    median: list[float]
    lower90: list[float]
    upper90: list[float]


class Outcome(Struct, kw_only=True):
    label: str
    baseline: Value
    scenario: Value


class WhatIf(Struct, kw_only=True):
    now: datetime
    patient: str
    quantity: str
    label: str
    unit: str
    display_units: list[DisplayUnit]
    made_at: datetime
    basis: ForecastBasis
    withheld: str | None
    widened: str | None
    target: Target | None
    times: list[datetime]
    baseline: Future
    scenario: Future
    difference: Difference
    outcomes: list[Outcome]
    planned: list[PlannedEvent]
