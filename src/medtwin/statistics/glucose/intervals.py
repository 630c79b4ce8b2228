"""Intervals of all that is a function of sums over days, by resampling days with replacement (Efron's percentile interval).

Readings of a day depend on each other, so the day is the unit. Days are taken as exchangeable: a week that differs
from the weekend widens the interval, a trend over the period is not told from chance, and neighbouring days that are
alike make it too narrow. Each of ``draws`` resamples is a row of counts of the days (multinomial), so everything is one
product of matrices.
A resample is of as many days as the period has days with readings; a day with few readings weighs less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medtwin.statistics.glucose.ranges import inside_of
from medtwin.statistics.glucose.risk import risk_of
from medtwin.statistics.glucose.trace import Floats, Trace

DRAWS, SEED = 2000, 20_260_101


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with the limits that hold ``level`` of the resamples."""

    value: float
    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True)
class DailySums:
    """``sums`` (days, names) of each calendar day with a reading."""

    sums: Floats
    names: tuple[str, ...]


def daily_sums(trace: Trace) -> DailySums:
    """Readings, their sum and sum of squares, counts in ranges, risks, and differences to the day before."""
    value = trace.glucose
    low, high = risk_of(value) if value.size else (value, value)
    each = {"readings": np.ones(value.size), "sum": value, "squares": value**2, "low_risk": low, "high_risk": high}
    each |= {name: inside.astype(float) for name, inside in inside_of(value).items()}
    days, place = np.unique(trace.day, return_inverse=True)
    columns = [np.bincount(place, weights=weight, minlength=days.size) for weight in each.values()]
    return DailySums(np.stack(columns, axis=1), tuple(each))


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
    return {
        "mean": mean, "standard_deviation": spread, "variation": 100.0 * spread / mean,
        "management_indicator": 3.31 + 0.02392 * mean, **made, "risk_index": np.minimum(3.0 * low + 1.6 * high, 100.0),
        "low_index": held["low_risk"] / n, "high_index": held["high_risk"] / n, "j_index": 0.001 * (mean + spread) ** 2,
    }  # fmt: skip


def resampled(sums: DailySums, draws: int = DRAWS, seed: int = SEED) -> Mapping[str, Floats]:
    """Every metric in each resample (draws,)."""
    days = len(sums.sums)
    counts = np.random.default_rng(seed).multinomial(days, np.full(days, 1.0 / days), size=draws)
    return metrics(counts @ sums.sums, sums.names)


def intervals(trace: Trace, level: float = 0.95, draws: int = DRAWS, seed: int = SEED) -> dict[str, Interval]:
    """Of every metric; empty with fewer than two days."""
    sums = daily_sums(trace)
    if len(sums.sums) < 2:
        return {}
    value, drawn = metrics(sums.sums.sum(0), sums.names), resampled(sums, draws, seed)
    return {name: _interval(float(value[name]), each, level) for name, each in drawn.items()}


def changes(
    before: Trace, after: Trace, level: float = 0.95, draws: int = DRAWS, seed: int = SEED
) -> dict[str, Interval]:
    """Of every metric the difference after - before, days of each period resampled apart; empty with fewer than two days."""
    old, new = daily_sums(before), daily_sums(after)
    if min(len(old.sums), len(new.sums)) < 2:
        return {}
    was, now = metrics(old.sums.sum(0), old.names), metrics(new.sums.sum(0), new.names)
    first, second = resampled(old, draws, seed), resampled(new, draws, seed + 1)
    return {name: _interval(float(now[name] - was[name]), second[name] - first[name], level) for name in now}


def _interval(value: float, drawn: Floats, level: float) -> Interval:
    low, high = np.quantile(drawn, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(value=value, low=float(low), high=float(high), level=level)
