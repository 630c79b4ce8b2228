"""From a lived life to what devices, diaries and clinics hold of it, and to the list of what they got wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from medtwin.worlds import circulation
from medtwin.worlds.facts import Cause, Fact, Person
from medtwin.worlds.kinds import KINDS
from medtwin.worlds.life import Plan
from medtwin.worlds.sensor import READING_MINUTES, Fault, display

WATCH_MINUTES = 5  # a heart rate each
STEP_MINUTES = 15  # steps summed over
LATENCY = {"cgm": 0.2, "pump": 1.0, "watch": 6.0, "cuff": 1.0, "scale": 1.0, "clinic": 180.0}  # minutes; assumption


def causes(
    start: datetime, life: Plan, faults: tuple[Fault, ...], blood: circulation.Haemodynamics, *, tells: bool
) -> tuple[Cause, ...]:
    """The planted disagreements, by their start; meals only where the person ``tells`` of meals at all."""

    def at(minute: float) -> datetime:
        return start + timedelta(minutes=minute)

    out = [Cause(f.kind, at(f.start), at(f.start + f.minutes), f.size) for f in faults]
    for meal in life.meals if tells else ():
        end = at(meal.minute + meal.minutes)
        if meal.stated_minute is None:
            kind = "missed_meal" if meal.bolus_minute is None else "unlogged_meal"
            out.append(Cause(kind, at(meal.minute), end, meal.grams))
        elif meal.reported_minute is not None and meal.reported_minute - meal.minute >= 20:
            out.append(Cause("late_report", at(meal.minute), end, float(meal.reported_minute - meal.minute)))
    if blood.retention:
        onset = blood.onset_day * 1440
        out.append(Cause("fluid_retention", at(onset), at(onset + 14400), blood.retention))
    return tuple(sorted(out, key=lambda c: c.start))


def facts(rng: np.random.Generator, person: Person) -> tuple[Fact, ...]:
    """All that is told of one person, by the moment it could be known."""
    out: list[Fact] = []
    truth, life, minutes = person.truth, person.truth.plan, len(person.truth.heart_rate)
    kind = KINDS[person.kind]
    analysing, watching, missing, house = rng.spawn(4)

    def tell(
        quantity: str, value: float, minute: float, source: str, known: float | None = None, until: float | None = None,
        text: str | None = None, group: str | None = None,
    ) -> None:  # fmt: skip
        time = person.start + timedelta(minutes=minute)
        end = None if until is None else person.start + timedelta(minutes=until)
        ready = max(minute, minute if until is None or source == "pump" else until)
        available = person.start + timedelta(minutes=ready + LATENCY.get(source, 0.0) if known is None else known)
        out.append(Fact(time, available, quantity, float(value), source, text, end, group))

    outcome = truth.outcome
    if outcome is not None:
        for k, raw in enumerate(outcome.readings):
            if np.isfinite(raw):
                value, shown = display(float(raw))
                tell("glucose", value, k * READING_MINUTES, "cgm", text=None if shown.isdigit() else shown)
        mean = float(outcome.glucose[: person.minute(person.now)].mean())
        tell("hba1c", round((mean + 46.7) / 28.7 + 0.12 * analysing.standard_normal(), 1), 60.0, "clinic")
    if outcome is not None and (kind.pump or kind.diary):
        for meal in life.meals:
            if meal.stated_minute is not None and meal.reported_minute is not None and meal.stated_minute >= 0:
                tell("carbohydrate_intake", meal.counted, meal.stated_minute, "diary", known=meal.reported_minute)
    if outcome is not None and kind.pump:
        for minute, grams, logged in outcome.rescues:
            if logged:
                tell("carbohydrate_intake", grams, minute, "diary", known=minute + 4.0)
        for minute, units in outcome.boluses:
            tell("insulin_bolus", units, minute, "pump")
        change = [0, *(np.flatnonzero(np.diff(outcome.basal)) + 1).tolist(), minutes]
        for begin, end in pairwise(change):
            tell("insulin_basal_rate", outcome.basal[begin], begin, "pump", until=end)
    if kind.watch:
        seen = np.round(truth.heart_rate + 2.0 * watching.standard_normal(minutes))
        for minute in range(0, minutes, WATCH_MINUTES):
            if missing.random() > 0.04:
                tell("heart_rate", seen[minute], minute, "watch")
        for minute in range(0, minutes - STEP_MINUTES + 1, STEP_MINUTES):
            total = float(truth.steps[minute : minute + STEP_MINUTES].sum())
            if total > 0:
                tell("step_count", total, minute, "watch", until=minute + STEP_MINUTES)
        for begin, end in life.nights:
            if begin >= 0 and end <= minutes:
                tell("sleep_duration", round((end - begin) / 60.0, 2), begin, "watch", until=end)
    _household(house, person, tell, minutes)
    tell("body_height", person.height, 60.0, "clinic")
    return tuple(sorted(out, key=lambda f: (f.available, f.time, f.quantity)))


def _household(rng: np.random.Generator, person: Person, tell: Callable[..., None], minutes: int) -> None:
    """Cuff and scale: in the morning after waking, where there are many readings also in the evening."""
    life, blood = person.truth.plan, person.truth.haemodynamics
    share = KINDS[person.kind].habits.readings_per_week / 7.0
    moments: list[int] = []
    timing, pressing, weighing, counting = rng.spawn(4)
    for begin, end in life.nights:
        moments += [end + int(timing.integers(5, 40))] if timing.random() < share else []
        moments += [begin - int(timing.integers(20, 90))] if timing.random() < share - 1.0 else []
    moments = sorted({m for m in moments if 0 <= m < minutes})
    if not moments:
        return
    day = np.array(moments) / 1440.0
    read = circulation.pressures(pressing, blood, day, person.truth.heart_rate[moments], np.zeros(len(moments), bool))
    _, shown = circulation.weights(weighing, blood, day, life.local_hour[moments])
    for k, minute in enumerate(moments):
        group = f"cuff-{minute}"
        tell("systolic_pressure", read.systolic[k], minute, "cuff", group=group)
        tell("diastolic_pressure", read.diastolic[k], minute, "cuff", group=group)
        pulse = round(float(person.truth.heart_rate[minute] + counting.standard_normal()))
        tell("heart_rate", pulse, minute, "cuff", group=group)
        tell("mean_arterial_pressure", read.mean[k], minute, "cuff", group=group)
        if life.local_hour[minute] < 12.0:
            tell("body_weight", shown[k], minute + 2, "scale")
