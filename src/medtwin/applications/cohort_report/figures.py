"""Figures of many people: how times in ranges are distributed, and where people stand on the risk grid."""

from __future__ import annotations

import numpy as np

from medtwin.applications.glucose_report.figures.risk import risk_grid
from medtwin.population.cohort import Cohort
from medtwin.reports.figures.axis import Axis
from medtwin.reports.figures.drawing import Circle, Line, Scene, Shape, Stroke, Text, rectangle

BARS = 20
MOST_MARKS = 600  #: people drawn on the grid; more are one cloud


def distributions(made: Cohort) -> Scene:
    """Of people: percent of time in range, below 70, above 180; each a histogram with its median."""
    shapes: list[Shape] = []
    said = []
    for n, (name, words, colour, least) in enumerate((
        ("in_range", "in range, 70-180", "series3", 100.0), ("below_70", "below 70", "series1", 4.0),
        ("above_180", "above 180", "series2", 25.0),
    )):  # fmt: skip
        values = made.outcomes[name]
        end = 100.0 if name == "in_range" else float(max(least, np.percentile(values, 99)))
        left = 20.0 + 235.0 * n
        shapes += _histogram(np.minimum(values, end), end, left, left + 205.0, colour, words)
        middle = float(np.median(values))
        said.append(f"{words}: median {middle:.1f} %")
    return Scene(
        width=720.0,
        height=176.0,
        title="Times in ranges over people",
        description="; ".join(said),
        shapes=tuple(shapes),
    )


def _histogram(values: np.ndarray, end: float, left: float, right: float, colour: str, words: str) -> list[Shape]:
    counts, edges = np.histogram(values, BARS, (0.0, end))
    top, floor = 26.0, 132.0
    across = Axis(low=0.0, high=end, start=left, end=right)
    made: list[Shape] = [Text(left, 13.0, f"% of time {words}", 10.0, bold=True)]
    for count, low, high in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if count:
            tall = (floor - top) * count / counts.max()
            made.append(
                rectangle(
                    across(low),
                    floor - tall,
                    across(high) - across(low) - 0.6,
                    tall,
                    colour,
                    None,
                    0.7,
                    f"{count} people",
                )
            )
    made.append(Line(left, floor, right, floor, Stroke(width=0.8)))
    for tick in across.ticks(5):
        made.append(Text(across(tick), floor + 12.0, f"{tick:g}", 8.0, "middle"))
    middle = float(np.median(values))
    made.append(Line(across(middle), top, across(middle), floor, Stroke(width=1.2, dash=(4.0, 2.0)), "median"))
    made.append(
        Text(left, floor + 28.0, f"median {middle:.1f} %; tallest bar {counts.max()} people", 8.0, colour="muted")
    )
    return made


def risk(made: Cohort) -> Scene:
    """Each person a mark (the first some hundreds of many)."""
    grid, place = risk_grid(60.0, 300.0, 24.0, 200.0)
    shapes: list[Shape] = [Text(4.0, 13.0, "Glycaemia risk index of each person", 11.0, bold=True), *grid]
    low, high = made.outcomes["risk_low"][:MOST_MARKS], made.outcomes["risk_high"][:MOST_MARKS]
    for x, y in zip(low.tolist(), high.tolist(), strict=True):
        shapes.append(Circle(*place(x, y), 1.6, None, Stroke(colour="series1", width=0.7)))
    total = len(made.people)
    for n, (zone, count) in enumerate(made.zones.items()):
        words = f"zone {zone}: {count} of {total} ({100.0 * count / total:.1f} %)"
        shapes.append(Text(340.0, 50.0 + 18.0 * n, words, 10.0))
    if total > MOST_MARKS:
        shapes.append(Text(340.0, 150.0, f"marks: the first {MOST_MARKS} people", 8.0, colour="muted"))
    said = "; ".join(f"zone {zone}: {count}" for zone, count in made.zones.items())
    return Scene(
        width=720.0, height=232.0, title="Glycaemia risk index over people", description=said, shapes=tuple(shapes)
    )
