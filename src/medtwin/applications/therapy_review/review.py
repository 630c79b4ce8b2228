"""Which settings would have done better on this person's own days, how surely, and within which limit of risk.

Basal in four blocks of the day, boluses of meals in three, corrections: each by itself 20 or 10 % less or more, lived again
on the last days (:mod:`medtwin.applications.therapy_review.replay`). Figures are of time in range (70 to 180 mg/dL) and below
70 and 54; their intervals (90 %) hold the days' own variation (whole days drawn again), the belief's spread, and the model's
error of an effect.

A change is suggested only where

* the interval of the change of time in range excludes zero,
* more insulin leaves the chance that time below 70 exceeds :data:`MOST_LOW` within :data:`RISK`, and of time below 54 beyond
  :data:`MOST_DEEP` too; where that chance exceeds it already, nothing that gives more insulin is suggested,
* and the twin fits this person (:mod:`medtwin.twin.fit`).

Steps are bounded at 20 %. Of each setting at most one step is suggested; two suggestions together were not lived together,
and it is said. Research output: a clinician decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from medtwin.applications.therapy_review.replay import BASAL, BOLUS, CARBS, Change, Day, Kind, days, lived, touched
from medtwin.errors import InferenceError
from medtwin.record import Record
from medtwin.twin.fit import misfit
from medtwin.twin.twin import Twin

Array = NDArray[np.float64]
FEWEST, USUAL = 7, 14  #: days
STEPS = (0.8, 0.9, 1.1, 1.2)
MOST_LOW, MOST_DEEP, RISK = (
    4.0,
    1.0,
    0.1,
)  #: % of time below 70 and 54 (consensus 2019); chance beyond which it is not borne
LEAST_INSULIN = 0.5  #: U a day that a setting must act on to be reviewed
RESAMPLES = 400
BLOCKS: tuple[tuple[str, Kind, float, float], ...] = (
    ("basal, 0 to 6 h", "basal", 0.0, 6.0), ("basal, 6 to 12 h", "basal", 6.0, 12.0),
    ("basal, 12 to 18 h", "basal", 12.0, 18.0), ("basal, 18 to 24 h", "basal", 18.0, 24.0),
    ("boluses of breakfast", "meal bolus", 4.0, 11.0), ("boluses of lunch", "meal bolus", 11.0, 17.0),
    ("boluses of dinner", "meal bolus", 17.0, 4.0), ("corrections", "correction", 0.0, 24.0),
)  # fmt: skip
Interval = tuple[float, float, float]  #: 5 %, median, 95 %


@dataclass(frozen=True)
class Shares:
    """% of readings: in 70 to 180, below 70, below 54 mg/dL."""

    in_range: Interval
    below_70: Interval
    below_54: Interval


@dataclass(frozen=True)
class Step:
    """One alternative of one setting."""

    factor: float
    shares: Shares
    change: Interval  #: of time in range, points
    risk: float  #: chance that time below 70 exceeds MOST_LOW, or below 54 MOST_DEEP
    allowed: bool


@dataclass(frozen=True)
class Setting:
    """What is in use, and what each step would have done."""

    name: str
    kind: Kind
    used: str  #: in words, as inferred from the record
    daily: float  #: U a day
    steps: tuple[Step, ...]
    suggested: Step | None
    why: str


@dataclass(frozen=True)
class Review:
    """Of one person."""

    patient: str
    synthetic: bool
    at: datetime
    days: int
    total_daily: float  #: U a day
    basal_share: float
    now: Shares  #: measured
    settings: tuple[Setting, ...]
    withheld: str | None
    notes: tuple[str, ...]


def review(
    twin: Twin, record: Record, at: datetime, *, count: int = USUAL, synthetic: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Review:  # fmt: skip
    """Raises :class:`InferenceError` where no doses of insulin are modelled or too few days have readings."""
    if not {BOLUS, BASAL, CARBS} <= set(twin.facts.doses):
        raise InferenceError(f"the model {twin.model.name}", expected="one that takes insulin and carbohydrate")
    every = days(twin, record, at, count)
    if len(every) < FEWEST:
        raise InferenceError(
            f"{len(every)} of the last {count} days with readings for 70 % of the time", expected=f"at least {FEWEST}",
            where=f"patient {record.patient}", remedy="review after more days, or ask for more with --days",
        )  # fmt: skip
    reviewed: list[tuple[str, Kind, float, float, float]] = []
    left: list[tuple[str, Kind, float, float, float]] = []
    for name, kind, begin, end in BLOCKS:
        daily = float(np.mean([touched(day, Change(kind, begin, end, 1.0)) for day in every]))
        (reviewed if daily >= LEAST_INSULIN else left).append((name, kind, begin, end, daily))
    alternatives: list[list[Change]] = [[]]
    for _, kind, begin, end, _ in reviewed:
        alternatives += [[Change(kind, begin, end, factor)] for factor in STEPS]
    futures = lived(twin, every, alternatives, progress)
    drawn = _drawn(len(every))
    before = [_shares(day) for day in futures[0]]
    doubt = misfit(twin)
    settings, place = [], 1
    for name, kind, begin, end, daily in reviewed:
        steps = tuple(
            _step(factor, before, [_shares(day) for day in futures[place + k]], drawn) for k, factor in enumerate(STEPS)
        )
        place += len(STEPS)
        suggested, why = (None, "withheld") if doubt else _chosen(steps)
        settings.append(Setting(name, kind, _used(every, kind, begin, end), daily, steps, suggested, why))
    given = np.array([[day.inputs[BASAL].sum() / 60.0, day.inputs[BOLUS].sum()] for day in every])
    return Review(
        record.patient, synthetic, at, len(every), float(given.sum(1).mean()),
        float(given[:, 0].sum() / max(given.sum(), 1e-9)), _interval_shares(before, drawn), tuple(settings), doubt,
        _notes(left, every),
    )  # fmt: skip


def _shares(predicted: Array) -> Array:
    """``(3, members)``: % in range, below 70, below 54, of one day's readings ``(readings, members)``."""
    return 100.0 * np.stack([
        ((predicted >= 70.0) & (predicted <= 180.0)).mean(0), (predicted < 70.0).mean(0), (predicted < 54.0).mean(0)
    ])  # fmt: skip


