"""What happened after a decision, held against what was promised.

Of an accepted or changed decision the promise is the future with the plan, if the record shows that the plan was carried out;
of a refusal it is the future without. Where the record shows something else, or other food or insulin within the hours
that were promised, the outcome is told and not counted: the promise was of another day. A planned dose may have been given
up to NEAR before the futures were made, if it was recorded after the decision: one recorded earlier is in both futures.
A walk counts as done where a heart rate near the planned one was read from NEAR before its beginning to NEAR after its end.

The surprise is the place of each reading in its promised distribution (0 to 1, the probability integral transform), by linear
interpolation between the promised quantiles; beyond 5 and 95 % it says so and no more. Readings of one decision belong
together, so the sum over decisions counts one reading of each: that nearest two hours. A promise that ends before one and a
half hours has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from medtwin.applications.decisions.decision import LEVELS, Decision, PlannedDose, Promise
from medtwin.record import Basis, Event, Flag, Intent, Record
from medtwin.statistics.binomial import exact_interval

NEAR = timedelta(minutes=30)  #: within which a dose counts as the planned one
LIKE = 0.15  #: relative difference of a dose from the planned one
GIVEN = ("carbohydrate_intake", "insulin_bolus", "insulin_long_acting")  #: of which nothing more may be given
COUNTED = timedelta(hours=2)
APART = timedelta(minutes=30)  #: of the counted reading from two hours, at most
_NAMES = {"carbohydrate_intake": "a meal", "insulin_basal_rate": "a basal rate"}
Carried = Literal["carried out", "not recorded", "otherwise", "open"]


@dataclass(frozen=True)
class Reading:
    """One reading after the decision: ``place`` in its promised distribution, 0 to 1 (at most the outermost levels)."""

    time: datetime
    value: float
    lower: float
    median: float
    upper: float
    place: float

    @property
    def inside(self) -> bool:
        return self.lower <= self.value <= self.upper


@dataclass(frozen=True)
class Outcome:
    """Of one decision as known at a moment. ``counted``: the reading nearest two hours, where it may be counted."""

    decision: Decision
    carried: Carried
    why: str
    readings: tuple[Reading, ...]
    counted: Reading | None

    @property
    def inside(self) -> float | None:
        """Share of readings within the promised 90 %; None without readings."""
        return float(np.mean([one.inside for one in self.readings])) if self.readings else None


@dataclass(frozen=True)
class Kept:
    """All decisions together: how often the counted reading lay within the promised 90 % (exact 95 % interval)."""

    decisions: int
    counted: int
    inside: int
    interval: tuple[float, float] | None


def outcome(record: Record, decision: Decision, at: datetime) -> Outcome:
    """What the record tells of the hours after a decision, up to ``at``."""
    promise = decision.without if decision.verdict == "refused" else decision.scenario
    end = min(promise.times[-1], at)
    carried, why = _carried(record, decision, end, at)
    readings = tuple(
        _placed(event, promise)
        for event in record.of(decision.quantity, since=decision.made_at, until=end + timedelta(seconds=1))
        if _usable(event) and event.instant > decision.made_at
    )
    counted = None
    if carried == "carried out" and readings:
        nearest = min(readings, key=lambda one: abs(one.time - decision.made_at - COUNTED))
        if abs(nearest.time - decision.made_at - COUNTED) <= APART:
            counted = nearest
    if carried == "carried out" and promise.times[-1] < decision.made_at + COUNTED - APART:
        why += "; promised for less than one and a half hours: not counted"
    return Outcome(decision, carried, why, readings, counted)


def kept(outcomes: Sequence[Outcome]) -> Kept:
    """How the promises were kept."""
    counted = [one.counted for one in outcomes if one.counted is not None]
    inside = sum(one.inside for one in counted)
    return Kept(len(outcomes), len(counted), inside, exact_interval(inside, len(counted)) if counted else None)


def _carried(record: Record, decision: Decision, end: datetime, at: datetime) -> tuple[Carried, str]:
    given = _given(record, decision, end, at)
    missing, matched = [], set()
    for dose in decision.planned:
        found = next((e for e in given if e.id not in matched and _matches(e, dose)), None)
        if found is None:
            missing.append(dose)
        else:
            matched.add(found.id)
    if missing:
        last = max(_over(dose) for dose in missing)
        if at < last + NEAR:
            return "open", "its time has not come, or is not over"
        other = [e for e in given if e.quantity in {dose.quantity for dose in missing} and e.id not in matched]
        if other:
            return "otherwise", f"{_many(other)} of another size or at another time"
        return "not recorded", "the record shows nothing of it"
    more = [
        e for e in given
        if e.id not in matched and e.quantity in GIVEN and decision.made_at < e.instant <= end
    ]  # fmt: skip
    if more:
        return "otherwise", f"{_many(more)} that nobody planned"
    if at < decision.made_at + COUNTED:
        return "open", "two hours are not over"
    return "carried out", "as decided" if decision.planned else "nothing was given, as decided"


def _given(record: Record, decision: Decision, end: datetime, at: datetime) -> list[Event]:
    """What may be the planned doses, or more than them, as far as known at ``at``."""
    last = max((_over(dose) + NEAR for dose in decision.planned), default=end)
    until = min(max(end, last), at) + timedelta(seconds=1)
    kinds = {*GIVEN, *(dose.quantity for dose in decision.planned)}
    kept = max((e.recorded for e in record.of("note") if e.key == decision.id), default=None)
    return [
        e for e in record.of(*kinds, since=decision.made_at - NEAR, until=until)
        if _usable(e) and (e.instant > decision.made_at or kept is None or e.recorded > kept)
    ]  # fmt: skip


def _matches(event: Event, dose: PlannedDose) -> bool:
    assert isinstance(event.value, float)
    return (
        event.quantity == dose.quantity and dose.time - NEAR <= event.instant <= _over(dose) + NEAR
        and abs(event.value - dose.value) <= LIKE * max(abs(dose.value), 1e-9)
    )  # fmt: skip


def _over(dose: PlannedDose) -> datetime:
    """When it is done: a dose at once, a walk at its end."""
    return dose.until if dose.quantity == "heart_rate" and dose.until is not None else dose.time


def _placed(event: Event, promise: Promise) -> Reading:
    assert isinstance(event.value, float)
    grid = np.array([t.timestamp() for t in promise.times])
    promised = np.array(promise.quantiles)
    bands = [float(np.interp(event.instant.timestamp(), grid, promised[:, k])) for k in range(len(LEVELS))]
    steps = np.maximum.accumulate(np.array(bands) + 1e-9 * np.arange(len(bands)))
    place = float(np.interp(event.value, steps, LEVELS))
    return Reading(event.instant, event.value, bands[0], bands[2], bands[4], place)


def _usable(event: Event) -> bool:
    return (
        event.basis is Basis.OBSERVED and event.intent is Intent.HAPPENED and isinstance(event.value, float)
        and Flag.IMPLAUSIBLE not in event.flags
    )  # fmt: skip


def _many(events: Sequence[Event]) -> str:
    return " and ".join(sorted({_name(e.quantity) for e in events}))


def _name(quantity: str) -> str:
    plain = "a dose" if quantity.startswith("insulin_") else quantity.replace("_", " ")
    return _NAMES.get(quantity, plain)
