"""The ambulatory glucose profile: percentiles over the day, on the clock of the person, and each day for itself.

Mazze et al., Diabetes Care 10 (1987): 111; form of the report: Bergenstal et al., Diabetes Technol Ther 15 (2013): 198. At
each quarter of an hour the readings of all days within ``half_window`` minutes are pooled, around midnight too, and their
5, 25, 50, 75 and 95 % percentiles taken (linear between order statistics). The window is the only smoothing. Where fewer
than ``least_days`` days have a reading in the window nothing is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtwin.statistics.glucose.trace import Floats, Trace

LEVELS = (5.0, 25.0, 50.0, 75.0, 95.0)
EVERY, HALF_WINDOW, LEAST_DAYS = 15.0, 30.0, 3  #: minutes, minutes, days


@dataclass(frozen=True)
class Profile:
    """``minute`` (T,) after midnight, the last one 1440; ``glucose`` (levels, T), mg/dL, not a number where too few days
    speak; ``days`` (T,) with a reading in the window."""

    minute: Floats
    levels: tuple[float, ...]
    glucose: Floats
    days: np.ndarray


@dataclass(frozen=True)
class DailyView:
    """Readings of one calendar day: ``day`` counts since 1970-01-01 on the person's clock; ``minute`` (N,), ``glucose`` (N,)."""

    day: int
    minute: Floats
    glucose: Floats

    def pieces(self, longest_gap: float) -> Sequence[tuple[Floats, Floats]]:
        """Stretches without a gap of more than these minutes: what a line may join."""
        if not self.minute.size:
            return []
        cut = np.flatnonzero(np.diff(self.minute) > longest_gap) + 1
        return list(zip(np.split(self.minute, cut), np.split(self.glucose, cut), strict=True))


def profile(
    trace: Trace, levels: tuple[float, ...] = LEVELS, half_window: float = HALF_WINDOW, least_days: int = LEAST_DAYS
) -> Profile:
    """Over all days of a trace."""
    minute = np.arange(0.0, 1440.0, EVERY)
    order = np.argsort(trace.minute, kind="stable")
    at, value, day = trace.minute[order], trace.glucose[order], trace.day[order]
    at = np.concatenate([at - 1440.0, at, at + 1440.0])
    value, day = np.tile(value, 3), np.tile(day, 3)
    first, last = np.searchsorted(at, minute - half_window, "left"), np.searchsorted(at, minute + half_window, "right")
    made, days = np.full((len(levels), minute.size), np.nan), np.zeros(minute.size, np.int64)
    for n, (a, b) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        days[n] = np.unique(day[a:b]).size
        if days[n] >= least_days:
            made[:, n] = np.percentile(value[a:b], levels)
    minute, days = np.append(minute, 1440.0), np.append(days, days[0])
    return Profile(minute, levels, np.concatenate([made, made[:, :1]], axis=1), days)


def daily(trace: Trace, first: int | None = None, last: int | None = None) -> tuple[DailyView, ...]:
    """Every calendar day from the first to the last (or those named), days without a reading too."""
    if not trace.day.size and (first is None or last is None):
        return ()
    low = int(trace.day[0]) if first is None else first
    high = int(trace.day[-1]) if last is None else last
    held = [np.flatnonzero(trace.day == day) for day in range(low, high + 1)]
    return tuple(DailyView(low + n, trace.minute[at], trace.glucose[at]) for n, at in enumerate(held))
