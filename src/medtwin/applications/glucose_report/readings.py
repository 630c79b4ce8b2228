"""The trace of a record: sensor glucose that happened, on the clock of the person.

Nothing is repaired. What is left out is counted and said: implausible values, and where two systems tell of the same day
the readings of the one that told less of it. A bound ("Low", "High") counts at its limit, as sensors' reports do: leaving it
out would hide what matters most.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from medtwin.record import Basis, Event, Flag, Intent, Record
from medtwin.statistics.glucose.trace import DAY, Trace

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE = datetime(1970, 1, 1)  # noqa: DTZ001 - wall clocks are counted from it


@dataclass(frozen=True)
class Told:
    """A trace and sentences about it. ``bounds``: readings that were Low or High and count at the limit; ``left``: implausible
    ones that are not in it."""

    trace: Trace
    notes: tuple[str, ...]
    bounds: int
    left: int = 0


def told(record: Record, since: datetime, until: datetime) -> Told:
    """Sensor glucose with ``since <= instant < until``."""
    events = record.of("glucose")  # in the order of their instants
    held = events[bisect_left(events, since, key=_instant) : bisect_left(events, until, key=_instant)]
    kept = [e for e in held if e.basis is Basis.OBSERVED and e.intent is Intent.HAPPENED and isinstance(e.value, float)]
    usable = [e for e in kept if Flag.IMPLAUSIBLE not in e.flags]
    notes = []
    if left := len(kept) - len(usable):
        notes.append(f"{_many(left, 'reading')} outside the plausible range left out")
    usable, seconds, offset, said = _one_system_a_day(usable, *_times(usable, record.zone))
    notes += said
    trace = Trace.of(seconds, [e.value for e in usable], offset)  # type: ignore[arg-type]
    if trace.repeated:
        notes.append(f"{_many(trace.repeated, 'reading')} of an instant that has another left out")
    if unknown := sum(e.time.offset is None and e.time.zone is None for e in usable):
        notes.append(f"{_many(unknown, 'reading')} without a known offset: times are the device's own clock")
    near = int((trace.distance < 0.5 * trace.step).sum())
    if near > 0.05 * trace.seconds.size:
        notes.append(
            f"{_many(near, 'reading')} nearer than half the usual {trace.step:g} min to the one before (scans?): each counts "
            "once, so that times in ranges lean to when they were taken"
        )
    bounds = sum(e.comparator is not None for e in usable)
    if bounds:
        notes.append(f"{_many(bounds, 'reading')} beyond the sensor's range counted at its limit")
    flags = {flag for e in usable if e.flags for flag in e.flags}
    if Flag.CONTRADICTED in flags:
        notes.append("a source states two values for one moment: the last one counts")
    if Flag.UNIT_ASSUMED in flags:
        notes.append("a source wrote no unit: that of its format was taken")
    return Told(trace, tuple(notes), bounds, left)


def _instant(event: Event) -> datetime:
    return event.time.instant


def offset_of(moment: datetime, zone: str | None) -> float:
    """Seconds east of Greenwich that a zone's clocks show at a moment; zero where no zone is known."""
    shown = moment.astimezone(ZoneInfo(zone)).utcoffset() if zone else None
    return shown.total_seconds() if shown else 0.0


def _times(events: Sequence[Event], zone: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Instants in seconds since 1970 (N,), and seconds east of Greenwich on the person's clock (N,); nothing where no offset is
    known. A reading that was sent with an offset is shown on the clock of the person's zone where that is known.

    Clocks change at quarters of an hour: one reading of each is asked, since a zone is slow to ask.
    """
    wall = np.array([(e.time.local - _NAIVE).total_seconds() for e in events], float)
    kinds: dict[tuple[str | None, int | None], int] = {}
    kind = np.array([kinds.setdefault((e.time.zone, e.time.offset), len(kinds)) for e in events], np.int64)
    fold = np.array([e.time.local.fold for e in events], np.int64)
    quarter = np.floor(wall / 900.0).astype(np.int64)
    _, first, place = np.unique(
        (quarter * 2 + fold) * max(len(kinds), 1) + kind, return_index=True, return_inverse=True
    )
    instants = [events[n].time.instant for n in first.tolist()]
    east = wall[first] - np.array([(instant - EPOCH).total_seconds() for instant in instants], float)
    seconds = wall - east[place]
    for n, at in enumerate(first.tolist()):
        moment = events[at].time
        if zone and moment.zone != zone and (moment.zone or moment.offset is not None):
            east[n] = offset_of(instants[n], zone)
    return seconds, east[place]


def _one_system_a_day(
    events: list[Event], seconds: np.ndarray, offset: np.ndarray
) -> tuple[list[Event], np.ndarray, np.ndarray, list[str]]:
    """Of days of which several systems tell, the one that tells more."""
    systems = [event.source.system for event in events]
    if len(set(systems)) < 2:
        return events, seconds, offset, []
    day = np.floor((seconds + offset) / DAY).astype(int).tolist()
    count = Counter(zip(day, systems, strict=True))
    best: dict[int, str] = {}
    for (number, system), readings in sorted(count.items()):
        if number not in best or readings > count[number, best[number]]:
            best[number] = system
    keep = [best[number] == system for number, system in zip(day, systems, strict=True)]
    left = len(keep) - sum(keep)
    names = ", ".join(sorted(set(systems)))
    said = [f"two sensors or exports at once ({names}): {_many(left, 'reading')} of the one that told less of a day "
            "left out"] if left else []  # fmt: skip
    at = np.flatnonzero(keep)
    return [events[n] for n in at.tolist()], seconds[at], offset[at], said


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
