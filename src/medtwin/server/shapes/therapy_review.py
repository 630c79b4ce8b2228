"""GET /patients/{patient}/therapy-review: settings of insulin reviewed on the person's own days, in words."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from medtwin.server.shapes.glucose_report import ReportFile


class ReviewRow(Struct, kw_only=True):
    """One setting in words, as the printed review has it; what belongs to a suggestion is empty where there is none."""

    setting: str
    in_use: str
    daily: str  #: U a day
    suggestion: str
    in_range: str  #: change of time in range, points, with its 90 % interval
    below_70: str  #: % of time then
    risk: str  #: chance of too many lows then
    why: str


class TherapyReviewPage(Struct, kw_only=True):
    now: datetime
    patient: str
    synthetic: bool
    at: datetime  #: the days end at or shortly before it
    days: int
    summary: str
    together: str | None  #: all suggestions at once, where there are several
    withheld: str | None  #: why nothing is suggested of this person
    limit: str  #: of hypoglycaemia, beyond which no more insulin is suggested
    rows: list[ReviewRow]
    files: list[ReportFile]
    notes: list[str]
