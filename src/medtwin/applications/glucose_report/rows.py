"""The numbers as rows of words: what, value, unit, 95 % interval, goal, the period before."""

from __future__ import annotations

import math

from medtwin.applications.glucose_report.report import GlucoseReport, Period
from medtwin.applications.glucose_report.sentences import interval_words
from medtwin.statistics.glucose.intervals import Interval
from medtwin.statistics.glucose.ranges import GOALS, met

Row = tuple[str, str, str, str, str, str]

_SHARES = (
    ("above_250", "very high, above 250 mg/dL"), ("above_180", "high or very high, above 180 mg/dL"),
    ("in_range", "in range, 70-180 mg/dL"), ("tight", "in tight range, 70-140 mg/dL"),
    ("below_70", "low or very low, below 70 mg/dL"), ("below_54", "very low, below 54 mg/dL"),
)  # fmt: skip
_EPISODES = (
    ("hypo_1", "episodes below 70"), ("hypo_2", "episodes below 54"), ("hypo_extended", "below 70 for more than 120 min"),
    ("hyper_1", "episodes above 180"), ("hyper_2", "episodes above 250"),
)  # fmt: skip


def rows(report: GlucoseReport) -> tuple[Row, ...]:
    """Every number of the report."""
    now, before = report.now, report.before
    made = [_row(report, "sensor active", "active", "%", "", "at least 70")]
    made.append(_row(report, "mean", "mean", "mg/dL", "mean"))
    made.append(_row(report, "GMI", "management_indicator", "%", "management_indicator", places=2))
    made.append(_row(report, "standard deviation", "standard_deviation", "mg/dL", "standard_deviation"))
    made.append(_row(report, "coefficient of variation", "variation", "%", "variation", "at most 36"))
    for name, words in _SHARES:
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
    made.append(
        ("MAGE", _fixed(now.excursions.average), "mg/dL", "", "", _fixed(before.excursions.average) if before else "")
    )
    made.append(_row(report, "MODD", "day_to_day", "mg/dL", "day_to_day"))
    made.append(_row(report, "CONGA, 24 h", "overlapping_action", "mg/dL", ""))
    made += [(words, *_episode(now, name), "", _was(before, name)) for name, words in _EPISODES]
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


def _episode(period: Period, name: str) -> tuple[str, str, str]:
    kind = period.episodes[name]
    mean = f"mean {kind.mean_minutes:.0f} min" if kind.found else ""
    return f"{len(kind.found)}", f"({kind.per_day:.2f} a day)", mean


def _was(before: Period | None, name: str) -> str:
    return f"{len(before.episodes[name].found)}" if before else ""


def _interval(interval: Interval | None, places: int = 1) -> str:
    return interval_words(interval, places) if interval is not None and math.isfinite(interval.low) else ""


def _fixed(value: float, places: int = 1) -> str:
    return f"{value:.{places}f}" if math.isfinite(value) else "not known"
