"""A plausible daily life: meals, walks, sleep, a beating heart; and what the person tells of it.

What happens (the truth) and what is reported are different things, and both are kept:

- a meal has true grams and a true minute; the person *counts* grams x exp(bias + sd z), rounded to 5 g, notes the time
  a few minutes wrong, may report it 20-90 minutes late, may bolus and not log it, or may neither bolus nor report it;
- fast carbohydrate against a low is eaten at once and logged only sometimes (``simulate``);
- a walk raises the heart rate (first order, 2 minutes) and makes steps; no one announces it, but the watch sees it.

Heart rate: resting value asleep, +12/min awake, an Ornstein-Uhlenbeck noise (sd 4/min, 8 minutes), and the walk's rise.
Meals come at the person's own hours with about half an hour of scatter; mixed meals leave the gut more slowly than the
drink that the gut's 40 minutes were found with, by a factor of its own. All figures are assumptions of an ordinary
European day; the shares of missed and late reports are the reader's to choose (``Habits``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MEALS = (  # name, hour, scatter (h), grams, scatter (g), probability, minutes to eat, gut factor
    ("breakfast", 7.5, 0.4, 45.0, 12.0, 0.95, 12, 1.1),
    ("lunch", 12.6, 0.5, 65.0, 18.0, 0.98, 18, 1.4),
    ("snack", 16.2, 0.7, 22.0, 7.0, 0.45, 6, 1.0),
    ("dinner", 19.1, 0.6, 75.0, 20.0, 1.0, 22, 1.6),
    ("supper", 21.6, 0.5, 20.0, 6.0, 0.2, 6, 1.0),
)


@dataclass(frozen=True)
class Habits:
    """How one person lives and tells. Shares are probabilities."""

    appetite: float = 1.0  # multiplies grams
    shift: float = 0.0  # hours later than the table of meals
    counting_sd: float = 0.20  # log sd of carbohydrate counting
    counting_bias: float = 0.0  # log bias of it
    unannounced: float = 0.05  # meals neither bolused nor reported
    unlogged: float = 0.05  # meals bolused but not reported
    late: float = 0.15  # reports that come 20-90 minutes after the meal
    walks: float = 0.6  # a walk on a day
    walk_rise: float = 32.0  # 1/min above the waking heart rate
    resting_heart_rate: float = 61.0  # 1/min
    corrects: float = 0.5  # chance to correct a high reading, each time the person looks
    logs_rescue: float = 0.6  # share of rescue carbohydrate that is reported
    readings_per_week: float = 3.0  # scale; cuff about as often
    doses: bool = True  # gives insulin at all


@dataclass(frozen=True)
class Meal:
    """One meal: true minute and grams; what was stated, and when it became known (None: never)."""

    name: str
    minute: int
    grams: float
    minutes: int
    gut_factor: float
    counted: float  # grams the person believed
    bolus_minute: int | None
    stated_minute: int | None
    reported_minute: int | None


@dataclass(frozen=True)
class Plan:
    """What will happen to one person, in minutes from the start of the world."""

    meals: tuple[Meal, ...]
    walks: tuple[tuple[int, int, float], ...]  # start, minutes, rise (1/min)
    nights: tuple[tuple[int, int], ...]  # asleep from, to
    local_hour: Array = field(repr=False)  # of each minute

    def asleep(self, minutes: int) -> NDArray[np.bool_]:
        out = np.zeros(minutes, bool)
        for start, end in self.nights:
            out[max(start, 0) : max(end, 0)] = True
        return out


def local_hours(start: datetime, zone: ZoneInfo, minutes: int) -> Array:
    """Local clock hour (0-24) of each minute from ``start``, through changes of daylight saving time."""
    hours = np.arange(0, minutes + 60, 60)
    local = [(start + timedelta(minutes=int(m))).astimezone(zone) for m in hours]
    clock = np.repeat([t.hour + t.minute / 60.0 + t.second / 3600.0 for t in local], 60)[:minutes]
    return np.mod(clock + np.tile(np.arange(60) / 60.0, len(hours))[:minutes], 24.0)


def plan(rng: np.random.Generator, start: datetime, zone: ZoneInfo, minutes: int, habits: Habits) -> Plan:
    """Draw a life of ``minutes`` from ``start`` (aware), by the local calendar."""
    first = start.astimezone(zone).date() - timedelta(days=1)
    meals: list[Meal] = []
    walks: list[tuple[int, int, float]] = []
    nights: list[tuple[int, int]] = []

    def at(day: int, hour: float) -> int:
        whole = datetime.combine(first + timedelta(days=day), time(0), tzinfo=zone) + timedelta(hours=hour)
        return int((whole.timestamp() - start.timestamp()) // 60)

    for day in range(minutes // 1440 + 3):
        bed = at(day, 22.9 + habits.shift + 0.5 * rng.standard_normal())
        nights.append((bed, bed + int(60 * np.clip(7.4 + 0.7 * rng.standard_normal(), 5.5, 9.5))))
        last_end = -(10**6)
        for name, hour, scatter, grams, spread, share, eating, gut in MEALS:
            dice, z = rng.random(6), rng.standard_normal(6)
            minute = at(day, hour + habits.shift + scatter * z[0])
            if dice[0] > share or minute < last_end + 45:
                continue
            eaten = float(max(8.0, habits.appetite * (grams + spread * z[1])))
            counted = 5.0 * max(1.0, round(eaten * np.exp(habits.counting_bias + habits.counting_sd * z[2]) / 5.0))
            missed = dice[1] < habits.unannounced
            silent = missed or dice[2] < habits.unlogged
            stated = None if silent else minute + round(float(np.clip(4.0 * z[3], -10, 10)))
            late = int(20 + 70 * dice[4]) if dice[3] < habits.late else int(2 + 6 * dice[4])
            meals.append(
                Meal(
                    name=name,
                    minute=minute,
                    grams=eaten,
                    minutes=eating,
                    gut_factor=gut * float(np.exp(0.15 * z[4])),
                    counted=counted,
                    bolus_minute=None if missed or not habits.doses else minute + int(np.clip(-8 + 8 * z[5], -20, 15)),
                    stated_minute=stated,
                    reported_minute=None if stated is None else max(minute, stated) + late,
                )
            )
            last_end = minute + eating
        if rng.random() < habits.walks:
            hour = float(rng.choice([8.7, 13.6, 17.6])) + 0.4 * rng.standard_normal() + habits.shift
            rise = habits.walk_rise * float(np.exp(0.2 * rng.standard_normal()))
            walks.append((at(day, hour), int(rng.integers(22, 56)), rise))
    inside = [m for m in meals if 0 <= m.minute < minutes - m.minutes]
    return Plan(
        meals=tuple(inside),
        walks=tuple(w for w in walks if 0 <= w[0] < minutes),
        nights=tuple(n for n in nights if n[1] > 0 and n[0] < minutes),
        local_hour=local_hours(start, zone, minutes),
    )


def waking_heart_rate(habits: Habits) -> float:
    """Quiet waking heart rate with its usual noise: the reference above which exercise counts."""
    return habits.resting_heart_rate + 12.0 + 8.0


def body(rng: np.random.Generator, life: Plan, habits: Habits, minutes: int) -> tuple[Array, Array]:
    """True heart rate (1/min) and steps (each minute)."""
    stepping, walking, beating = rng.spawn(3)  # own streams, so that a longer life does not change its beginning
    asleep = life.asleep(minutes)
    target = habits.resting_heart_rate + np.where(asleep, 0.0, 12.0)
    steps = stepping.poisson(np.where(asleep, 0.0, 2.5), minutes).astype(float)
    for start, length, rise in life.walks:
        target[start : start + length] += rise
        walked = len(steps[start : start + length])
        steps[start : start + length] = np.round(104.0 + 5.0 * walking.standard_normal(walked))
    keep = np.exp(-1.0 / 8.0)
    shock = 4.0 * np.sqrt(1 - keep * keep) * beating.standard_normal(minutes)
    rate = np.empty(minutes)
    smooth, noise, follow = target[0], 0.0, 1.0 - np.exp(-0.5)
    for m in range(minutes):
        smooth += follow * (target[m] - smooth)
        noise = keep * noise + shock[m] * (0.5 if asleep[m] else 1.0)
        rate[m] = smooth + noise
    return np.maximum(rate, 35.0), steps
