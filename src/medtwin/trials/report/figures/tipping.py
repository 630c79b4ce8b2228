"""Tipping point: the p value, and below it the estimate, against the factor of the delta that imputed outcomes are shifted by.

The axis of p is logarithmic, so that the crossing of the level can be seen whatever p reaches; p below its foot stands there.
"""

from __future__ import annotations

import math

from medtwin.errors import AnalysisError
from medtwin.reports.figures.axis import Axis, labels, named, spread
from medtwin.reports.figures.drawing import Circle, Line, Polyline, Scene, Shape, Stroke, Text, series
from medtwin.reports.figures.text import fitted
from medtwin.trials.missing.tipping import TippingPoint
from medtwin.trials.report.numbers import short

WIDTH = 720.0
SMALLEST = 1e-4  #: p value at the foot of the axis; those below it are drawn there


def tipping(
    found: TippingPoint, *, title: str = "Tipping point", across: str = "factor of the delta", null: float = 0.0
) -> Scene:
    """A dashed line at the level, an upright one at each tipping point; ``null``: of the estimate."""
    if len(found.factors) < 2 or not all(math.isfinite(x) for x in (*found.factors, *found.p_values, *found.values)):
        raise AnalysisError(f"{len(found.factors)} points", expected="two or more, all finite", where=title)
    left, right = 84.0, WIDTH - 24.0
    factor = Axis(low=min(found.factors), high=max(found.factors), start=left, end=right)
    least = 10.0 ** math.floor(math.log10(max(min(*found.p_values, found.level / 2.0), SMALLEST)))
    p = Axis(low=least, high=1.0, start=230.0, end=68.0, log=True)
    low, high = spread(min(*found.values, null), max(*found.values, null))
    value = Axis(low=low, high=high, start=400.0, end=262.0)
    foot = f" (at the foot: {least:g} or less)" if min(found.p_values) < least else ""
    shapes: list[Shape] = [Text(12.0, 24.0, fitted(title, WIDTH - 24.0, 13.0, True), 13.0, bold=True)]
    shapes.append(Text(left, 44.0, fitted(f"two-sided p value of: {found.estimate}{foot}", right - left, 9.5), 9.5))
    shapes += _panel(p, left, right)
    shapes.append(Text(left, 250.0, "estimate", 9.5))
    shapes += _panel(value, left, right)
    for x, words in named(factor, 7):
        shapes.append(Line(factor(x), value.start, factor(x), value.start + 4.0, Stroke(colour="muted")))
        shapes.append(Text(factor(x), value.start + 16.0, words, 9.0, "middle"))
    shapes.append(Text((left + right) / 2.0, value.start + 34.0, fitted(across, right - left), 10.0, "middle"))
    dashed = Stroke(colour="ink", dash=(4.0, 3.0))
    shapes.append(Line(left, p(found.level), right, p(found.level), dashed, "level"))
    shapes.append(Text(right, p(found.level) - 4.0, f"p = {found.level:g}", 9.0, "end"))
    if value.holds(null):
        shapes.append(Line(left, value(null), right, value(null), dashed, "null"))
    for axis, heights, key in ((p, found.p_values, "p"), (value, found.values, "value")):
        stroke = series(0 if key == "p" else 1, 2.0)
        points = tuple((factor(x), axis(max(y, axis.low))) for x, y in zip(found.factors, heights, strict=True))
        shapes.append(Polyline(points, Stroke(colour=stroke.colour, width=2.0), key))
        shapes += [Circle(x, y, 2.2, stroke.colour, key=f"{key} {at}") for at, (x, y) in enumerate(points)]
    spoken = -math.inf
    for number, tip in enumerate(found.tips):
        x = factor(tip)
        shapes.append(Line(x, p.end, x, value.start, Stroke(colour="ink", dash=(1.5, 2.5)), f"tip {number}"))
        if x - spoken < 40.0:  # its words would lie on those of the one before; the table has both
            continue
        spoken = x
        shapes.append(Text(x, p.end - 4.0, short(float(f"{tip:.3g}")), 9.0, "middle", bold=True))
    tips = ", ".join(f"{tip:.4g}" for tip in found.tips)
    described = (
        f"p is {found.p_values[0]:.3g} at factor {found.factors[0]:g} and {found.p_values[-1]:.3g} at {found.factors[-1]:g}; "
        + (f"it crosses {found.level:g} at {tips}" if tips else f"it does not cross {found.level:g}")
    )
    return Scene(width=WIDTH, height=446.0, title=title, description=described, shapes=tuple(shapes))


def _panel(axis: Axis, left: float, right: float) -> list[Shape]:
    """Grid and numbers of one upright axis."""
    made: list[Shape] = [Line(left, axis.start, right, axis.start, Stroke(colour="muted"))]
    ticks = axis.ticks(4)
    for y, words in zip(ticks, labels(ticks), strict=True):
        made.append(Line(left, axis(y), right, axis(y), Stroke(colour="grid", width=0.7)))
        made.append(Text(left - 6.0, axis(y) + 3.5, words, 9.0, "end"))
    return made
