"""Daily views: each calendar day a small panel; a gap is a gap, a day without readings says so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from medtwin.applications.glucose_report.figures.scale import background, held, upward
from medtwin.applications.glucose_report.unit import Unit
from medtwin.reports.figures.axis import Axis
from medtwin.reports.figures.drawing import Circle, Line, Polyline, Scene, Shape, Stroke, Text
from medtwin.statistics.glucose.profile import DailyView

A_ROW, MOST = 8, 16
GAP = 45.0  #: minutes


def days(views: Sequence[DailyView], unit: Unit, width: float = 720.0, panel: float = 74.0) -> Scene:
    """The last sixteen days, eight a row: a fortnight that begins at noon has fifteen."""
    shown = tuple(views)[-MOST:]
    rows = -(-len(shown) // A_ROW)
    height = 24.0 + rows * (panel + 16.0) + 12.0
    title = f"Daily views, the last {len(shown)} days, {unit.name}"
    shapes: list[Shape] = [Text(4.0, 13.0, title, 11.0, bold=True)]
    left, each = 26.0, (width - 30.0) / A_ROW
    for number, view in enumerate(shown):
        row, column = divmod(number, A_ROW)
        x, top = left + column * each, 34.0 + row * (panel + 16.0)
        shapes += _panel(view, unit, x, x + each - 6.0, top, top + panel, words=column == 0)
    shapes.append(
        Text(left, height - 3.0, "each panel: midnight to midnight, upright line at noon", 8.0, colour="muted")
    )
    said = "; ".join(_described(view, unit) for view in shown)
    return Scene(width=width, height=height, title=title, description=said, shapes=tuple(shapes))


def name_of(day: int) -> str:
    """``Mon 2 Mar``."""
    at = date(1970, 1, 1) + timedelta(days=day)
    return f"{at:%a} {at.day} {at:%b}"


def _panel(
    view: DailyView, unit: Unit, left: float, right: float, top: float, floor: float, *, words: bool
) -> list[Shape]:
    axis, across = upward(top, floor), Axis(low=0.0, high=1440.0, start=left, end=right)
    noon = across(720.0)
    shapes: list[Shape] = [
        Text(left, top - 3.0, name_of(view.day), 8.0, bold=True), *background(axis, left, right, unit, 7.0, words=False),
        Line(noon, top, noon, floor, Stroke(colour="grid", width=0.6)),
    ]  # fmt: skip
    if words:
        shapes += [
            Text(left - 3.0, axis(value) + 2.5, unit.words(value), 7.0, "end", colour="muted")
            for value in (70.0, 180.0)
        ]
    if not view.glucose.size:
        shapes.append(Text(noon, axis(200.0), "no readings", 8.0, "middle", colour="muted"))
    for minute, glucose in view.pieces(GAP):
        points = tuple((across(m), axis(held(g))) for m, g in zip(minute.tolist(), glucose.tolist(), strict=True))
        if len(points) == 1:
            shapes.append(Circle(*points[0], 1.2, "series1"))
        else:
            shapes.append(Polyline(points, Stroke(colour="series1", width=1.2), f"day {view.day}"))
    return shapes


def _described(view: DailyView, unit: Unit) -> str:
    if not view.glucose.size:
        return f"{name_of(view.day)}: no readings"
    lowest, highest = (unit.words(float(one)) for one in (view.glucose.min(), view.glucose.max()))
    return f"{name_of(view.day)}: {lowest} to {highest}, {view.glucose.size} readings"
