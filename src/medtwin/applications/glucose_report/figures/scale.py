"""What the figures share: the scale of glucose, and its lines."""

from __future__ import annotations

from medtwin.applications.glucose_report.unit import Unit
from medtwin.reports.figures.axis import Axis
from medtwin.reports.figures.drawing import Line, Shape, Stroke, Text, rectangle

LOW, HIGH = 40.0, 350.0  #: mg/dL; what is beyond stands at the edge
LINES = (54.0, 70.0, 140.0, 180.0, 250.0)
TARGET = (70.0, 180.0)


def upward(top: float, floor: float) -> Axis:
    """The axis of glucose."""
    return Axis(low=LOW, high=HIGH, start=floor, end=top)


def held(value: float) -> float:
    """Within the axis."""
    return min(max(value, LOW), HIGH)


def background(axis: Axis, left: float, right: float, unit: Unit, size: float = 9.0, words: bool = True) -> list[Shape]:
    """The target range and the limits of the other ranges, with their numbers."""
    top, floor = axis(TARGET[1]), axis(TARGET[0])
    shapes: list[Shape] = [rectangle(left, top, right - left, floor - top, "series3", None, 0.12, "target range")]
    for value in LINES:
        y = axis(value)
        strong = value in TARGET
        shapes.append(
            Line(left, y, right, y, Stroke(colour="series3" if strong else "grid", width=1.2 if strong else 0.6))
        )
        if words:
            shapes.append(Text(left - 5.0, y + 3.0, unit.words(value), size, "end", bold=strong, colour="muted"))
    return shapes
