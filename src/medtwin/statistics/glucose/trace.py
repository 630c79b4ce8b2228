"""A trace: readings in the order of time, and the even grid of its days on which differences are taken.

The grid is that of iglu 4.3.0 (``CGMS2DayByDay``), whose tables are the reference of the tests: step = median
distance of the readings in whole minutes (made a divisor of the day), points at one step after midnight and on,
linear interpolation between neighbours that are at most ``longest_gap`` apart, nothing elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medtwin.errors import AnalysisError

Floats = NDArray[np.float64]
DAY = 86_400.0  #: seconds
LONGEST_GAP = 45.0  #: minutes that are bridged by a straight line


@dataclass(frozen=True)
class Trace:
    """Readings of one person in ascending time. Make it with :meth:`of`.

    ``seconds`` (N,): instants, since 1970 in UTC. ``glucose`` (N,): mg/dL. ``offset`` (N,): what the person's clock
    showed beyond UTC, seconds; zero where nobody knows it. ``repeated``: readings left out since a later one has the
    same instant.
    """

    seconds: Floats
    glucose: Floats
    offset: Floats = field(repr=False)
    repeated: int = 0

    @staticmethod
    def of(seconds: ArrayLike, glucose: ArrayLike, offset: ArrayLike = 0.0) -> Trace:
        """Sorted; of several readings of one instant the last counts, values that are not finite do not."""
        at, value = np.asarray(seconds, float).ravel(), np.asarray(glucose, float).ravel()
        if at.shape != value.shape:
            raise AnalysisError(f"{at.size} times for {value.size} values", expected="as many of both", where="a trace")
        if (value <= 0.0).any():
            raise AnalysisError("glucose of zero or less", expected="positive values in mg/dL", where="a trace")
        east = np.broadcast_to(np.asarray(offset, float), at.shape)
        finite = np.isfinite(at) & np.isfinite(value)
        order = np.argsort(at[finite], kind="stable")
        at, value, east = at[finite][order], value[finite][order], east[finite][order]
        last = np.append(np.diff(at) > 0.0, True)[: at.size]
        return Trace(at[last], value[last], east[last], int(at.size - last.sum()))

    @cached_property
    def wall(self) -> Floats:
        """What the person's clock showed, in seconds since 1970 there (N,)."""
        return self.seconds + self.offset

    @cached_property
    def day(self) -> NDArray[np.int64]:
        """Number of the calendar day of each reading on the person's clock (N,)."""
        return np.floor(self.wall / DAY).astype(np.int64)

    @cached_property
    def minute(self) -> Floats:
        """Minutes after midnight on the person's clock (N,)."""
        return (self.wall - self.day * DAY) / 60.0

    @cached_property
    def distance(self) -> Floats:
        """Minutes between neighbours (N - 1,)."""
        return np.diff(self.seconds) / 60.0

    @cached_property
    def step(self) -> float:
        """Usual distance of readings in whole minutes; 5 where there are fewer than two."""
        return float(max(np.round(np.median(self.distance)), 1.0)) if self.seconds.size > 1 else 5.0

    def between(self, since: float, until: float) -> Trace:
        """Readings with ``since <= instant < until`` (seconds)."""
        keep = (self.seconds >= since) & (self.seconds < until)
        return Trace(self.seconds[keep], self.glucose[keep], self.offset[keep], self.repeated)

    @cached_property
    def grid(self) -> Grid:
        """On the usual distance of the readings."""
        return grid(self, _divisor(self.step))

    @cached_property
    def grid5(self) -> Grid:
        """On five minutes, as MAGE asks for."""
        return grid(self, 5.0)


@dataclass(frozen=True)
class Grid:
    """``glucose`` (days, points a day), not a number where nothing is known; ``step`` in minutes; ``start``: midnight before
    the first reading, in seconds. Its days are 24 hours long and keep the offset of the first reading, so that a clock
    that is put forward or back tears nothing."""

    glucose: Floats
    step: float
    start: float

    @cached_property
    def line(self) -> Floats:
        """All days in one row."""
        return self.glucose.ravel()


def grid(trace: Trace, step: float, longest_gap: float = LONGEST_GAP) -> Grid:
    """The trace on even points ``step`` minutes apart; of readings that are usually further apart than may be bridged nothing
    is known between them, and no point either."""
    if trace.seconds.size < 2 or trace.step > longest_gap:
        return Grid(np.full((1, round(1440 / step)), np.nan), step, 0.0)
    at = trace.seconds + trace.offset[0]
    start = np.floor(at[0] / DAY) * DAY
    days = int(np.ceil((at[-1] - at[0]) / DAY + 1.0))
    point = start + 60.0 * step * np.arange(1, days * round(1440 / step) + 1)
    value = np.interp(point, at, trace.glucose, left=np.nan, right=np.nan)
    after = np.searchsorted(at, point, side="left")  # of the first reading at or after the point
    inside = (after > 0) & (after < at.size)
    here = after[inside]
    torn = (at[here] > point[inside]) & (at[here] - at[here - 1] > 60.0 * longest_gap)
    value[np.flatnonzero(inside)[torn]] = np.nan
    return Grid(value.reshape(days, -1), step, float(start))


def runs(value: Floats) -> Sequence[tuple[int, int]]:
    """Start and end (exclusive) of every stretch of a row without a gap."""
    known = np.concatenate([[False], np.isfinite(value), [False]])
    edge = np.flatnonzero(known[1:] != known[:-1])
    return [(int(a), int(b)) for a, b in zip(edge[::2], edge[1::2], strict=True)]


def _divisor(step: float) -> float:
    """A step that divides the day: as it is, or 20 min, or the nearest multiple of 5 min."""
    if 1440.0 % step == 0.0:
        return step
    if step > 20.0:
        return 20.0
    rest = step % 5.0
    return max(step + 5.0 - rest if rest > 2.0 else step - rest, 5.0)
