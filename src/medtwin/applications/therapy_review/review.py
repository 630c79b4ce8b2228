"""Which settings would have done better on this person's own days, how surely, and within which limit of risk.

Basal in four blocks of the day (long-acting injections: one dose, all day), boluses of meals in three, boluses without a
told meal: each by itself 20 or 10 % less or more, lived again on the last days
(:mod:`medtwin.applications.therapy_review.replay`). Figures are of time in range (70 to 180 mg/dL) and below 70 and 54; their
intervals (90 %) hold the days' own variation (whole days drawn again), the belief's spread, and the model's error of an
effect. *Risk* is the chance, under all three, that time below 70 exceeds :data:`MOST_LOW` or time below 54 :data:`MOST_DEEP`.

A step is suggested only where

* time in range surely rises (its interval excludes zero) by :data:`LEAST_GAIN` points or more;
* or, where the risk of today's settings is beyond :data:`RISK`, a step of less insulin surely lessens time below 70 and
  does not surely cost time in range;
* more insulin leaves the risk within :data:`RISK`, and today's is within it too;
* it is not more insulin with meals (:data:`MORE_WITH_MEALS`): what that does is promised too small on made-up people, and too
  few of them were asked to show that lows stay within what is promised (``docs/evidence/therapy-review.md``);
* the twin fits this person (:mod:`medtwin.twin.fit`) and its forecasts are calibrated on them (:data:`LEAST_COVERAGE`).

Steps are bounded at 20 %. Suggestions are lived together as well; of those that give more insulin the weakest is dropped
until all together stay within the limit. Research output: a clinician decides.

Limits of low glucose: Battelino et al., Diabetes Care 42 (2019) 1593 (adults with type 1 or 2 diabetes; older people and those
at high risk have a stricter one, 1 % below 70, which is not applied here). RISK, LEAST_GAIN, LEAST_COVERAGE: judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from medtwin.applications.glucose_report.unit import UNITS, Unit
from medtwin.applications.therapy_review.replay import (
    BASAL,
    BOLUS,
    CARBS,
    Change,
    Day,
    Kind,
    acts_on,
    days,
    lived,
    touched,
)
from medtwin.errors import InferenceError
from medtwin.record import Record
from medtwin.twin.fit import LEAST_COVERAGE, misfit
from medtwin.twin.forecast import learn
from medtwin.twin.residual import Residual
from medtwin.twin.twin import Twin

Array = NDArray[np.float64]
FEWEST, USUAL = 7, 14  #: days
STEPS = (0.8, 0.9, 1.1, 1.2)
MOST_LOW, MOST_DEEP = 4.0, 1.0  #: % of time below 70 and below 54 mg/dL (consensus of 2019)
RISK = 0.1  #: chance of exceeding either that is borne
LEAST_GAIN = 1.0  #: points of time in range
MORE_WITH_MEALS = False  #: suggested at all? As docs/evidence/therapy-review.md says (a test holds it to that page)
LEAST_INSULIN = 0.5  #: U a day that a setting must act on to be reviewed
RESAMPLES = 400
Block = tuple[str, Kind, float, float]
BASALS: tuple[Block, ...] = (
    ("basal, 0 to 6 h", "basal", 0.0, 6.0), ("basal, 6 to 12 h", "basal", 6.0, 12.0),
    ("basal, 12 to 18 h", "basal", 12.0, 18.0), ("basal, 18 to 24 h", "basal", 18.0, 24.0),
)  # fmt: skip
INJECTED: tuple[Block, ...] = (("basal with long-acting insulin, all day", "basal", 0.0, 24.0),)
BOLUSES: tuple[Block, ...] = (
    ("boluses of breakfast", "meal bolus", 4.0, 11.0), ("boluses of lunch", "meal bolus", 11.0, 17.0),
    ("boluses of dinner", "meal bolus", 17.0, 4.0), ("boluses without a told meal", "other bolus", 0.0, 24.0),
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
    """One alternative of one setting; ``factor`` is None of all suggestions together."""

    factor: float | None
    shares: Shares
    change: Interval  #: of time in range, points
    change_low: Interval  #: of time below 70, points
    risk: float  #: chance that time below 70 exceeds MOST_LOW, or below 54 MOST_DEEP
    allowed: bool  #: to be suggested: less insulin always is

    @property
    def within(self) -> bool:
        """Whether the risk with it is within the limit."""
        return self.risk <= RISK


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
    risk: float  #: of today's settings
    settings: tuple[Setting, ...]
    together: Step | None  #: all suggestions, where there are several
    withheld: str | None
    notes: tuple[str, ...]
    unit: Unit = UNITS["mg/dL"]  #: in which limits are named; all figures are shares of time


def review(
    twin: Twin, record: Record, at: datetime, *, count: int = USUAL, synthetic: bool = False,
    residual: Residual | None = None, progress: Callable[[int, int], None] | None = None, unit: Unit = UNITS["mg/dL"],
) -> Review:  # fmt: skip
    """``residual``: what was learnt of this person's forecasts; without it it is learnt here. Raises
    :class:`InferenceError` where no doses of insulin are modelled or too few days have readings."""
    if not {BOLUS, BASAL, CARBS} <= set(twin.facts.doses):
        raise InferenceError(f"the model {twin.model.name}", expected="one that takes insulin and carbohydrate")
    every = days(twin, record, at, count)
    if len(every) < FEWEST:
        raise InferenceError(
            f"{len(every)} of the last {count} days with readings for 70 % of the time and half of each quarter",
            expected=f"at least {FEWEST}", where=f"patient {record.patient}",
            remedy="review after more days, or ask for more with --days",
        )  # fmt: skip
    if not any(True for _ in record.of(BOLUS, BASAL, until=at)):
        raise InferenceError(
            "no insulin in the record", expected="a person who injects insulin", where=f"patient {record.patient}",
            remedy="`medtwin glucose plan` ranks meals",
        )  # fmt: skip
    blocks = [Change(kind, begin, end, 1.0) for _, kind, begin, end in _blocks(twin, every)]
    daily = [float(np.mean([touched(day, block) for day in every])) for block in blocks]
    named = list(zip(_blocks(twin, every), blocks, daily, strict=True))
    reviewed = [one for one in named if one[2] >= LEAST_INSULIN]
    alternatives = [[replace(block, factor=factor)] for _, block, _ in reviewed for factor in STEPS]
    drawn = _drawn(len(every))
    before = [shares(np.repeat(day.glucose[:, None], 2, 1)) for day in every]
    risk = _risk(_spread(before, drawn))
    doubt = misfit(twin) or _uncalibrated(residual or learn(twin, twin.choice, record, at))
    futures = lived(twin, every, alternatives, progress) if alternatives else []
    settings = []
    for k, ((name, kind, _, _), block, units) in enumerate(reviewed):
        steps = tuple(
            _step(factor, before, [shares(day) for day in futures[k * len(STEPS) + j]], drawn, risk)
            for j, factor in enumerate(STEPS)
        )
        suggested, why = (None, "withheld") if doubt else _chosen(steps, risk, kind, unit)
        settings.append(Setting(name, kind, _used(every, block), units, steps, suggested, why))

    def joint(sets: Sequence[Sequence[Setting]]) -> list[Step]:
        changes = [
            [
                replace(block, factor=one.suggested.factor)
                for one, (_, block, _) in zip(chosen, reviewed, strict=True)
                if one.suggested and one.suggested.factor
            ]
            for chosen in sets
        ]
        made = lived(twin, every, changes)
        return [
            replace(_step(max(c.factor for c in one), before, [shares(day) for day in there], drawn, risk), factor=None)
            for one, there in zip(changes, made, strict=True)
        ]

    kept, together = _together(settings, joint)
    basal, bolus = (float(np.mean([day.units(q) for day in every])) for q in (BASAL, BOLUS))
    return Review(
        record.patient, synthetic, at, len(every), basal + bolus, basal / max(basal + bolus, 1e-9),
        _interval_shares(before, drawn), risk, tuple(kept), together, doubt,
        _notes([name for (name, *_), _, units in named if units < LEAST_INSULIN], every, len(alternatives), count, unit),
        unit,
    )  # fmt: skip


def _blocks(twin: Twin, every: Sequence[Day]) -> tuple[Block, ...]:
    """Where long-acting injections act, basal insulin is one setting: nobody can change six hours of it."""
    steady = twin.facts.doses[BASAL].steady
    injected = steady is not None and any(
        steady.held(twin.axis.boundary(day.begin), len(day.hour) - day.lead).any() for day in every
    )
    return (*(INJECTED if injected else BASALS), *BOLUSES)


def _uncalibrated(residual: Residual | None) -> str | None:
    if residual is None:
        return "forecasts are not calibrated on this person: too few readings with a known outcome"
    hour = min(residual.horizons, key=lambda h: abs(h.seconds - 3600.0))
    if hour.coverage90 < LEAST_COVERAGE:
        return f"forecasts are not calibrated on this person: 90 % bands held {hour.coverage90:.0%} of readings an hour ahead"
    return None


def shares(predicted: Array) -> Array:
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


def _risk(spread: Array) -> float:
    return float(((spread[1] > MOST_LOW) | (spread[2] > MOST_DEEP)).mean())


def _step(
    factor: float, before: Sequence[Array], after: Sequence[Array], drawn: NDArray[np.int64], risk_now: float
) -> Step:
    """``before`` is measured and has no members: its first column stands beside each of ``after``."""
    was, now = (
        _spread([day[:, :1] + 0.0 * there for day, there in zip(before, after, strict=True)], drawn),
        _spread(after, drawn),
    )
    risk = _risk(now)
    shares = Shares(_three(now[0]), _three(now[1]), _three(now[2]))
    allowed = factor < 1.0 or (risk <= RISK and risk_now <= RISK)
    return Step(factor, shares, _three(now[0] - was[0]), _three(now[1] - was[1]), risk, allowed)


def _chosen(
    steps: Sequence[Step], risk_now: float, kind: Kind = "basal", unit: Unit = UNITS["mg/dL"]
) -> tuple[Step | None, str]:
    better = [one for one in steps if one.change[0] > 0.0 and one.change[1] >= LEAST_GAIN]
    allowed = [one for one in better if one.allowed]
    if kind == "meal bolus" and not MORE_WITH_MEALS:
        lessening = [one for one in allowed if one.factor and one.factor < 1.0]
        if allowed and not lessening:
            return None, "more insulin would raise time in range, but more with meals is never suggested: see the notes"
        allowed = lessening
    if allowed:
        best = max(allowed, key=lambda one: one.change[1])
        return best, f"time in range {_signed(best.change)} points"
    if risk_now > RISK:
        safer = [one for one in steps if one.factor and one.factor < 1.0 and one.change_low[2] < 0.0 <= one.change[2]]
        if safer:
            best = max(safer, key=lambda one: one.change[1])
            return (
                best,
                f"lows are beyond the limit now; time below {unit.words(70.0)} {_signed(best.change_low)} points",
            )
    if not better:
        return None, f"no step surely gains {LEAST_GAIN:g} point or more"
    worst = min(one.risk for one in better)
    return None, (
        f"more insulin would raise time in range, but the chance of more than {MOST_LOW:g} % below {unit.words(70.0)} or "
        f"{MOST_DEEP:g} % below {unit.words(54.0)} is {risk_now:.0%} now and would be {worst:.0%}; the limit is {RISK:.0%}"
    )


def _together(
    settings: Sequence[Setting], joint: Callable[[Sequence[Sequence[Setting]]], list[Step]]
) -> tuple[list[Setting], Step | None]:
    """The suggestions that may stand beside each other, and what they do together."""
    more = [one for one in settings if one.suggested and one.suggested.factor and one.suggested.factor > 1.0]
    sets = [list(settings)]
    for weakest in sorted(more, key=lambda one: one.suggested.change[1] if one.suggested else 0.0):
        why = "within the limit by itself, but not together with the others"
        sets.append([replace(one, suggested=None, why=why) if one is weakest else one for one in sets[-1]])
    several = [kept for kept in sets if sum(one.suggested is not None for one in kept) > 1]
    for kept, step in zip(several, joint(several) if several else [], strict=True):
        if step.allowed:
            return kept, step
    return sets[len(several)], None


def _signed(change: Interval) -> str:
    return f"{change[1]:+.1f} ({change[0]:+.1f} to {change[2]:+.1f})"


def _used(every: Sequence[Day], block: Change) -> str:
    """What the record shows of a setting."""
    if block.kind == "basal":
        units = float(np.mean([touched(day, block) for day in every]))
        hours = (block.end - block.begin) % 24.0 or 24.0
        return f"{units:.1f} U a day" if hours == 24.0 else f"{units / hours:.2f} U/h"
    if block.kind == "other bolus":
        return "given as recorded"
    ratios = []
    for day in every:
        eaten = day.units(CARBS, day.hours(block.begin, block.end))
        units = day.units(BOLUS, acts_on(day, block))
        if eaten > 5.0 and units > 0.3:
            ratios.append(eaten / units)
    return f"{np.median(ratios):.0f} g per U, corrections within" if ratios else "given as recorded"


def _notes(
    left: Sequence[str], every: Sequence[Day], steps: int, count: int, unit: Unit = UNITS["mg/dL"]
) -> tuple[str, ...]:
    said = [
        f"{steps} steps were tried, each by itself: of so many, some look better by chance",
        "food, exercise and what was done against lows stay as they were",
        "settings are inferred from what was given, not from the pump's profile",
        "the limit of lows is that of adults; the stricter one for older people and those at high risk (1 % below "
        f"{unit.words(70.0)}) is not applied",
    ]
    if not MORE_WITH_MEALS:
        said.append(
            "more insulin with meals is not suggested: on made-up people the effect of larger boluses of meals was promised "
            "too small, and too few of them were asked to show that lows stay within what was promised "
            "(docs/evidence/therapy-review.md)"
        )
    if len(every) < USUAL:
        said.append(f"{len(every)} days are few: with fewer than {USUAL} intervals from resampled days are too narrow")
    if len(every) < count:
        said.append(f"{count - len(every)} of the last {count} days lack readings or a belief to begin from")
    if left:
        said.append(f"not reviewed, since less than {LEAST_INSULIN:g} U a day: {', '.join(left)}")
    untold = sum(day.units(CARBS) < 20.0 for day in every)
    if untold:
        said.append(f"on {untold} of {len(every)} days hardly any carbohydrate is recorded: meals are missing there")
    return tuple(said)
