"""GET /patients/{patient}/glucose-report: the one-page report in words, rows and figures."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class ReportRow(Struct, kw_only=True):
    """One metric in words, as the printed report has it."""

    name: str
    value: str
    unit: str
    interval: str
    goal: str
    before: str


class ReportFigure(Struct, kw_only=True):
    path: str  #: of its SVG, under the API's prefix
    title: str
    description: str
    caption: str
    width: float
    height: float


class ReportFile(Struct, kw_only=True):
    path: str
    label: str


class GlucoseReportPage(Struct, kw_only=True):
    now: datetime
    patient: str
    synthetic: bool
    since: datetime
    until: datetime
    days: int
    unit: str
    units: list[str]
    active: float  #: % of the period with readings
    summary: str
    rule: str | None  #: why these numbers may not speak for the person
    rows: list[ReportRow]
    figures: list[ReportFigure]
    files: list[ReportFile]
    notes: list[str]
