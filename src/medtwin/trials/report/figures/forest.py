"""Forest plot: a square at each estimate, its interval as a line, the same in numbers beside it.

All rows stand on one scale; of ``log`` estimates the axis is that of the ratio, with equal ratios equally far. Rows are
not weighed against each other: every square has one size, since analyses of the same patients are not to be pooled.
The axis shows the null, the estimates, and intervals up to ``REACH`` times the median half width; what goes beyond is cut
and ends in an arrow, and the numbers beside say how far it goes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from medtwin.errors import AnalysisError
from medtwin.reports.figures.axis import Axis, named, spread
from medtwin.reports.figures.drawing import Line, Scene, Shape, Stroke, Text, arrow, square
from medtwin.reports.figures.text import fitted, width, wrapped
from medtwin.trials.estimate import Estimate
from medtwin.trials.report.numbers import interval_words, p_words, reported

WIDTH, ROW = 720.0, 30.0
REACH = 4.0  #: half widths that an interval is followed from its estimate
FAR = 12.0  #: half widths from the median estimate beyond which an estimate itself is cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the plot."""

    label: str
    estimate: Estimate
    strong: bool = False  #: the primary analysis


def forest(rows: Sequence[Row], *, title: str, across: str = "", worse: str = "", better: str = "") -> Scene:
    """``across``: what the axis is; ``worse`` and ``better``: words under its left and right half."""
    if not rows:
        raise AnalysisError("a forest plot without estimates", expected="one or more", where=title)
    scales = {row.estimate.scale for row in rows}
    nulls = {row.estimate.null for row in rows}
    if len(scales) > 1 or len(nulls) > 1:
        raise AnalysisError(f"scales {sorted(scales)}, nulls {sorted(nulls)}", expected="one of each", where=title,
                            remedy="draw a plot for each")  # fmt: skip
    log = scales == {"log"}
    low, high = limits(rows)
    numbers = [(f"{reported(r.estimate)[0]} [{interval_words(r.estimate)}]", p_words(r.estimate.p_value)) for r in rows]
    beside = min(max(width(n[0], 9.5, r.strong) for n, r in zip(numbers, rows, strict=True)), 260.0)
    confidence = {row.estimate.confidence for row in rows}
    head = f"estimate [{f'{100.0 * confidence.pop():g} % ' if len(confidence) == 1 else ''}interval]"
    beside = max(beside, width(head, 9.5, True))
    left, right = 190.0, WIDTH - 62.0 - beside - 14.0
    top = 62.0
    floor = top + ROW * len(rows)
    axis = (
        Axis(low=math.exp(low), high=math.exp(high), start=left, end=right, log=True)
        if log
        else Axis(low=low, high=high, start=left, end=right)
    )
    to = math.exp if log else float
    null = axis(to(rows[0].estimate.null))
    shapes: list[Shape] = [Text(12.0, 24.0, fitted(title, WIDTH - 24.0, 13.0, True), 13.0, bold=True)]
    shapes += [
        Text(right + 14.0, top - 10.0, head, 9.5, bold=True),
        Text(WIDTH - 12.0, top - 10.0, "p", 9.5, "end", bold=True),
    ]
    shapes += _ruler(axis, floor, top, left)
    shapes.append(Line(null, top - 4.0, null, floor, Stroke(colour="ink", width=1.0, dash=(3.0, 3.0)), "null"))
    cut = False
    for number, (row, (words, p)) in enumerate(zip(rows, numbers, strict=True)):
        y = top + ROW * (number + 0.5)
        cut |= _row(shapes, row, number, y, axis, left)
        shapes.append(Text(right + 14.0, y + 3.5, words, 9.5, bold=row.strong))
        shapes.append(Text(WIDTH - 12.0, y + 3.5, p, 9.5, "end", bold=row.strong))
    under = floor + 34.0
    if across:
        shapes.append(Text((left + right) / 2.0, under, across, 10.0, "middle"))
        under += 17.0
    if worse or better:
        for words, x, anchor in ((worse, null - 8.0, "end"), (better, null + 8.0, "start")):
            shapes.append(Text(x, under, words, 9.5, anchor, colour="muted"))
        under += 17.0
    if cut:
        shapes.append(Text(left, under, "Arrow: goes on beyond the axis; see the numbers.", 9.0, colour="muted"))
        under += 17.0
    described = "; ".join(f"{r.label}: {n} p {p}" for r, (n, p) in zip(rows, numbers, strict=True))
    return Scene(width=WIDTH, height=under - 4.0, title=title, description=described, shapes=tuple(shapes))


