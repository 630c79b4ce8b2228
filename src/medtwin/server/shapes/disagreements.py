"""GET /patients/{patient}/disagreements: what does not fit, what would explain it; POST .../answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from medtwin.server.shapes.common import Value


class Hypothesis(Struct, kw_only=True):
    name: str
    label: str
    probability: float
    detail: str | None


class Answer(Struct, kw_only=True):
    answer: str
    label: str


class Answered(Struct, kw_only=True):
    answer: str
    label: str
    time: datetime
    by: str


class Disagreement(Struct, kw_only=True):
    id: str
    quantity: str
    label: str
    opened: datetime
    since: datetime
    until: datetime
    question: str
    measured: Value
    expected: Value
    hypotheses: list[Hypothesis]
    winner: str
    answers: list[Answer]
    status: Literal["open", "answered", "closed"]
    answered: Answered | None
    events: list[str]


class Disagreements(Struct, kw_only=True):
    now: datetime
    patient: str
    disagreements: list[Disagreement]


class AnswerRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    answer: str
