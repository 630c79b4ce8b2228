"""How a person's sensitivity to insulin moves within the day and between days.

Within the day: Visentin's multipliers (2015/2018, read in LoopInsighT1): 1.0 from midnight, 0.8 from 4, 0.9 from 11,
1.0 from 17 h, each change a smooth step over two hours; divided by their daily mean so that the mean person stays the
mean person. They act on glucose uptake (x1, x2), as Visentin's ``kir`` does; each person's clock is shifted a little.

Between days: the logarithm follows an Ornstein-Uhlenbeck process (sd ``DRIFT_SD``, correlation time ``DRIFT_HOURS``),
sampled exactly each hour. Both figures are assumptions, of the order of the day-to-day coefficients of variation of
insulin need that clinics report (15-30 %). They act on uptake and production alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KNOTS = ((4.0, 1.0, 0.8), (11.0, 0.8, 0.9), (17.0, 0.9, 1.0))  # hour, from, to
DRIFT_SD = 0.12  # of the logarithm; assumption
DRIFT_HOURS = 36.0  # correlation time; assumption


def _raw(hour: Array) -> Array:
    value = np.ones_like(hour)
    for start, before, after in KNOTS:
        x = np.clip((hour - start) / 2.0, 0.0, 1.0)
        value += (after - before) * x * x * (3.0 - 2.0 * x)
    return value


_MEAN = float(_raw(np.arange(0.0, 24.0, 1 / 60)).mean())


def circadian(local_hour: Array, shift: Array | float = 0.0) -> Array:
    """Multiplier of uptake sensitivity at local clock hours (0-24), of a person ``shift`` hours late."""
    return _raw(np.mod(np.asarray(local_hour, float) - shift, 24.0)) / _MEAN


def drift(rng: np.random.Generator, minutes: int, sd: float = DRIFT_SD, hours: float = DRIFT_HOURS) -> Array:
    """Multiplier of all sensitivities for each minute of one person's life, log-normal about 1."""
    points = minutes // 60 + 2
    keep = np.exp(-1.0 / hours)
    noise = rng.standard_normal(points) * sd
    log = np.empty(points)
    log[0] = noise[0]
    for k in range(1, points):
        log[k] = keep * log[k - 1] + np.sqrt(1.0 - keep * keep) * noise[k]
    return np.asarray(np.exp(np.interp(np.arange(minutes) / 60.0, np.arange(points), log)))
