"""What a forecast may look at when a reading arrives: the columns of the calibrated residual, none of them after that reading.

In order, so that a simpler learner takes a prefix (``PREFIXES``)::

    movement   the reading; what it changed since 5, 10 ... 115 min ago
    a day      sine and cosine of one and two cycles a day; what is known to have been eaten and injected by then, each as
               sums that fade with time constants of 20, 45, 90 and 180 min
    everything three and four cycles a day; distance to the mean of the last 6, 24 and 72 h; that distance squared and times
               movement, movement times its own size: large excursions turn back faster than small ones

Arrays are NumPy; times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LAGS = 24
LAG = 300.0  #: seconds between lags
DAY = 86400.0
APART = 3 * 3600.0  #: a gap longer than this ends a wear period
FADING = np.array([20.0, 45.0, 90.0, 180.0]) * 60.0
MEANS = np.array([6.0, 24.0, 72.0]) * 3600.0
PREFIXES = (24, 36, 47)
COLUMNS = PREFIXES[-1]
NOTHING: Array = np.zeros((0, 3))


@dataclass(frozen=True)
class Readings:
    """Exact readings of one quantity in order of time: ``time`` (s, any origin), ``value``; ``midnight`` is the second of
    that origin at which the person's day begins. ``eaten`` and ``injected (n, 3)``: when it was, when it could be known (s),
    and how much (g; U)."""

    time: Array = field(repr=False)
    value: Array = field(repr=False)
    midnight: float = 0.0
    eaten: Array = field(default_factory=lambda: NOTHING, repr=False)
    injected: Array = field(default_factory=lambda: NOTHING, repr=False)

    @property
    def interval(self) -> float:
        """Usual seconds between readings."""
        return float(np.median(np.diff(self.time))) if len(self.time) > 1 else LAG

    def until(self, end: int) -> Readings:
        """The first ``end`` readings. What was eaten later is in no column of theirs."""
        return Readings(self.time[:end], self.value[:end], self.midnight, self.eaten, self.injected)


def columns(readings: Readings, index: NDArray[np.int64], physiology: Array | None = None) -> Array:
    """Columns ``(n, COLUMNS)`` at the readings ``index``; nothing after each reading is looked at.

    A lag between two past readings is interpolated between them. ``physiology (n,)``: its change of the quantity from now
    to the horizon, if there is a model, is one column more, the last.
    """
    t, y = readings.time, readings.value
    at = t[index]
    lags = np.interp(at[:, None] - LAG * np.arange(LAGS), t, y)
    day = 2.0 * np.pi * ((at - readings.midnight) % DAY) / DAY
    waves = np.stack([wave(cycles * day) for cycles in (1, 2, 3, 4) for wave in (np.sin, np.cos)], 1)
    total = np.concatenate([[0.0], np.cumsum(y)])
    since = np.searchsorted(t, at[:, None] - MEANS)
    means = (total[index + 1][:, None] - total[since]) / (index[:, None] + 1 - since)
    away = lags[:, :1] - means
    moved = lags[:, :1] - lags[:, [3, 6]]
    parts = [
        lags[:, :1], lags[:, :1] - lags[:, 1:], waves[:, :4], _faded(readings.eaten, at), _faded(readings.injected, at),
        waves[:, 4:], away, away[:, 2:] ** 2 / 50.0, away[:, 2:] * moved / 50.0, moved[:, :1] * np.abs(moved[:, :1]) / 10.0,
    ]  # fmt: skip
    if physiology is not None:
        parts.append(physiology[:, None])
    return np.concatenate(parts, axis=1)


def _faded(given: Array, at: Array) -> Array:
    """Sums ``(n, FADING)`` at the moments ``at`` (in order of time) of what had been given and was known by then."""
    found = np.zeros((len(at), len(FADING)))
    for true, known, amount in given:
        first, last = np.searchsorted(at, [max(true, known), true + 8.0 * FADING[-1]])
        found[first:last] += amount * np.exp(-(at[first:last, None] - true) / FADING)
    return found


def settled(readings: Readings) -> NDArray[np.bool_]:
    """Which readings have the two hours of their lags within their own wear period."""
    begins = np.concatenate([[True], np.diff(readings.time) > APART])
    since = readings.time[np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))]
    return np.asarray(readings.time - since >= LAG * (LAGS - 1))


def worn(time: Array) -> Array:
    """The same times on a clock that gives a gap at most a day: months without a sensor do not make a person old."""
    gaps = np.diff(time, prepend=time[:1])
    return np.asarray(np.cumsum(np.minimum(gaps, DAY)))


def outcomes(readings: Readings, index: NDArray[np.int64], seconds: float) -> tuple[NDArray[np.bool_], Array]:
    """Whether a real reading stands at the horizon (within half an interval), and it."""
    t, y = readings.time, readings.value
    goal = t[index] + seconds
    right = np.clip(np.searchsorted(t, goal), 1, len(t) - 1)
    near = np.where(goal - t[right - 1] <= t[right] - goal, right - 1, right)
    return np.abs(t[near] - goal) <= 0.5 * min(readings.interval, 900.0) + 1.0, y[near]
