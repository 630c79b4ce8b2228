"""GET /patients: who there is, who is stale, who disagrees; a patient's own page shows the same parts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from medtwin.server.shapes.common import DisplayUnit, Freshness, Numbers, Value


class Channel(Struct, kw_only=True):
    quantity: str
    label: str
    last: datetime | None
    expected_every_s: float | None
    state: Freshness | None  #: None: measured too seldom to be late


class ModelStatus(Struct, kw_only=True):
    kind: Literal["physiological", "statistical"]
    name: str
    reason: str | None


class ForecastSummary(Struct, kw_only=True):
    """One line about the future; with ``withheld`` true only ``reason`` is there."""

    withheld: bool
    reason: str | UnsetType = UNSET
    horizon_minutes: float | UnsetType = UNSET
    quantity: str | UnsetType = UNSET
    value: Value | UnsetType = UNSET
    text: str | UnsetType = UNSET
    made_at: datetime | UnsetType = UNSET


class LastDatum(Struct, kw_only=True):
    quantity: str
    label: str
    time: datetime


class LastChange(Struct, kw_only=True):
    time: datetime
    text: str
    event: str | None


class Headline(Struct, kw_only=True):
    quantity: str
    label: str
    value: Value
    display_units: list[DisplayUnit]


class Recent(Struct, kw_only=True):
    times: list[datetime]
    values: Numbers
    unit: str


class PatientSummary(Struct, kw_only=True):
    as_of: datetime | None  #: shown as of then, since nothing was heard for three weeks; else null
    id: str
    name: str
    synthetic: bool
    last_datum: LastDatum | None
    last_change: LastChange | None
    channels: list[Channel]
    open_disagreements: int
    model: ModelStatus
    headline: Headline | None
    forecast: ForecastSummary | None
    recent: Recent | None


class Worklist(Struct, kw_only=True):
    now: datetime
    patients: list[PatientSummary]