def _drawn(count: int) -> NDArray[np.int64]:
    """Whole days drawn again ``(RESAMPLES, days)``."""
    return np.random.default_rng(0).integers(0, count, (RESAMPLES, count))


def _spread(per_day: Sequence[Array], drawn: NDArray[np.int64]) -> Array:
    """``(3, RESAMPLES * members)``: means over drawn days, member by member."""
    stacked = np.stack(per_day)  # day, 3, member
    return np.concatenate([stacked[rows].mean(0) for rows in drawn], axis=1)


def _three(values: Array) -> Interval:
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return float(low), float(middle), float(high)


def _interval_shares(per_day: Sequence[Array], drawn: NDArray[np.int64]) -> Shares:
    spread = _spread(per_day, drawn)
    return Shares(_three(spread[0]), _three(spread[1]), _three(spread[2]))


def _step(factor: float, before: Sequence[Array], after: Sequence[Array], drawn: NDArray[np.int64]) -> Step:
    was, now = _spread(before, drawn), _spread(after, drawn)
    risk = float(((now[1] > MOST_LOW) | (now[2] > MOST_DEEP)).mean())
    shares = Shares(_three(now[0]), _three(now[1]), _three(now[2]))
    return Step(factor, shares, _three(now[0] - was[0]), risk, factor < 1.0 or risk <= RISK)


def _chosen(steps: Sequence[Step]) -> tuple[Step | None, str]:
    better = [one for one in steps if one.change[0] > 0.0]
    if not better:
        return None, "no step can be told from none"
    allowed = [one for one in better if one.allowed]
    if not allowed:
        return None, (
            f"more insulin would raise time in range, but the chance of more than {MOST_LOW:g} % below 70 or {MOST_DEEP:g} % "
            f"below 54 would be {min(one.risk for one in better):.0%}, above {RISK:.0%}"
        )
    best = max(allowed, key=lambda one: one.change[1])
    return best, f"time in range {best.change[1]:+.1f} points ({best.change[0]:+.1f} to {best.change[2]:+.1f})"


def _used(every: Sequence[Day], kind: Kind, begin: float, end: float) -> str:
    """What the record shows of a setting."""
    if kind == "basal":
        rates = [float(day.inputs[BASAL][(day.hour >= begin) & (day.hour < end)].mean()) for day in every]
        return f"{np.mean(rates):.2f} U/h"
    if kind == "correction":
        return "given as recorded"
    ratios = []
    for day in every:
        hours = (day.hour >= begin) & (day.hour < end) if begin < end else (day.hour >= begin) | (day.hour < end)
        eaten = float(day.inputs[CARBS][hours].sum())
        units = float(day.inputs[BOLUS][hours & day.fed].sum())
        if eaten > 5.0 and units > 0.3:
            ratios.append(eaten / units)
    return f"{np.median(ratios):.0f} g per U" if ratios else "given as recorded"


def _notes(left: Sequence[tuple[str, Kind, float, float, float]], every: Sequence[Day]) -> tuple[str, ...]:
    said = [
        "each step was lived by itself: two together were not",
        "food, exercise and what was done against lows stay as they were",
        "settings are inferred from what was given, not from the pump's profile",
    ]
    if left:
        said.append(f"not reviewed, since less than {LEAST_INSULIN:g} U a day: {', '.join(name for name, *_ in left)}")
    untold = sum(float(day.inputs[CARBS].sum()) < 20.0 for day in every)
    if untold:
        said.append(f"on {untold} of {len(every)} days hardly any carbohydrate is recorded: meals are missing there")
    return tuple(said)
