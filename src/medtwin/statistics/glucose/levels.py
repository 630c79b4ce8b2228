"""How high and how spread: mean, SD, CV, GMI, J index; and how much of the time the sensor was active.

GMI (%) = 3.31 + 0.02392 mean (Bergenstal et al., Diabetes Care 41 (2018): 2275). J = 0.001 (mean + SD)² (Wojcicki,
Horm Metab Res 27 (1995): 41, from memory). Estimated A1c (%) = (mean + 46.7) / 28.7 (ADAG: Nathan et al., Diabetes
Care 31 (2008): 1473). All of a mean in mg/dL; SD with N - 1. Each is checked against iglu's tables.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from medtwin.statistics.glucose.trace import Trace


def mean(glucose: ArrayLike) -> float:
    """mg/dL."""
    return float(np.mean(np.asarray(glucose, float)))


def standard_deviation(glucose: ArrayLike) -> float:
    """mg/dL; not a number of fewer than two readings."""
    value = np.asarray(glucose, float)
    return float(np.std(value, ddof=1)) if value.size > 1 else float("nan")


def variation(glucose: ArrayLike) -> float:
    """Coefficient of variation, %."""
    return 100.0 * standard_deviation(glucose) / mean(glucose)


def management_indicator(mean_glucose: float) -> float:
    """GMI, %: what HbA1c would be on average among people of this mean. Not this person's HbA1c."""
    return 3.31 + 0.02392 * mean_glucose


def estimated_a1c(mean_glucose: float) -> float:
    """By ADAG's line, %."""
    return (mean_glucose + 46.7) / 28.7


def j_index(glucose: ArrayLike) -> float:
    """(mg/dL)² / 1000."""
    return 0.001 * (mean(glucose) + standard_deviation(glucose)) ** 2


def active(trace: Trace) -> float:
    """% of the readings that the span from the first to the last would hold, as iglu counts them (``active_percent``)."""
    if trace.seconds.size < 2:
        return float("nan")
    distance, step = trace.distance, trace.step
    due = round(round((trace.seconds[-1] - trace.seconds[0]) / 60.0) / step) + 1
    gap = distance[np.round(distance) > step]
    missing = round((gap.sum() - gap.size * step) / step)
    return 100.0 * (due - missing) / due


def active_of(trace: Trace, since: float, until: float) -> float:
    """% of the period ``since`` to ``until`` (seconds) with a reading: each speaks for one step, or less where the next is
    nearer. What a report of fourteen days asks, where a trace of three whole days is not 100 %."""
    held = trace.between(since, until)
    if not held.seconds.size:
        return 0.0
    spoken = np.minimum(np.append(held.distance, (until - held.seconds[-1]) / 60.0), held.step)
    return float(min(100.0 * 60.0 * spoken.sum() / (until - since), 100.0))
