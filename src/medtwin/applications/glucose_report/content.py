"""The report as plain values: every number with its unit and, where it has one, its interval. Not a number is null."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from medtwin.applications.glucose_report.episode_rows import told
from medtwin.applications.glucose_report.readings import EPOCH
from medtwin.applications.glucose_report.report import GlucoseReport, Period
from medtwin.applications.glucose_report.sentences import change, sufficiency
from medtwin.statistics.glucose.intervals import Interval
from medtwin.statistics.glucose.ranges import GOALS, met

GLUCOSE = ("mean", "standard_deviation", "day_to_day")  #: changes that are glucose itself
SHARES = ("below_54", "below_70", "tight", "in_range", "above_180", "above_250")


def content(report: GlucoseReport) -> dict[str, Any]:
    """For JSON."""
    return {
        "patient": report.patient, "synthetic": report.synthetic, "zone": report.zone, "days": report.days,
        "goals": report.goals, "unit": report.unit.name, "summary": change(report),
        "enough_data": report.now.enough, "data_rule": sufficiency(report) or None,
        "period": _period(report.now, report), "period_before": report.before and _period(report.before, report),
        "changes": {
            name: _interval(one, report.unit.scale if name in GLUCOSE else 1.0) for name, one in report.changes.items()
        },
        "hba1c": _gap(report),
        "profile": {
            "unit": report.unit.name, "minute_of_day": report.profile.minute.tolist(), "days": report.profile.days.tolist(),
            "percentiles": {
                f"{level:g}": [_number(report.unit.of(one)) for one in row]
                for level, row in zip(report.profile.levels, report.profile.glucose.tolist(), strict=True)
            },
        },
        "daily": [
            {"date": _date(view.day), "readings": len(view.glucose), "minute_of_day": view.minute.tolist(),
             "glucose": (view.glucose * report.unit.scale).tolist()}
            for view in report.daily
        ],
        "notes": list(report.notes),
    }  # fmt: skip


def _period(period: Period, report: GlucoseReport) -> dict[str, Any]:
    def held(value: float, unit: str, name: str = "") -> dict[str, Any]:
        interval = period.intervals.get(name)
        limits = {"lower": _number(interval.low), "upper": _number(interval.high)} if interval else {}
        return {"value": _number(value), "unit": unit, **limits}

    def level(value: float, name: str = "") -> dict[str, Any]:
        """Glucose itself, in the unit of the report."""
        shown = held(value, report.unit.name, name)
        return {k: v if k == "unit" or v is None else report.unit.of(v) for k, v in shown.items()}

    share, goals = period.ranges, report.goals
    return {
        "since": period.since, "until": period.until, "readings": len(period.trace.glucose), "days_with_readings": period.days,
        "active": held(period.active, "%"), "interval_level": 0.95,
        "mean": level(period.mean, "mean"),
        "standard_deviation": level(period.standard_deviation, "standard_deviation"),
        "coefficient_of_variation": held(period.variation, "%", "variation"),
        "gmi": held(period.management_indicator, "%", "management_indicator"),
        "ranges": {
            name: {**held(getattr(share, name), "%", name), **_goal(name, getattr(share, name), goals)} for name in SHARES
        },
        "gri": {**held(period.risk.value, "1", "risk_index"), "zone": period.risk.zone,
                "hypoglycaemia": period.risk.hypoglycaemia, "hyperglycaemia": period.risk.hyperglycaemia},
        "lbgi": held(period.low_index, "1", "low_index"), "hbgi": held(period.high_index, "1", "high_index"),
        "j_index": held(period.j_index, "1", "j_index"),
        "mage": {**level(period.excursions.average), "upward": _number(report.unit.of(period.excursions.upward)),
                 "downward": _number(report.unit.of(period.excursions.downward)), "excursions": period.excursions.count},
        "modd": level(period.day_to_day, "day_to_day"), "conga_24h": level(period.overlapping_action),
        "episodes": {
            name: {"count": len(kind.found), "per_day": kind.per_day, "mean_minutes": kind.mean_minutes}
            for name, kind in period.episodes.items()
        },
        "episode_list": [
            {"kind": one.kind, "start": one.start, "end": one.end, "minutes": one.minutes,
             "worst": report.unit.of(one.worst), "mean": report.unit.of(one.mean), "unit": report.unit.name}
            for one in told(period)
        ],
    }  # fmt: skip


def _goal(name: str, percent: float, goals: str) -> dict[str, Any]:
    if name not in GOALS[goals]:
        return {}
    return {"goal": GOALS[goals][name][0], "met": met(name, percent, goals)}


def _gap(report: GlucoseReport) -> dict[str, Any] | None:
    gap = report.gap
    if gap is None:
        return None
    return {
        "laboratory": {"value": gap.laboratory, "unit": "%"}, "at": EPOCH + timedelta(seconds=gap.at),
        "gmi": {**_interval(gap.indicator), "unit": "%"}, "gap": {**_interval(gap.gap), "unit": "%"},
        "active": gap.active, "enough_data": gap.enough,
    }  # fmt: skip


def _interval(interval: Interval, scale: float = 1.0) -> dict[str, Any]:
    limits = {"value": interval.value * scale, "lower": interval.low * scale, "upper": interval.high * scale}
    return {name: _number(one) for name, one in {**limits, "level": interval.level}.items()}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _date(day: int) -> str:
    return f"{datetime(1970, 1, 1) + timedelta(days=day):%Y-%m-%d}"  # noqa: DTZ001 - a date on the person's clock
