"""Axes: from a quantity to points, with round numbers on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from medtwin.errors import AnalysisError
from medtwin.reports.figures.text import width


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """``low`` to ``high`` of a quantity on ``start`` to ``end`` points; ``log``: equal ratios are equally far."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.high - self.low) and self.low < self.high):
            raise AnalysisError(f"an axis from {self.low:g} to {self.high:g}", expected="finite ends that ascend")
        if self.log and not self.low > 0.0:
            raise AnalysisError(f"a logarithmic axis from {self.low:g}", expected="positive ends")

    def __call__(self, value: float) -> float:
        """Where ``value`` stands, in points."""
        if self.log:
            share = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        else:
            share = value / (self.high - self.low) - self.low / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether it stands on the axis."""
        return self.low <= value <= self.high

    def ticks(self, about: int = 6) -> tuple[float, ...]:
        """Round numbers within the axis, about this many and two at the least where there is any room."""
        if self.log and self.high / self.low > 3.0:
            return _log_ticks(self.low, self.high, about)
        return linear_ticks(self.low, self.high, about)


def named(axis: Axis, about: int = 6, size: float = 9.0) -> tuple[tuple[float, str], ...]:
    """Ticks of an axis that lies, with words that do not touch: fewer ticks where they would."""
    made: tuple[tuple[float, str], ...] = ()
    for count in range(about, 0, -1):
        ticks = axis.ticks(count)
        words = labels(ticks)
        made = tuple(zip(ticks, words, strict=True))
        ends = [(axis(tick), width(word, size) / 2.0) for tick, word in zip(ticks, words, strict=True)]
        if all(b - a >= half + more + 4.0 for (a, half), (b, more) in pairwise(ends)):
            return made
    return made[:1]


def spread(low: float, high: float, margin: float = 0.05) -> tuple[float, float]:
    """Ends with a margin, apart even where all values are one."""
    room = (high - low) * margin or max(abs(low) * 0.1, 1e-9 * max(1.0, abs(high)), 1e-12)
    if not room > 1e-9 * max(abs(low), abs(high)):
        room = 1e-6 * max(abs(low), abs(high))
    return low - room, high + room


def linear_ticks(low: float, high: float, about: int = 6) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten in ``low`` to ``high``."""
    rough = (high - low) / max(about, 1)
    power = math.floor(math.log10(rough))
    step = min((m * 10.0**power for m in (1.0, 2.0, 5.0, 10.0)), key=lambda one: abs(math.log(one / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if last - first > 10 * about:  # a range so far from zero that steps are lost in rounding
        return ()
    made = [float(f"{number * step:.12g}") for number in range(first, last + 1)]
    return tuple(min(max(value, low), high) for value in made)


def _log_ticks(low: float, high: float, about: int) -> tuple[float, ...]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    made: tuple[float, ...] = ()
    for leading in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        made = tuple(value for p in powers for m in leading if low <= (value := float(f"{m * 10.0**p:.12g}")) <= high)
        if len(made) <= about + 2:
            break
    every = -(-len(made) // (about + 2))
    return made[::every] if every > 1 else made


def labels(ticks: Sequence[float]) -> tuple[str, ...]:
    """Words for round numbers: the same decimals for all of a linear axis, powers of ten where they are long."""
    sizes = [abs(value) for value in ticks if value]
    if sizes and (max(sizes) >= 1e6 or max(sizes) < 1e-4):
        return tuple(f"{value:.6g}" for value in ticks)
    if sizes and max(sizes) / min(sizes) > 20.0:
        return tuple(f"{value:.6g}" for value in ticks)
    decimals = max((len(f"{value:.10g}".partition(".")[2]) for value in ticks), default=0)
    return tuple(f"{value or 0.0:.{min(decimals, 8)}f}" for value in ticks)
