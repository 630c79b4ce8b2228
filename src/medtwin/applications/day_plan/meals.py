"""Meals as a record tells of them, and what glucose did after each.

Facts of food that share a group, or begin within :data:`TOGETHER`, are one meal. The response is looked at where readings
are dense: the rise above the level before the meal, and the minutes above two limits, in the two hours after it began
(the window of the consensus and of postprandial studies). A meal that begins within the two hours after another still counts, and
its own level before is what it starts from; it is said that the meal before was still on its way. Of glucose, steps and sleep
that several systems tell on one day, only the system that tells more of it counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from medtwin.applications.glucose_report.readings import offset_of
from medtwin.record import Basis, Code, Event, Flag, Intent, Record

FOOD = {
    "carbohydrate_intake": "carbohydrate", "protein_intake": "protein", "fat_intake": "fat", "fibre_intake": "fibre",
}  # fmt: skip
TOGETHER = timedelta(minutes=20)
WINDOW = timedelta(minutes=120)
BEFORE = timedelta(minutes=20)  #: readings whose mean is the level before
WALK = timedelta(minutes=60)  #: after a meal, in which steps count as a walk after it
DENSE = 0.7  #: least share of the window that readings must cover
STEP = 20.0  #: minutes; a longer gap between readings covers no more than this
LIMITS = (140.0, 180.0)  #: mg/dL


@dataclass(frozen=True)
class Meal:
    """What was eaten; grams, None where nobody said. ``hour`` is that of the person's clock."""

    begin: datetime
    hour: float
    carbohydrate: float | None
    protein: float | None
    fat: float | None
    fibre: float | None
    name: str
    events: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Response:
    """What glucose did: mg/dL and minutes. ``overlaps``: another meal began in the two hours before."""

    meal: Meal
    before: float
    slope: float  #: mg/dL per 15 min before the meal
    rise: float  #: the greatest reading within the window, less ``before``
    above: tuple[float, float]  #: minutes above each of LIMITS
    steps: float | None  #: within WALK; None where no steps are recorded that day
    sleep: float | None  #: hours of the night before; None where not recorded
    overlaps: bool


def meals(record: Record) -> tuple[Meal, ...]:
    """Meals that happened, in order of time; only those that tell at least one nutrient."""
    told = sorted(
        (e for e in record.of(*FOOD, "note") if usable(e)), key=lambda e: (e.instant, e.quantity, e.key)
    )  # fmt: skip
    found: list[list[Event]] = []
    for event in (e for e in told if e.quantity in FOOD):
        if found and event.instant - found[-1][0].instant <= TOGETHER:
            found[-1].append(event)
        else:
            found.append([event])
    notes = [e for e in told if e.quantity == "note"]
    made = []
    for events in found:
        sums: dict[str, float] = {}
        for event in events:
            assert isinstance(event.value, float)
            name = FOOD[event.quantity]
            sums[name] = sums.get(name, 0.0) + event.value
        groups = {e.group for e in events if e.group}
        said = [_words(note) for note in notes if note.group in groups]
        begin = events[0].instant
        local = begin + timedelta(seconds=_east(events[0], record))
        made.append(Meal(
            begin, local.hour + local.minute / 60.0, sums.get("carbohydrate"), sums.get("protein"), sums.get("fat"),
            sums.get("fibre"), ", ".join(dict.fromkeys(said)), tuple(e.id for e in events),
        ))  # fmt: skip
    return tuple(made)


def responses(record: Record, eaten: tuple[Meal, ...] | None = None) -> tuple[Response, ...]:
    """The response to each meal around which readings are dense, in order of time."""
    eaten = meals(record) if eaten is None else eaten
    readings, _ = of_one_system(record, "glucose")
    steps, _ = of_one_system(record, "step_count")
    slept, _ = of_one_system(record, "sleep_duration")
    time = np.array([e.instant.timestamp() for e in readings]) / 60.0
    value = np.array([e.value for e in readings], float)
    made = []
    for number, meal in enumerate(eaten):
        begin = meal.begin.timestamp() / 60.0
        seen = _seen(time, value, begin)
        if seen is None:
            continue
        before, slope, rise, above = seen
        near = number > 0 and meal.begin - eaten[number - 1].begin < WINDOW
        made.append(Response(meal, before, slope, rise, above, _steps(steps, meal), _sleep(slept, meal), near))
    return tuple(made)


