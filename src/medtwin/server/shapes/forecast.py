"""GET /patients/{patient}/forecast: quantiles of what comes next, and how well such forecasts cover."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from medtwin.server.shapes.common import DisplayUnit


class ForecastBasis(Struct, kw_only=True):
    kind: Literal["physiological", "statistical"]
    label: str


class Coverage(Struct, kw_only=True):
    coverage90: float
    n: int
    horizon_minutes: float


class Forecast(Struct, kw_only=True):
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
    times: list[datetime]
    median: list[float]
    lower50: list[float]
    upper50: list[float]
    lower90: list[float]
    upper90: list[float]
    calibration: Coverage | None


class Future(Struct, kw_only=True):
    median: list[float]
    lower50: list[float]
    upper50: list[float]
    lower90: list[float]
    upper90: list[float]
