"""Power curves: power against one quantity, a line for each method, the planned power across and the planned size upright."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medtwin.errors import AnalysisError
from medtwin.reports.figures.axis import Axis, named
from medtwin.reports.figures.drawing import Line, Polyline, Scene, Shape, Stroke, Text, series
from medtwin.reports.figures.text import fitted

if TYPE_CHECKING:
    from medtwin.trials.planning.curve import Figure


def power(figure: Figure, width: float = 720.0, height: float = 440.0) -> Scene:
    """The curves of a plan."""
    xs = [x for curve in figure.curves for x in curve.x]
    if not xs:
        raise AnalysisError("a figure without points", expected="one curve or more")
    low, high = min(xs), max(xs)
    if low == high:
        low, high = low - 0.5, high + 0.5
    left, right, top = 62.0, width - 16.0, 40.0
    floor = height - 54.0 - 16.0 * len(figure.curves)
    if not floor > top + 40.0:
        raise AnalysisError(f"{len(figure.curves)} curves in {height:g} points", expected="a figure that holds its legend",
                            remedy="draw fewer curves, or a higher figure")  # fmt: skip
    across, upward = Axis(low=low, high=high, start=left, end=right), Axis(low=0.0, high=1.0, start=floor, end=top)
    shapes: list[Shape] = [Text(12.0, 24.0, fitted(figure.title, width - 24.0, 13.0, True), 13.0, bold=True)]
    for tenth in range(0, 11, 2):
        y = upward(tenth / 10.0)
        shapes.append(Line(left, y, right, y, Stroke(colour="grid")))
        shapes.append(Text(left - 6.0, y + 3.5, f"{tenth * 10} %", 10.0, "end"))
    for x, words in named(across, 6):
        shapes.append(Line(across(x), floor, across(x), floor + 4.0))
        shapes.append(Text(across(x), floor + 17.0, words, 10.0, "middle"))
    shapes.append(Text((left + right) / 2.0, floor + 34.0, fitted(figure.across, right - left), 10.0, "middle"))
    dotted = Stroke(dash=(1.0, 3.0))
    y = upward(figure.target)
    shapes.append(Line(left, y, right, y, dotted, "target"))
    if figure.marked is not None and low <= figure.marked <= high:
        x = across(figure.marked)
        shapes.append(Line(x, top, x, floor, dotted, "marked"))
    for number, curve in enumerate(figure.curves):
        points = tuple((across(x), upward(p)) for x, p in zip(curve.x, curve.power, strict=True))
        shapes.append(Polyline(points, series(number, 2.0), f"curve {number}"))
        y = floor + 52.0 + 16.0 * number
        shapes.append(Line(left, y - 4.0, left + 28.0, y - 4.0, series(number, 2.0)))
        shapes.append(Text(left + 36.0, y, fitted(f"{curve.name} ({curve.method})", right - left - 36.0), 10.0))
    described = "; ".join(
        f"{c.name}: {c.power[0]:.0%} at {c.x[0]:g}, {c.power[-1]:.0%} at {c.x[-1]:g}" for c in figure.curves if c.x
    )
    return Scene(width=width, height=height, title=figure.title, description=described, shapes=tuple(shapes))