def _seen(
    time: NDArray[np.float64], value: NDArray[np.float64], begin: float
) -> tuple[float, float, float, tuple[float, float]] | None:
    window = WINDOW.total_seconds() / 60.0
    first, middle, last = np.searchsorted(time, [begin - BEFORE.total_seconds() / 60.0, begin, begin + window], "right")
    if middle == first or last - middle < 3:
        return None
    at, held = time[middle:last], value[middle:last]
    length = np.minimum(np.diff(np.append(at, begin + window)), STEP)
    if length.sum() < DENSE * window:
        return None
    before = float(value[first:middle].mean())
    earlier = value[first:middle]
    slope = float(earlier[-1] - earlier[0]) if middle - first > 1 else 0.0
    above = tuple(float(length[held > limit].sum()) for limit in LIMITS)
    return before, slope, float(held.max() - before), (above[0], above[1])


def of_one_system(
    record: Record, quantity: str, since: datetime | None = None, until: datetime | None = None
) -> tuple[list[Event], str]:
    """Usable numbers of ``quantity``: of a day that several systems tell, those of the one that tells more; and what was left
    out, in words. A day is the person's; of sleep it is from noon to noon."""
    events = [e for e in record.of(quantity, since=since, until=until) if usable(e) and isinstance(e.value, float)]
    systems = sorted({e.source.system for e in events})
    if len(systems) < 2:
        return events, ""
    shift = 43200.0 if quantity == "sleep_duration" else 0.0
    days = [(e.instant.timestamp() + _east(e, record) + shift) // 86400.0 for e in events]
    count = Counter((day, e.source.system) for day, e in zip(days, events, strict=True))
    most = {day: max(systems, key=lambda system: count[day, system]) for day in days}
    kept = [e for day, e in zip(days, events, strict=True) if e.source.system == most[day]]
    left = len(events) - len(kept)
    words = f"{quantity.replace('_', ' ')} of several systems at once ({', '.join(systems)}): {left} values of the one that "
    return kept, f"{words}told less of a day left out" if left else ""


def _steps(told: Sequence[Event], meal: Meal) -> float | None:
    """Steps in the hour after; None where the day has no count of steps at all."""
    half = timedelta(hours=12)
    counted = [e for e in told if meal.begin - half <= e.instant < meal.begin + half]
    if not counted:
        return None
    total = 0.0
    for event in counted:
        end = event.until.instant if event.until is not None else event.instant + timedelta(minutes=1)
        length = max((end - event.instant).total_seconds(), 1.0)
        inside = (min(end, meal.begin + WALK) - max(event.instant, meal.begin)).total_seconds()
        if inside > 0.0:
            assert isinstance(event.value, float)
            total += event.value * min(inside / length, 1.0)
    return total


def _sleep(told: Sequence[Event], meal: Meal) -> float | None:
    """Hours slept in the 24 h before; None where nothing of it is recorded."""
    slept = [e for e in told if meal.begin - timedelta(hours=24) <= e.instant < meal.begin]
    return sum(e.value for e in slept if isinstance(e.value, float)) if slept else None


def usable(event: Event) -> bool:
    """Whether it was observed, happened, and is plausible."""
    return (
        event.basis is Basis.OBSERVED and event.intent is Intent.HAPPENED and Flag.IMPLAUSIBLE not in event.flags
        and isinstance(event.value, (float, Code))
    )  # fmt: skip


def _east(event: Event, record: Record) -> float:
    """Seconds from UTC to the person's clock."""
    if record.zone:
        return offset_of(event.instant, record.zone)
    return float(event.time.offset or 0) * 60.0


def _words(event: Event) -> str:
    value = event.value
    return (event.text or (value.display if isinstance(value, Code) else "")).strip()
