"""The ranking as a picture: a line of what is expected of each meal, a thin one of the next time, rings where it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from medtwin.applications.day_plan.plan import Ranked
from medtwin.applications.glucose_report.unit import Unit
from medtwin.reports.figures.axis import Axis, labels
from medtwin.reports.figures.drawing import Circle, Line, Scene, Shape, Stroke, Text, square
from medtwin.reports.figures.text import fitted

MOST = 24  #: meals in the picture; all are in the table
WIDTH, ROW = 720.0, 19.0


def ranking(meals: Sequence[Ranked], unit: Unit) -> Scene:
    """Mildest on top."""
    kept = meals if len(meals) <= MOST else (*meals[: MOST // 2], *meals[-MOST // 2 :])
    shown = [
        replace(
            one, expected=_three(unit, one.expected), next=_three(unit, one.next), seen=tuple(map(unit.of, one.seen))
        )
        for one in kept
    ]
    left, right, top = 230.0, WIDTH - 16.0, 40.0
    floor = top + ROW * len(shown)
    low = min(min(one.next[0], *one.seen, 0.0) for one in shown)
    high = max(max(one.next[2], *one.seen, unit.of(60.0)) for one in shown)
    axis = Axis(low=low - unit.of(5.0), high=high + unit.of(5.0), start=left, end=right)
    title = f"Rise after a meal, {unit.name}{'' if len(shown) == len(meals) else ': the mildest and the strongest'}"
    shapes: list[Shape] = [Text(4.0, 16.0, title, 11.0, bold=True)]
    ticks = axis.ticks(8)
    for value, words in zip(ticks, labels(ticks), strict=True):
        x = axis(value)
        shapes.append(Line(x, top - 6.0, x, floor, Stroke(colour="muted" if value == 0.0 else "grid", width=0.7)))
        shapes.append(Text(x, floor + 13.0, words, 9.0, "middle"))
    for number, one in enumerate(shown):
        y = top + ROW * (number + 0.5)
        shapes.append(Text(left - 8.0, y + 3.0, fitted(one.name, left - 14.0, 9.0), 9.0, "end"))
        shapes.append(Line(axis(one.next[0]), y, axis(one.next[2]), y, Stroke(colour="muted", width=0.8)))
        shapes.append(Line(axis(one.expected[0]), y, axis(one.expected[2]), y, Stroke(colour="series1", width=3.0)))
        shapes += [square(axis(one.expected[1]), y, 3.0, "ink", key=f"meal {number}")]
        shapes += [
            Circle(axis(rise), y, 3.0, None, Stroke(colour="series2", width=1.2), "measured") for rise in one.seen
        ]
    said = "; ".join(
        f"{one.name}: {one.expected[1]:.{unit.places}f} ({one.expected[0]:.{unit.places}f} to {one.expected[2]:.{unit.places}f})"
        for one in shown
    )
    return Scene(width=WIDTH, height=floor + 22.0, title=title, description=said, shapes=tuple(shapes))


def _three(unit: Unit, three: tuple[float, float, float]) -> tuple[float, float, float]:
    return unit.of(three[0]), unit.of(three[1]), unit.of(three[2])
