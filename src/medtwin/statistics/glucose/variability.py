"""Differences between days and within them, on the even grid.

MODD (Molnar, Taylor and Ho, Diabetologia 8 (1972): 342): mean of |G(t) - G(t - 24 h)|. CONGA(n) (McDonnell et al.,
Diabetes Technol Ther 7 (2005): 253): SD of G(t) - G(t - n h), n whole hours. As iglu 4.3.0 computes both, with n = 24
as its default.
"""

from __future__ import annotations

import numpy as np

from medtwin.statistics.glucose.trace import Trace


def day_to_day(trace: Trace) -> float:
    """MODD, mg/dL; not a number where no two days have readings at the same time."""
    away = np.abs(np.diff(trace.grid.glucose, axis=0))
    away = away[np.isfinite(away)]
    return float(away.mean()) if away.size else float("nan")


def day_to_day_sums(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Sum of |differences| of each day to the day before, and how many: (days - 1,), (days - 1,)."""
    away = np.abs(np.diff(trace.grid.glucose, axis=0))
    return np.nansum(away, axis=1), np.isfinite(away).sum(axis=1)


def overlapping_action(trace: Trace, hours: int = 24) -> float:
    """CONGA, mg/dL."""
    line = trace.grid.line
    lag = round(60.0 / trace.grid.step) * hours
    away = line[lag:] - line[:-lag] if 0 < lag < line.size else np.zeros(0)
    away = away[np.isfinite(away)]
    return float(np.std(away, ddof=1)) if away.size > 1 else float("nan")
