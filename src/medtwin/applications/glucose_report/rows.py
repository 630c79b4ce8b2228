"""The numbers as rows of words: what, value, unit, 95 % interval, goal, the period before."""

from __future__ import annotations

import math

from medtwin.applications.glucose_report.report import GlucoseReport, Period
from medtwin.applications.glucose_report.sentences import interval_words
from medtwin.applications.glucose_report.unit import Unit
from medtwin.statistics.glucose.intervals import Interval
from medtwin.statistics.glucose.ranges import GOALS, met

Row = tuple[str, str, str, str, str, str]


def _shares(unit: Unit) -> tuple[tuple[str, str], ...]:
    low, target, tight, high, top = (unit.words(limit) for limit in (54.0, 70.0, 140.0, 180.0, 250.0))
    return (
        ("above_250", f"very high, above {top} {unit.name}"), ("above_180", f"high or very high, above {high} {unit.name}"),
        ("in_range", f"in range, {target}-{high} {unit.name}"), ("tight", f"in tight range, {target}-{tight} {unit.name}"),
        ("below_70", f"low or very low, below {target} {unit.name}"), ("below_54", f"very low, below {low} {unit.name}"),
    )  # fmt: skip


def _episodes(unit: Unit) -> tuple[tuple[str, str], ...]:
    low, target, high, top = (unit.words(limit) for limit in (54.0, 70.0, 180.0, 250.0))
    return (
        ("hypo_1", f"episodes below {target}"), ("hypo_2", f"episodes below {low}"),
        ("hypo_extended", f"below {target} for more than 120 min"),
        ("hyper_1", f"episodes above {high}"), ("hyper_2", f"episodes above {top}"),
    )  # fmt: skip


def rows(report: GlucoseReport) -> tuple[Row, ...]:
    """Every number of the report."""
    now, before, unit = report.now, report.before, report.unit
    made = [_row(report, "sensor active", "active", "%", "", "at least 70")]
    made.append(_level(report, "mean", "mean"))
    made.append(_row(report, "GMI", "management_indicator", "%", "management_indicator", places=2))
    made.append(_level(report, "standard deviation", "standard_deviation"))
    made.append(_row(report, "coefficient of variation", "variation", "%", "variation", "at most 36"))
    for name, words in _shares(unit):
        value = getattr(now.ranges, name)
        made.append((
            words, _fixed(value), "%", _interval(now.intervals.get(name)), goal(name, value, report.goals),
            _fixed(getattr(before.ranges, name)) if before else "",
        ))  # fmt: skip
    words = f"glycaemia risk index, zone {now.risk.zone}"
    was = f"{_fixed(before.risk.value)} ({before.risk.zone})" if before else ""
    made.append((words, _fixed(now.risk.value), "", _interval(now.intervals.get("risk_index")), "", was))
    made.append(_row(report, "LBGI", "low_index", "", "low_index", places=2))
    made.append(_row(report, "HBGI", "high_index", "", "high_index", places=2))
    made.append(_row(report, "J index", "j_index", "", "j_index"))
    was = _shown(unit, before.excursions.average) if before else ""
    made.append(("MAGE", _shown(unit, now.excursions.average), unit.name, "", "", was))
    made.append(_level(report, "MODD", "day_to_day"))
    made.append(_level(report, "CONGA, 24 h", "overlapping_action"))
    for name, words in _episodes(unit):
        made.append((words, f"{now.episodes[name].per_day:.2f}", "a day", "", "", _was(before, name)))
        if name in ("hypo_1", "hyper_1"):
            made.append(
                (f"{words}: mean length", _long(now, name), "min", "", "", _long(before, name) if before else "")
            )
    if report.gap is not None:
        gap = report.gap
        made.append(("laboratory HbA1c", f"{gap.laboratory:.1f}", "%", "", "", ""))
        scant = "" if gap.enough else f" (readings {gap.active:.0f} % of 12 weeks: uncertain)"
        words, limits = f"glycation gap, HbA1c - GMI{scant}", interval_words(gap.gap, 2, True)
        made.append((words, f"{gap.gap.value:+.2f}", "points", limits, "", ""))
    return tuple(made)


def goal(name: str, value: float, goals: str) -> str:
    """``above 70: met``."""
    if name not in GOALS[goals]:
        return ""
    limit, floor = GOALS[goals][name]
    return f"{'above' if floor else 'below'} {limit:g}: {'met' if met(name, value, goals) else 'not met'}"


def _row(
    report: GlucoseReport, words: str, attribute: str, unit: str, interval: str, aim: str = "", places: int = 1
) -> Row:
    now, before = report.now, report.before
    was = _fixed(getattr(before, attribute), places) if before else ""
    held = _interval(now.intervals.get(interval), places)
    return words, _fixed(getattr(now, attribute), places), unit, held, aim, was


def _level(report: GlucoseReport, words: str, attribute: str) -> Row:
    """A row of glucose itself, in the unit of the report."""
    now, before, unit = report.now, report.before, report.unit
    was = _shown(unit, getattr(before, attribute)) if before else ""
    held = now.intervals.get(attribute)
    limits = ""
    if held is not None and math.isfinite(held.low):
        limits = f"{unit.words(held.low, 1)} to {unit.words(held.high, 1)}"
    return words, _shown(unit, getattr(now, attribute)), unit.name, limits, "", was


def _shown(unit: Unit, value: float) -> str:
    return unit.words(value, 1) if math.isfinite(value) else "not known"


def _long(period: Period, name: str) -> str:
    kind = period.episodes[name]
    return f"{kind.mean_minutes:.0f}" if kind.found else "none"


def _was(before: Period | None, name: str) -> str:
    return f"{before.episodes[name].per_day:.2f}" if before else ""


def _interval(interval: Interval | None, places: int = 1) -> str:
    return interval_words(interval, places) if interval is not None and math.isfinite(interval.low) else ""


def _fixed(value: float, places: int = 1) -> str:
    return f"{value:.{places}f}" if math.isfinite(value) else "not known"
