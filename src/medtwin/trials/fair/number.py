"""One figure of one group with its interval, or the reason why it is withheld.

A figure has two scales: that on which it is reported, and that on which its error is nearly normal and on which groups are
compared (log of a ratio, logit of a proportion, Fisher's z of a correlation).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from medtwin.errors import AnalysisError


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A figure of a group. Raises :class:`AnalysisError` where it is not a number, so that none is reported."""

    name: str  #: "calibration slope"
    value: float
    low: float
    high: float
    method: str  #: of the interval: "profile likelihood"
    unit: str = "1"
    scaled: float | None = None  #: on the scale on which groups are compared
    scaled_error: float | None = None  #: its standard error
    ideal: float | None = None  #: what a score without fault would show, as reported
    p_value: float | None = None  #: of the test that it is the ideal
    note: str = ""

    def __post_init__(self) -> None:
        if not all(math.isfinite(x) for x in (self.value, self.low, self.high)):
            raise AnalysisError(
                f"{self.name}: {self.value:g}, {self.low:g} to {self.high:g}",
                expected="finite numbers",
                where=self.method,
            )
        error = self.scaled_error
        if (error is not None and not (math.isfinite(error) and error > 0.0)) or (
            self.scaled is not None and not math.isfinite(self.scaled)
        ):
            raise AnalysisError(
                f"{self.name}: no spread to make an interval of", expected="patients who differ", where=self.method
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A figure that is not shown, and why."""

    column: str
    level: str
    name: str  #: of the figure; "every figure of the group"
    reason: str


def reach(confidence: float) -> float:
    """Standard errors on each side of a normal interval."""
    return float(special.ndtri(0.5 + confidence / 2.0))


def two_sided(statistic: float) -> float:
    """p of a normal statistic."""
    return float(2.0 * special.ndtr(-abs(statistic)))


def normal_number(
    name: str, value: float, error: float, confidence: float, method: str, *, unit: str = "1", ideal: float | None = None,
    df: float = math.inf, note: str = "",
) -> Number:  # fmt: skip
    """A figure whose error is normal (t with ``df``) as it is reported."""
    if not error > 0.0:
        raise AnalysisError(f"{name}: no spread to make an interval of", expected="patients who differ", where=method)
    quantile = reach(confidence) if math.isinf(df) else float(special.stdtrit(df, 0.5 + confidence / 2.0))
    away = quantile * error
    p = None
    if ideal is not None:
        statistic = (value - ideal) / error
        p = two_sided(statistic) if math.isinf(df) else float(2.0 * special.stdtr(df, -abs(statistic)))
    return Number(
        name=name, value=float(value), low=float(value - away), high=float(value + away), method=method, unit=unit,
        scaled=float(value), scaled_error=float(error), ideal=ideal, p_value=p, note=note,
    )  # fmt: skip


def log_number(
    name: str, ratio: float, error: float, confidence: float, method: str, *, ideal: float | None = None, note: str = ""
) -> Number:
    """A ratio whose logarithm has standard error ``error``."""
    if not (ratio > 0.0 and error > 0.0):
        raise AnalysisError(
            f"{name}: {ratio:g}, whose logarithm has no error", expected="a positive ratio", where=method
        )
    away, log = reach(confidence) * error, math.log(ratio)
    return Number(
        name=name, value=float(ratio), low=math.exp(log - away), high=math.exp(log + away), method=method, scaled=log,
        scaled_error=float(error), ideal=ideal, note=note,
        p_value=None if ideal is None else two_sided((log - math.log(ideal)) / error),
    )  # fmt: skip
