"""GET /patients/{patient}: one of them, with sources, models, what is withheld and what may be planned."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from medtwin.server.shapes.sources import SourceStatus
from medtwin.server.shapes.worklist import Channel, Headline, LastDatum


class Withheld(Struct, kw_only=True):
    parameter: str
    label: str
    reason: str


class PlannableInput(Struct, kw_only=True):
    quantity: str
    label: str
    unit: str
    min: float
    max: float
    step: float
    default: float


class Identifier(Struct, kw_only=True):
    system: str
    value: str


class Zone(Struct, kw_only=True):
    name: str | None
    offset_known: bool


class ModelDetail(Struct, kw_only=True):
    kind: Literal["physiological", "statistical"]
    name: str
    reason: str | None
    quantities: list[str]
    references: list[str]


class TimelineChoice(Struct, kw_only=True):
    quantity: str
    label: str
    unit: str
    measured: bool  #: in this person, ever; else a belief of it is the model's alone
    window_hours: int  #: the window to begin with: the shortest that shows a dozen readings


class PatientDetail(Struct, kw_only=True):
    as_of: datetime | None  #: shown as of then, the last reading, since nothing was heard for three weeks; else null
    now: datetime
    id: str
    name: str
    synthetic: bool
    identifiers: list[Identifier]
    sex: str | None
    birth: str | None
    zone: Zone
    sources: list[SourceStatus]
    models: list[ModelDetail]
    channels: list[Channel]
    withheld: list[Withheld]
    timelines: list[TimelineChoice]
    planned_inputs: list[PlannableInput]
    what_if_reason: str | None
    last_datum: LastDatum | None
    headline: Headline | None
    open_disagreements: int
    belief_hash: str | None
