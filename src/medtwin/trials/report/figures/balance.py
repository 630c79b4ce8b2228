"""Love plot: the standardised difference of every covariate, hollow before weighting, filled after it.

The covariate that differed most stands first. Dashed lines at 0.1 (Austin 2009) and none; differences beyond ``WIDEST``
standard deviations are cut with an arrow. Of more than ``MOST`` covariates those that differ most are drawn, and it is said.
"""

from __future__ import annotations

import math

from medtwin.errors import AnalysisError
from medtwin.reports.figures.axis import Axis, named
from medtwin.reports.figures.drawing import Circle, Line, Scene, Shape, Stroke, Text, arrow, square
from medtwin.reports.figures.text import fitted, one_line, width
from medtwin.trials.external.balance import Balance

WIDTH, ROW = 720.0, 20.0
WIDEST, MOST = 2.0, 40


def love(balance: Balance, *, title: str = "Balance of the covariates") -> Scene:
    """Signed differences, treated less control, in standard deviations of the unweighted arms."""
    if not balance.rows:
        raise AnalysisError("a table of balance without covariates", expected="one or more", where=title)

    def size(difference: float) -> float:
        return abs(difference) if math.isfinite(difference) else -1.0

    ordered = sorted(balance.rows, key=lambda row: -max(size(row.difference_before), size(row.difference_after)))
    rows = ordered[:MOST]
    every = [x for row in rows for x in (row.difference_before, row.difference_after) if math.isfinite(x)]
    reach = min(max([0.25, *(1.08 * abs(x) for x in every)]), WIDEST)
    longest = max(width(one_line(row.name), 9.5) for row in rows)
    left, right, top = min(max(longest + 28.0, 120.0), 290.0), WIDTH - 24.0, 62.0
    floor = top + ROW * len(rows)
    axis = Axis(low=-reach, high=reach, start=left, end=right)
    shapes: list[Shape] = [Text(12.0, 24.0, fitted(title, WIDTH - 24.0, 13.0, True), 13.0, bold=True)]
    shapes += _legend(left)
    for value, words in named(axis, 6):
        shapes.append(Line(axis(value), top, axis(value), floor, Stroke(colour="grid", width=0.7)))
        shapes.append(Text(axis(value), floor + 16.0, words, 9.0, "middle"))
    shapes.append(Line(axis(0.0), top, axis(0.0), floor, Stroke(colour="ink"), "zero"))
    for bound in (-0.1, 0.1):
        shapes.append(Line(axis(bound), top, axis(bound), floor, Stroke(colour="ink", dash=(3.0, 3.0)), "bound"))
    shapes.append(Line(left, floor, right, floor, Stroke(colour="muted")))
    cut = False
    for number, row in enumerate(rows):
        y = top + ROW * (number + 0.5)
        shapes.append(Text(12.0, y + 3.5, fitted(row.name, left - 24.0, 9.5), 9.5))
        pair = (row.difference_before, row.difference_after)
        if not all(math.isfinite(x) for x in pair):
            shapes.append(Text(axis(0.0) + 8.0, y + 3.5, "no spread to compare", 9.0, colour="muted"))
            continue
        shown = [min(max(x, -reach), reach) for x in pair]
        shapes.append(Line(axis(shown[0]), y, axis(shown[1]), y, Stroke(colour="muted", width=0.8)))
        for x, at, name in zip(pair, shown, ("before", "after"), strict=True):
            if abs(x) > reach:
                cut = True
                shapes.append(arrow(axis(at), y, x > 0.0, "series2" if name == "before" else "series1"))
                beside = axis(at) + (-10.0 if x > 0.0 else 10.0)
                lift = -1.0 if name == "before" else 8.0
                shapes.append(Text(beside, y + lift, f"{name} {x:.3g}", 8.0, "end" if x > 0.0 else "start"))
            elif name == "before":
                edge = Stroke(colour="series2", width=1.6)
                shapes.append(Circle(axis(at), y, 4.5, "paper", edge, f"before {number}"))
            else:
                shapes.append(square(axis(at), y, 3.6, "series1", key=f"after {number}"))
    under = floor + 34.0
    shapes.append(Text((left + right) / 2.0, under, "standardised difference, treated - control (SD)", 10.0, "middle"))
    said = []
    if cut:
        said.append("Arrow: beyond the axis.")
    if len(ordered) > MOST:
        said.append(f"{len(ordered) - MOST} further covariates differ less; the table has them all.")
    if said:
        under += 17.0
        shapes.append(Text(left, under, " ".join(said), 9.0, colour="muted"))
    described = (
        f"Largest absolute standardised difference {balance.largest_before:.3g} before, {balance.largest_after:.3g} after "
        f"weighting, over {len(ordered)} covariates."
    )
    return Scene(width=WIDTH, height=under + 14.0, title=title, description=described, shapes=tuple(shapes))


def _legend(left: float) -> list[Shape]:
    return [
        Circle(left + 5.0, 44.0, 4.5, "paper", Stroke(colour="series2", width=1.6)),
        Text(left + 16.0, 47.5, "before weighting", 9.5),
        square(left + 135.0, 44.0, 3.6, "series1"),
        Text(left + 146.0, 47.5, "after weighting", 9.5),
        Line(left + 250.0, 44.0, left + 270.0, 44.0, Stroke(colour="ink", dash=(3.0, 3.0))),
        Text(left + 276.0, 47.5, "0.1", 9.5),
    ]