def limits(rows: Sequence[Row]) -> tuple[float, float]:
    """Ends of the axis, on the estimates' own scale."""
    half = [(row.estimate.interval[1] - row.estimate.interval[0]) / 2.0 for row in rows]
    usual = median(half)
    values = [row.estimate.value for row in rows]
    middle = median(values)
    null = rows[0].estimate.null
    ends = [null]
    for row, value in zip(rows, values, strict=True):
        if usual > 0.0 and abs(value - middle) > max(FAR * usual, 2.0 * abs(middle - null)):
            continue
        reach = REACH * usual if usual > 0.0 else 0.0
        ends += [max(row.estimate.interval[0], value - reach), min(row.estimate.interval[1], value + reach)]
    low, high = spread(min(ends), max(ends))
    if rows[0].estimate.scale == "log":  # a ratio that no float can hold
        low, high = max(low, -600.0), min(high, 600.0)
        if high - low < 1e-4:
            low, high = low - 5e-5, high + 5e-5
    return low, high


def _row(shapes: list[Shape], row: Row, number: int, y: float, axis: Axis, left: float) -> bool:
    """Label, interval and square; true: something was cut."""
    names = wrapped(row.label, left - 24.0, 9.5, bold=row.strong)
    for line, words in enumerate(names):
        shift = 3.5 if len(names) == 1 else -2.5 + 11.0 * line
        shapes.append(Text(12.0, y + shift, words, 9.5, bold=row.strong))
    inside = Axis(low=0.0, high=1.0, start=axis.start, end=axis.end)
    ends = [_place(axis, row.estimate, x) for x in row.estimate.interval]
    at = _place(axis, row.estimate, row.estimate.value)
    shown = [min(max(end, 0.0), 1.0) for end in ends]
    stroke = Stroke(colour="series1", width=2.4 if row.strong else 1.6)
    if ends[0] < 1.0 and ends[1] > 0.0:
        shapes.append(Line(inside(shown[0]), y, inside(shown[1]), y, stroke, f"interval {number}"))
    for end in ends:
        if end < 0.0 or end > 1.0:
            edge = inside(0.0 if end < 0.0 else 1.0)
            shapes.append(arrow(edge, y, end > 1.0, "series1", f"cut {number}"))
        else:
            shapes.append(Line(inside(end), y - 4.0, inside(end), y + 4.0, stroke))
    if 0.0 <= at <= 1.0:
        shapes.append(square(inside(at), y, 5.0 if row.strong else 4.0, "series1", key=f"estimate {number}"))
    return not (ends[0] >= 0.0 and ends[1] <= 1.0)


def _place(axis: Axis, estimate: Estimate, value: float) -> float:
    """Share of the axis, below 0 or above 1 beyond its ends; works where a ratio would overflow."""
    low, high = (math.log(axis.low), math.log(axis.high)) if estimate.scale == "log" else (axis.low, axis.high)
    share = (value - low) / (high - low)
    return 0.0 if -1e-9 < share < 0.0 else 1.0 if 1.0 < share < 1.0 + 1e-9 else share


def _ruler(axis: Axis, floor: float, top: float, left: float) -> list[Shape]:
    """The axis with its ticks."""
    made: list[Shape] = [Line(left, floor, axis.end, floor, Stroke(colour="muted"))]
    for value, words in named(axis, 5):
        made.append(Line(axis(value), top, axis(value), floor, Stroke(colour="grid", width=0.7)))
        made.append(Line(axis(value), floor, axis(value), floor + 4.0, Stroke(colour="muted")))
        made.append(Text(axis(value), floor + 16.0, words, 9.0, "middle"))
    return made
