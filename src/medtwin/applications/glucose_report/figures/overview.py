"""The head of the page: key numbers, times in ranges with their goals, and the risk grid."""

from __future__ import annotations

import math

from medtwin.applications.glucose_report.figures.risk import Place, risk_grid
from medtwin.applications.glucose_report.report import GlucoseReport
from medtwin.applications.glucose_report.rows import goal
from medtwin.applications.glucose_report.unit import Unit
from medtwin.reports.figures.drawing import Circle, Line, Polyline, Scene, Shape, Stroke, Text, rectangle
from medtwin.statistics.glucose.risk import RiskIndex

WIDTH, HEIGHT = 720.0, 222.0


def overview(report: GlucoseReport) -> Scene:
    """Three parts side by side."""
    shapes = [*_numbers(report), *_ranges(report), *_risk(report)]
    now, unit = report.now, report.unit
    said = (
        f"Mean {unit.words(now.mean)} {unit.name}, GMI {now.management_indicator:.1f} %, CV {now.variation:.1f} %; in range "
        f"{now.ranges.in_range:.1f} %; glycaemia risk index {now.risk.value:.0f}, zone {now.risk.zone}."
    )
    return Scene(width=WIDTH, height=HEIGHT, title="Key numbers", description=said, shapes=tuple(shapes))


def _numbers(report: GlucoseReport) -> list[Shape]:
    now, unit = report.now, report.unit
    hypo, hyper = now.episodes["hypo_1"], now.episodes["hyper_1"]
    lines = [
        ("sensor active", f"{now.active:.0f} %"), ("mean glucose", _level(unit, now.mean)),
        ("GMI", f"{now.management_indicator:.1f} %"), ("CV (at most 36 %)", f"{now.variation:.1f} %"),
        ("MAGE", _level(unit, now.excursions.average)), ("MODD", _level(unit, now.day_to_day)),
        ("LBGI / HBGI", f"{now.low_index:.1f} / {now.high_index:.1f}"),
        (f"episodes < {unit.words(70.0)} a day", f"{hypo.per_day:.1f}"),
        (f"episodes > {unit.words(180.0)} a day", f"{hyper.per_day:.1f}"),
    ]  # fmt: skip
    if report.gap is not None:
        lines.append(("lab HbA1c", f"{report.gap.laboratory:.1f} %"))
        scant = "" if report.gap.enough else ", few readings"
        lines.append((f"HbA1c - GMI{scant}", f"{report.gap.gap.value:+.1f} points"))
    made: list[Shape] = [Text(4.0, 13.0, "Numbers", 11.0, bold=True)]
    for number, (name, value) in enumerate(lines):
        y = 32.0 + 16.0 * number
        made.append(Text(4.0, y, name, 9.0))
        made.append(Text(212.0, y, value, 9.0, "end", bold=True))
        made.append(Line(4.0, y + 4.0, 212.0, y + 4.0, Stroke(colour="grid", width=0.5)))
    return made


def _level(unit: Unit, value: float) -> str:
    return f"{unit.words(value)} {unit.name}" if math.isfinite(value) else "not known"


def _ranges(report: GlucoseReport) -> list[Shape]:
    """A bar from very low to very high, its parts named beside it; patterns of the names, not colour alone, tell them apart."""
    share, unit = report.now.ranges, report.unit
    low, target, high, top = (unit.words(limit) for limit in (54.0, 70.0, 180.0, 250.0))
    parts = (
        (f"very high, above {top}", share.above_250, "series2", 1.0, goal("above_250", share.above_250, report.goals)),
        (f"high, {unit.next(180.0, 1)}-{top}", share.above_180 - share.above_250, "series2", 0.5, ""),
        (f"in range, {target}-{high}", share.in_range, "series3", 0.7, goal("in_range", share.in_range, report.goals)),
        (f"low, {low}-{unit.next(70.0, -1)}", share.below_70 - share.below_54, "series1", 0.5, ""),
        (f"very low, below {low}", share.below_54, "series1", 1.0, goal("below_54", share.below_54, report.goals)),
    )  # fmt: skip
    left, start, tall = 240.0, 24.0, 160.0
    made: list[Shape] = [Text(left, 13.0, f"Time in ranges ({unit.name})", 11.0, bold=True)]
    y, floors = start, []
    for name, percent, colour, opacity, aim in parts:
        size = tall * percent / 100.0
        if size > 0.0:
            made.append(rectangle(left, y, 34.0, size, colour, None, opacity, name))
            made.append(Line(left, y, left + 34.0, y, Stroke(colour="paper", width=1.0)))
        floors.append((y + size / 2.0, name, percent, aim))
        y += size
    row = (tall - 8.0) / 4.0
    for number, (middle, name, percent, aim) in enumerate(floors):
        at = start + 4.0 + row * number
        made.append(
            Polyline(((left + 36.0, middle), (left + 46.0, at), (left + 52.0, at)), Stroke(colour="muted", width=0.6))
        )
        made.append(Text(left + 56.0, at + 3.0, f"{percent:.1f} %", 9.0, bold=True))
        made.append(Text(left + 106.0, at + 3.0, name, 9.0))
        if aim:
            made.append(Text(left + 106.0, at + 14.0, f"goal {aim}", 8.0, colour="muted"))
    below, above = goal("below_70", share.below_70, report.goals), goal("above_180", share.above_180, report.goals)
    for y, words, percent, aim in (
        (208.0, f"below {target}", share.below_70, below),
        (218.0, f"above {high}", share.above_180, above),
    ):
        said = f"{words} in all {percent:.1f} %{', goal ' + aim if aim else ''}"
        made.append(Text(left, y, said, 8.0, colour="muted"))
    return made


def _risk(report: GlucoseReport) -> list[Shape]:
    """The grid of the two components with the lines between its zones."""
    left, right, top, floor = 540.0, 712.0, 24.0, 182.0
    made: list[Shape] = [
        Text(left - 18.0, 13.0, f"Risk: GRI {report.now.risk.value:.0f}, zone {report.now.risk.zone}", 11.0, bold=True)
    ]
    grid, place = risk_grid(left, right, top, floor)
    made += grid
    if report.before is not None:
        x, y = _at(place, report.before.risk)
        made.append(Circle(x, y, 4.0, "paper", Stroke(width=1.2), "before"))
    x, y = _at(place, report.now.risk)
    made.append(Circle(x, y, 4.5, "ink", None, "now"))
    words = "filled: now" + ("; open: the period before" if report.before is not None else "")
    made.append(Text((left + right) / 2.0, floor + 28.0 + 2.0, words, 8.0, "middle", colour="muted"))
    return made


def _at(place: Place, risk: RiskIndex) -> tuple[float, float]:
    return place(risk.hypoglycaemia, risk.hyperglycaemia)
