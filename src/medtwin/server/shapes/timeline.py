"""GET /patients/{patient}/timeline: measurements, belief and inputs of one window."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from medtwin.server.shapes.common import Band, DisplayUnit, Intended, Numbers, Target


class InputMark(Struct, kw_only=True):
    event: str | None
    quantity: str
    label: str
    time: datetime
    until: datetime | None
    value: float
    unit: str
    intent: Intended
    inferred: bool


class PlausibleRange(Struct, kw_only=True):
    lower: float
    upper: float


class Measurements(Struct, kw_only=True):
    times: list[datetime]
    values: list[float]
    sd: Numbers
    flags: list[str | None]
    events: list[str]
    omitted: int  #: older ones in the window that are too many to send


class Timeline(Struct, kw_only=True):
    now: datetime
    patient: str
    quantity: str
    label: str
    unit: str
    display_units: list[DisplayUnit]
    plausible: PlausibleRange
    target: Target | None
    since: datetime
    until: datetime
    measurements: Measurements
    belief: Band | None
    inputs: list[InputMark]
