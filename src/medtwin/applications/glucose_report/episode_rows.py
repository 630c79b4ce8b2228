"""Episodes one by one: when each began and ended on the person's clock, how long it was, and its worst value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from medtwin.applications.glucose_report.readings import EPOCH, offset_of
from medtwin.applications.glucose_report.report import GlucoseReport, Period

KINDS = ("hypo_1", "hyper_1")  #: those of level 2 lie within them, and their worst value tells
MOST = 40  #: rows that are shown; the newest
HEAD = ("", "began", "ended", "minutes", "lowest or highest", "mean")


@dataclass(frozen=True)
class Told:
    """One episode: instants in UTC; mg/dL."""

    kind: str
    start: datetime
    end: datetime
    minutes: float
    worst: float
    mean: float


def told(period: Period) -> tuple[Told, ...]:
    """Episodes of KINDS in order of their beginning. They are counted on the clock of the trace's first reading."""
    if not period.trace.seconds.size:
        return ()
    east = float(period.trace.offset[0])
    made = []
    for kind in KINDS:
        for one in period.episodes[kind].found:
            start = EPOCH + timedelta(seconds=one.start - east)
            made.append(Told(kind, start, start + timedelta(minutes=one.minutes), one.minutes, one.worst, one.mean))
    return tuple(sorted(made, key=lambda one: one.start))


def words(kind: str, report: GlucoseReport) -> str:
    """``below 70`` in the report's unit."""
    return f"below {report.unit.words(70.0)}" if kind.startswith("hypo") else f"above {report.unit.words(180.0)}"


def local(moment: datetime, report: GlucoseReport) -> str:
    """A moment on the clock of the person's zone; of an unknown zone as it is, which is the device's own or UTC."""
    return f"{datetime.fromtimestamp(moment.timestamp() + offset_of(moment, report.zone), UTC):%Y-%m-%d %H:%M}"


def rows(report: GlucoseReport) -> tuple[tuple[str, ...], ...]:
    """Under HEAD, the newest MOST."""
    unit = report.unit
    return tuple(
        (
            words(one.kind, report), _shown(one.start, report), _shown(one.end, report), f"{one.minutes:.0f}",
            unit.words(one.worst), unit.words(one.mean),
        )
        for one in told(report.now)[-MOST:]
    )  # fmt: skip


def _shown(moment: datetime, report: GlucoseReport) -> str:
    """Without a zone the trace's own offset is the clock that times are told on."""
    if report.zone is None and report.now.trace.seconds.size:
        moment = moment + timedelta(seconds=float(report.now.trace.offset[0]))
        return f"{moment:%Y-%m-%d %H:%M}"
    return local(moment, report)


def left_out(report: GlucoseReport) -> int:
    """Episodes that are older than those that are shown."""
    return max(len(told(report.now)) - MOST, 0)
