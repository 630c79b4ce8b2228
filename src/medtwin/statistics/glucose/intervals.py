"""Intervals of all that is a function of sums over days, by resampling days with replacement.

Readings of a day depend on each other, so the day is the unit: a resample is of as many days as there are with
readings, a day with few readings weighs less. Each of ``draws`` resamples is a row of counts of the days
(multinomial), so everything is one product of matrices.

The plain percentile interval of n days is too narrow: its spread is that of a variance over n, and its quantiles are
the normal ones. Expanded, so that it is the t interval where the statistic is a mean (Hesterberg, Am Stat 69 (2015):
371; the formula is derived here, not copied)::

    tail = Φ(-t_(n-1, 1-a/2) √(n / (n - 1)))      of a change: n the fewer days, t with n1 + n2 - 2 degrees of freedom

Measured on 400 made-up people without a change, two periods of 14 days: 95 % intervals of five metrics left out zero
in 2 to 8 % where days were independent (the plain ones in 4 to 10 %), but in 4 to 16 % where neighbouring days'
levels correlated by 0.3, and in 7 to 18 % of periods of 28 days. A trend, or an illness of some days, thus looks
surer than it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from medtwin.statistics.glucose.ranges import inside_of
from medtwin.statistics.glucose.risk import risk_of
from medtwin.statistics.glucose.trace import DAY, Floats, Trace
from medtwin.statistics.glucose.variability import day_to_day_sums

DRAWS, SEED = 2000, 20_260_101


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with the limits that hold ``level`` of the resamples."""

    value: float
    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True)
class Resampled:
    """Every metric of a trace (``value``), and in each resample of its days (``drawn``, (draws,)); none with fewer than two
    days."""

    value: Mapping[str, float]
    drawn: Mapping[str, Floats]
    days: int

    def intervals(self, level: float = 0.95) -> dict[str, Interval]:
        """Of every metric; empty with fewer than two days."""
        return {
            name: _interval(self.value[name], each, level, self.days, self.days - 1)
            for name, each in self.drawn.items()
        }


def resampled(trace: Trace, draws: int = DRAWS, seed: int = SEED) -> Resampled:
    """The days of a trace drawn again. Traces that are to be compared take seeds of their own."""
    sums, names = daily_sums(trace)
    days = len(sums)
    if days < 2:
        return Resampled({}, {}, days)
    counts = np.random.default_rng(seed).multinomial(days, np.full(days, 1.0 / days), size=draws)
    value = metrics(sums.sum(0), names)
    return Resampled({name: float(one) for name, one in value.items()}, metrics(counts @ sums, names), days)


def intervals(trace: Trace, level: float = 0.95, draws: int = DRAWS, seed: int = SEED) -> dict[str, Interval]:
    """Of every metric; empty with fewer than two days."""
    return resampled(trace, draws, seed).intervals(level)


def changes(before: Resampled, after: Resampled, level: float = 0.95) -> dict[str, Interval]:
    """Of every metric the difference after - before; empty where one of them has fewer than two days."""
    if not before.drawn or not after.drawn:
        return {}
    fewest, freedom = min(before.days, after.days), before.days + after.days - 2
    return {
        name: _interval(
            after.value[name] - before.value[name], after.drawn[name] - before.drawn[name], level, fewest, freedom
        )
        for name in after.value
    }  # fmt: skip


def daily_sums(trace: Trace) -> tuple[Floats, tuple[str, ...]]:
    """Sums of each calendar day with a reading (days, names), and their names: readings, their sum and sum of squares,
    counts in ranges, risks, and what differs from the day before (of MODD) with the number of pairs."""
    value = trace.glucose
    low, high = risk_of(value) if value.size else (value, value)
    each = {"readings": np.ones(value.size), "sum": value, "squares": value**2, "low_risk": low, "high_risk": high}
    each |= {name: inside.astype(float) for name, inside in inside_of(value).items()}
    days, place = np.unique(trace.day, return_inverse=True)
    columns = [np.bincount(place, weights=weight, minlength=days.size) for weight in each.values()]
    moved, pairs = day_to_day_sums(trace)
    later = (
        np.searchsorted(days, int(trace.grid.start // DAY) + 1 + np.arange(moved.size))
        if days.size
        else np.zeros(0, int)
    )
    known = pairs > 0
    for sums in (moved, pairs):
        columns.append(np.bincount(np.minimum(later[known], days.size - 1), weights=sums[known], minlength=days.size))
    return np.stack(columns, axis=1), (*each, "moved", "pairs")


def metrics(sums: Floats, names: tuple[str, ...]) -> dict[str, Floats]:
    """Every metric of summed sums (..., names)."""
    held = {name: sums[..., number] for number, name in enumerate(names)}
    n = held["readings"]
    mean = held["sum"] / n
    spread = np.sqrt(np.maximum(held["squares"] - n * mean**2, 0.0) / np.maximum(n - 1.0, 1.0))
    made = {
        name: 100.0 * held[name] / n for name in ("below_54", "below_70", "tight", "in_range", "above_180", "above_250")
    }
    low = made["below_54"] + 0.8 * (made["below_70"] - made["below_54"])
    high = made["above_250"] + 0.5 * (made["above_180"] - made["above_250"])
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample without a pair of days
        day_to_day = held["moved"] / held["pairs"]
    return {
        "mean": mean, "standard_deviation": spread, "variation": 100.0 * spread / mean,
        "management_indicator": 3.31 + 0.02392 * mean, **made, "risk_index": np.minimum(3.0 * low + 1.6 * high, 100.0),
        "low_index": held["low_risk"] / n, "high_index": held["high_risk"] / n, "j_index": 0.001 * (mean + spread) ** 2,
        "day_to_day": day_to_day,
    }  # fmt: skip


def _interval(value: float, drawn: Floats, level: float, days: int, freedom: int) -> Interval:
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not known.size:
        return Interval(value=value, low=float("nan"), high=float("nan"), level=level)
    reach = special.stdtrit(freedom, 0.5 + level / 2.0) * (days / (days - 1.0)) ** 0.5
    tail = float(special.ndtr(-reach))
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return Interval(value=value, low=float(low), high=float(high), level=level)
