"""The numbers of one period, of the period before it, and what changed.

Data rules (Battelino et al., Diabetes Care 42 (2019): 1593): at least 14 days and 70 % of the time with readings; with less
the numbers are made all the same, and it is said that they may not speak for the person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from medtwin.applications.glucose_report.readings import EPOCH, Told, told
from medtwin.applications.glucose_report.unit import Unit, unit_of
from medtwin.errors import AnalysisError
from medtwin.record import Basis, Event, Intent, Record
from medtwin.statistics.glucose.episodes import Episodes, episodes
from medtwin.statistics.glucose.excursions import Excursions, excursions
from medtwin.statistics.glucose.haemoglobin import WEEKS, GlycationGap, glycation_gap
from medtwin.statistics.glucose.intervals import SEED, Interval, Resampled, changes, resampled
from medtwin.statistics.glucose.levels import active_of, j_index, management_indicator, mean, standard_deviation
from medtwin.statistics.glucose.profile import DailyView, Profile, daily, profile
from medtwin.statistics.glucose.ranges import GOALS, Ranges, ranges
from medtwin.statistics.glucose.risk import RiskIndex, high_index, low_index, risk_index
from medtwin.statistics.glucose.trace import DAY, Trace
from medtwin.statistics.glucose.variability import day_to_day, overlapping_action

LEAST_DAYS, LEAST_ACTIVE = 14, 70.0


@dataclass(frozen=True)
class Period:
    """``since`` to ``until``; mg/dL and %; what cannot be known is not a number. ``intervals`` by resampling days."""

    since: datetime
    until: datetime
    trace: Trace
    active: float  #: % of the period
    days: int  #: calendar days with readings
    mean: float
    standard_deviation: float
    management_indicator: float
    variation: float
    ranges: Ranges
    risk: RiskIndex
    low_index: float
    high_index: float
    j_index: float
    excursions: Excursions
    day_to_day: float
    overlapping_action: float
    episodes: Mapping[str, Episodes]
    intervals: Mapping[str, Interval]

    @property
    def enough(self) -> bool:
        """Whether the data rules hold."""
        return self.until - self.since >= timedelta(days=LEAST_DAYS) and self.active >= LEAST_ACTIVE


@dataclass(frozen=True)
class GlucoseReport:
    """Of one person. ``before`` and ``changes``: nothing where the period before has fewer than two days."""

    patient: str
    synthetic: bool
    zone: str | None
    days: int
    goals: str  #: whose: adult | older
    now: Period
    before: Period | None
    changes: Mapping[str, Interval]
    profile: Profile
    daily: tuple[DailyView, ...]
    gap: GlycationGap | None
    notes: tuple[str, ...]
    unit: Unit  #: in which glucose is shown; the numbers held here are mg/dL


def glucose_report(
    record: Record, until: datetime | None = None, days: int = 14, *, goals: str = "adult", synthetic: bool = False,
    unit: str = "mg/dL",
) -> GlucoseReport:  # fmt: skip
    """Of the ``days`` up to ``until`` (the newest reading). Raises :class:`AnalysisError` where no reading is in them."""
    if goals not in GOALS:
        raise AnalysisError(f"goals of {goals!r}", expected=f"of {', '.join(GOALS)}", where="the glucose report")
    shown = unit_of(unit)
    if days < 1:
        raise AnalysisError(f"a period of {days} days", expected="one day or more", where="the glucose report")
    newest = next((e for e in reversed(record.of("glucose")) if _happened(e)), None)
    if newest is None:
        raise AnalysisError(
            "no sensor glucose", where=f"patient {record.patient}", remedy="ingest an export of a sensor"
        )
    end = (until if until is not None else _spoken_until(record, newest)).astimezone(UTC)
    span = timedelta(days=days)
    held, earlier = told(record, end - span, end), told(record, end - 2 * span, end - span)
    if not held.trace.seconds.size and held.left:
        raise AnalysisError(
            f"{held.left} readings in the {days} days up to {end:%Y-%m-%d %H:%M} UTC, all outside the plausible range",
            where=f"patient {record.patient}",
            remedy="if their unit is wrong, take the file in again with the right one: `medtwin ingest FILE --patient "
            f"{record.patient} --unit glucose=mmol/L` (or mg/dL)",
        )  # fmt: skip
    if not held.trace.seconds.size:
        raise AnalysisError(
            f"no reading in the {days} days up to {end:%Y-%m-%d %H:%M} UTC", where=f"patient {record.patient}",
            remedy="name another time with --until, or more days",
        )  # fmt: skip
    drawn, drawn_before = resampled(held.trace), resampled(earlier.trace, seed=SEED + 1)
    now = _period(held.trace, drawn, end - span, end)
    known = earlier.trace.seconds.size > 1
    before = _period(earlier.trace, drawn_before, end - 2 * span, end - span) if known else None
    view = daily(held.trace, *_calendar(held.trace, end - span, end))
    return GlucoseReport(
        patient=record.patient, synthetic=synthetic, zone=record.zone, days=days, goals=goals, now=now, before=before,
        changes=changes(drawn_before, drawn), profile=profile(held.trace), daily=view,
        gap=_gap(record, end), notes=_notes(held, record), unit=shown,
    )  # fmt: skip


def _spoken_until(record: Record, newest: Event) -> datetime:
    """The newest reading speaks for one step: then a fortnight of whole days is one of fourteen days."""
    latest = [e.instant for e in record.of("glucose")[-50:]]
    apart = sorted(b - a for a, b in pairwise(latest) if b > a)
    step = apart[len(apart) // 2] if apart else timedelta(minutes=5)
    return newest.instant + min(step, timedelta(minutes=15))


def _happened(event: Event) -> bool:
    return event.basis is Basis.OBSERVED and event.intent is Intent.HAPPENED and isinstance(event.value, float)


def _period(trace: Trace, drawn: Resampled, since: datetime, until: datetime) -> Period:
    value = trace.glucose
    share = ranges(value)
    middle, spread = mean(value), standard_deviation(value)
    first, last = ((moment - EPOCH).total_seconds() for moment in (since, until))
    return Period(
        since=since, until=until, trace=trace, active=active_of(trace, first, last), days=len(set(trace.day.tolist())),
        mean=middle, standard_deviation=spread, management_indicator=management_indicator(middle),
        variation=100.0 * spread / middle, ranges=share, risk=risk_index(share), low_index=low_index(value),
        high_index=high_index(value), j_index=j_index(value), excursions=excursions(trace), day_to_day=day_to_day(trace),
        overlapping_action=overlapping_action(trace), episodes=episodes(trace), intervals=drawn.intervals(),
    )  # fmt: skip


def _calendar(trace: Trace, since: datetime, until: datetime) -> tuple[int, int]:
    """First and last calendar day of the period on the person's clock, so that days without a reading are shown too."""
    first = (since - EPOCH).total_seconds() + trace.offset[0]
    last = (until - EPOCH).total_seconds() + trace.offset[-1] - 1.0
    return int(first // DAY), int(max(last // DAY, trace.day[-1]))


def _gap(record: Record, end: datetime) -> GlycationGap | None:
    """Of the newest laboratory value before the end, where readings precede it."""
    values = [
        e for e in record.of("hba1c", until=end)
        if _happened(e) and e.comparator is None
    ]  # fmt: skip
    if not values:
        return None
    newest = values[-1]
    assert isinstance(newest.value, float)
    trace = told(record, newest.instant - timedelta(weeks=WEEKS), newest.instant).trace
    return glycation_gap(trace, newest.value, (newest.instant - EPOCH).total_seconds())


def _notes(held: Told, record: Record) -> tuple[str, ...]:
    clock = f"times of day are those of {record.zone}" if record.zone else "the person's time zone is not known"
    return (*held.notes, clock)
