"""What changed, in words: two figures that were chosen beforehand (time in range, time below 70), each with its interval.

A change is called one only where its 95 % interval excludes zero. Two intervals at 95 % are right together in at least
90 % of such reports where days are independent (:mod:`medtwin.statistics.glucose.intervals` says what else was measured);
of the other metrics no sentence is made, so that chance has no more tries.
"""

from __future__ import annotations

import math

from medtwin.applications.glucose_report.report import LEAST_ACTIVE, LEAST_DAYS, GlucoseReport
from medtwin.statistics.glucose.intervals import Interval

HEADLINES = ("in_range", "below_70")


def change(report: GlucoseReport) -> str:
    """One sentence about this period against the one before."""
    before = report.before
    if before is None or not report.changes:
        return f"{_level(report)} No comparison: the {report.days} days before hold too few readings."
    parts = [
        _part(words, getattr(before.ranges, name), getattr(report.now.ranges, name), report.changes[name])
        for name, words in zip(HEADLINES, _headlines(report), strict=True)
    ]
    said = f"Against the {report.days} days before, {parts[0]}; {parts[1]}."
    least = min(before.active, report.now.active)
    if least < LEAST_ACTIVE:
        said += f" Only {least:.0f} % of one of the periods has readings: the comparison may mislead."
    return said


def sufficiency(report: GlucoseReport) -> str:
    """What the data rules say, or nothing where they hold."""
    if report.now.enough:
        return ""
    said = []
    if report.days < LEAST_DAYS:
        said.append(f"the period is {report.days} days, where {LEAST_DAYS} are asked for")
    if report.now.active < LEAST_ACTIVE:
        said.append(
            f"the sensor was active {report.now.active:.0f} % of the time, where {LEAST_ACTIVE:.0f} % are asked for"
        )
    return f"These numbers may not speak for the person: {'; '.join(said)}."


def interval_words(interval: Interval, places: int = 1, sign: bool = False) -> str:
    """``57.1 to 69.0``."""
    mark = "+" if sign else ""
    return f"{interval.low:{mark}.{places}f} to {interval.high:{mark}.{places}f}"


def _level(report: GlucoseReport) -> str:
    share, (inside, below) = report.now.ranges, _headlines(report)
    return f"T{inside[1:]} was {share.in_range:.1f} %, {below} {share.below_70:.1f} %."


def _headlines(report: GlucoseReport) -> tuple[str, str]:
    unit = report.unit
    return f"time in range ({unit.span(70.0, 180.0)} {unit.name})", f"time below {unit.words(70.0)} {unit.name}"


def _part(words: str, was: float, now: float, moved: Interval) -> str:
    places = 1
    figures = f"{was:.{places}f} % to {now:.{places}f} %, {moved.value:+.{places}f} points"
    if not math.isfinite(moved.low):
        return (
            f"{words} was {now:.{places}f} % in both periods" if was == now else f"{words} cannot be judged ({figures})"
        )
    limits = f"95 % interval {interval_words(moved, places, sign=True)}"
    if moved.low > 0.0:
        return f"{words} rose ({figures}, {limits})"
    if moved.high < 0.0:
        return f"{words} fell ({figures}, {limits})"
    return f"{words} shows no clear change ({figures}, {limits})"
