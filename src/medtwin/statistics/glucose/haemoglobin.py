"""Laboratory HbA1c against the trace: the personal glycation gap.

gap = HbA1c - GMI, both in %, GMI of the readings of the ``weeks`` before the sample. Red cells live about 120 days,
so the last weeks weigh most in HbA1c; the plain mean over the window is a simplification, and so is twelve weeks. A
gap of some tenths is common; one of points is seen too. The interval is that of the GMI by resampling days;
the laboratory's own error is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from medtwin.statistics.glucose.intervals import Interval, intervals
from medtwin.statistics.glucose.levels import active_of
from medtwin.statistics.glucose.trace import DAY, Trace

WEEKS, LEAST_ACTIVE = 12, 70.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GlycationGap:
    """``gap``: laboratory minus GMI, percentage points; ``active``: % of the window with readings; ``enough``: whether that
    is at least 70 %."""

    laboratory: float
    at: float  #: seconds since 1970
    indicator: Interval
    gap: Interval
    active: float
    enough: bool


def glycation_gap(trace: Trace, laboratory: float, at: float, weeks: int = WEEKS) -> GlycationGap | None:
    """Of one laboratory value in % (NGSP); nothing where fewer than two days of readings precede it."""
    since = at - weeks * 7 * DAY
    found = intervals(trace.between(since, at))
    if not found:
        return None
    gmi = found["management_indicator"]
    gap = Interval(value=laboratory - gmi.value, low=laboratory - gmi.high, high=laboratory - gmi.low, level=gmi.level)
    share = active_of(trace, since, at)
    return GlycationGap(
        laboratory=laboratory, at=at, indicator=gmi, gap=gap, active=share, enough=share >= LEAST_ACTIVE
    )
