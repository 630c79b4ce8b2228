"""MAGE: mean amplitude of glycaemic excursions of more than one SD, by crossings of two moving averages.

Service et al., Diabetes 19 (1970): 644, as an algorithm: Fernandes et al., J Diabetes Sci Technol 16 (2022): 1008,
and iglu 4.3.0, whose checked values are the reference of the tests::

    1. the trace on five minutes; gaps of more than 180 min part it into segments
    2. moving averages over the last 5 and the last 32 points; where their difference changes sign, a rise or a fall ends
    3. between neighbouring crossings the highest or the lowest point: turning points, in turns
    4. upward excursions: nadir to peak of at least one SD of the segment, confirmed by a fall of more than one SD, or the end;
       downward excursions likewise
    5. MAGE+ and MAGE- of a segment are means of their heights; the average over all, weighted by the segments'
    lengths
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medtwin.statistics.glucose.trace import Floats, Trace

SHORT, LONG = 5, 32  #: points of five minutes
PARTED = 180.0  #: minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Excursions:
    """mg/dL, each over the whole trace; not a number where there is none. ``first``: those of the direction that came first,
    as Service asked; ``count``: upward and downward ones together."""

    average: float
    upward: float
    downward: float
    first: float
    count: int


@dataclass(frozen=True, slots=True)
class _Segment:
    hours: float
    up: tuple[float, ...]
    down: tuple[float, ...]
    up_first: bool


def excursions(trace: Trace) -> Excursions:
    """MAGE of a trace."""
    found = [one for piece in _segments(trace.grid5.line) if (one := _segment(piece)) is not None]
    up = [(s.hours, float(np.mean(s.up))) for s in found if s.up]
    down = [(s.hours, -float(np.mean(s.down))) for s in found if s.down]
    first = [(s.hours, float(np.mean(s.up if s.up_first else np.negative(s.down)))) for s in found]
    count = sum(len(s.up) + len(s.down) for s in found)
    return Excursions(
        average=_weighted(up + down),
        upward=_weighted(up),
        downward=_weighted(down),
        first=_weighted(first),
        count=count,
    )


def _weighted(parts: Sequence[tuple[float, float]]) -> float:
    hours = sum(one for one, _ in parts)
    return sum(one * value for one, value in parts) / hours if hours > 0.0 else float("nan")


def _segments(line: Floats) -> list[Floats]:
    """Stretches between gaps of more than 180 min; shorter gaps stay within them."""
    known = np.flatnonzero(np.isfinite(line))
    if not known.size:
        return []
    cut = np.flatnonzero((np.diff(known) - 1) * 5.0 > PARTED)
    starts, ends = np.append(0, cut + 1), np.append(cut, known.size - 1)
    return [line[known[a] : known[b] + 1] for a, b in zip(starts, ends, strict=True)]


def _segment(value: Floats) -> _Segment | None:
    known = value[np.isfinite(value)]
    if value.size < LONG or known.size < 2:
        return None
    spread = float(np.std(known, ddof=1))
    if spread < 1.0:
        return None
    turn = _turning(value, _moving(value, SHORT) - _moving(value, LONG))
    up, first_up = _climbs(turn, spread)
    down, first_down = _falls(turn, spread)
    if not up and not down:
        return None
    leads = bool(up) and (not down or first_up[1] <= first_down[0])
    return _Segment((value.size - 1) * 5.0 / 60.0, tuple(up), tuple(down), leads)


def _moving(value: Floats, width: int) -> Floats:
    """Mean of the last ``width`` points that are known; the first ones have the first whole window's."""
    known = np.isfinite(value)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, value, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    held = count[width:] - count[:-width]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(held > 0, (total[width:] - total[:-width]) / held, np.nan)
    return np.concatenate([np.full(width - 1, mean[0]), mean])


def _turning(value: Floats, delta: Floats) -> Floats:
    """Heights of the turning points."""
    usable = np.isfinite(value) & np.isfinite(delta)
    usable[1:] &= np.isfinite(value[:-1]) & np.isfinite(delta[:-1])
    at, peaks, last = [0], [bool(delta[0] > 0.0)], float(delta[0])
    sign = np.sign(np.where(np.isfinite(delta), delta, 0.0))
    # a crossing is where the sign differs from that at the last one: only changes of the sign need a look
    changed = np.flatnonzero(usable[1:] & ((sign[1:] != sign[:-1]) | ~usable[:-1])) + 1
    for i in changed.tolist():
        before = float(delta[i - 1])
        if delta[i] * before < 0.0:
            at.append(i)
            peaks.append(bool(delta[i] >= before))
            last = float(delta[i])
        elif delta[i] * last < 0.0:
            at.append(i)
            peaks.append(bool(delta[i] >= last))
            last = float(delta[i])
    at.append(value.size - 1)
    heights, left = [], at[0]
    for peak, right in zip(peaks, at[1:], strict=True):
        part = value[left : right + 1]
        place = int(np.nanargmax(part) if peak else np.nanargmin(part))
        heights.append(float(part[place]))
        left += place
    return np.array(heights)


def _climbs(turn: Floats, spread: float) -> tuple[list[float], tuple[int, int]]:
    """Heights of upward excursions; the turning points of the first one."""
    heights: list[float] = []
    first, j, since = (-1, -1), 0, 0
    while j < turn.size:
        low = since + int(np.argmin(turn[since : j + 1]))
        if turn[j] - turn[low] < spread:
            j += 1
            continue
        for k in range(j, turn.size):
            j = k if turn[k] > turn[j] else j
            if turn[k] - turn[j] < -spread or k == turn.size - 1:
                heights.append(float(turn[j] - turn[low]))
                first = (low, j) if len(heights) == 1 else first
                since = j = k
                break
    return heights, first


def _falls(turn: Floats, spread: float) -> tuple[list[float], tuple[int, int]]:
    """The same downward, as negative heights."""
    heights: list[float] = []
    first, j, since = (-1, -1), 0, 0
    while j < turn.size:
        high = since + int(np.argmax(turn[since : j + 1]))
        if turn[j] - turn[high] > -spread:
            j += 1
            continue
        for k in range(j, turn.size):
            j = k if turn[k] < turn[j] else j
            if turn[k] - turn[j] > spread or k == turn.size - 1:
                heights.append(float(turn[j] - turn[high]))
                first = (high, j) if len(heights) == 1 else first
                since, j = j, k
                break
    return heights, first
