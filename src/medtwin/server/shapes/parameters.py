"""GET /patients/{patient}/parameters: what is known of each parameter, before and after the data."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from medtwin.evidence.calibrated import Calibration


class IntervalEstimate(Struct, kw_only=True):
    median: float
    lower: float
    upper: float


class ParameterBelief(Struct, kw_only=True):
    name: str
    label: str
    meaning: str
    unit: str
    model: str
    scale: Literal["linear", "log"]
    source: str
    level: float
    prior: IntervalEstimate
    posterior: IntervalEstimate | None
    shrinkage: float | None
    state: Literal["learnt", "unknown", "withheld"]
    reason: str | None
    calibration: Calibration | None
    updated: datetime | None


class Parameters(Struct, kw_only=True):
    now: datetime
    patient: str
    parameters: list[ParameterBelief]
