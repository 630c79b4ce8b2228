"""The ambulatory glucose profile: bands of 5-95 and 25-75 %, the median; nothing is drawn where too few days speak."""

from __future__ import annotations

import numpy as np

from medtwin.applications.glucose_report.figures.scale import background, held, upward
from medtwin.applications.glucose_report.unit import Unit
from medtwin.reports.figures.axis import Axis
from medtwin.reports.figures.drawing import Line, Polygon, Polyline, Scene, Shape, Stroke, Text
from medtwin.statistics.glucose.profile import Profile


def day(profile: Profile, days: int, unit: Unit, width: float = 720.0, height: float = 262.0, whose: str = "") -> Scene:
    """One day, midnight to midnight on the person's clock; ``whose``: words for more people than one."""
    left, right, top, floor = 40.0, width - 62.0, 26.0, height - 24.0
    axis, across = upward(top, floor), Axis(low=0.0, high=1440.0, start=left, end=right)
    title = f"Ambulatory glucose profile of {days} day{'' if days == 1 else 's'}{whose}, {unit.name}"
    shapes: list[Shape] = [Text(4.0, 13.0, title, 11.0, bold=True), *background(axis, left, right, unit)]
    known = np.all(np.isfinite(profile.glucose), axis=0)
    edge = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(int)))
    for start, end in zip(edge[::2].tolist(), edge[1::2].tolist(), strict=True):
        x = [across(minute) for minute in profile.minute[start:end].tolist()]
        y = [[axis(held(value)) for value in row] for row in profile.glucose[:, start:end].tolist()]
        for low, high, opacity in ((0, 4, 0.18), (1, 3, 0.34)):
            outline = [*zip(x, y[high], strict=True), *zip(reversed(x), reversed(y[low]), strict=True)]
            key = f"{profile.levels[low]:g}-{profile.levels[high]:g} %"
            shapes.append(Polygon(tuple(outline), "series1", None, opacity, key))
        for row, dash in ((0, (2.0, 3.0)), (4, (2.0, 3.0))):
            shapes.append(Polyline(tuple(zip(x, y[row], strict=True)), Stroke(colour="series1", width=0.8, dash=dash)))
        shapes.append(Polyline(tuple(zip(x, y[2], strict=True)), Stroke(colour="series1", width=2.4), "median"))
    if known[-1]:
        shapes += _names(profile, axis, right)
    if not known.any():
        middle = (left + right) / 2.0
        shapes.append(Text(middle, axis(215.0), "too few days for a profile (three at the least)", 11.0, "middle"))
    for hour in range(0, 25, 3):
        x_at = across(60.0 * hour)
        shapes.append(Line(x_at, floor, x_at, floor + 4.0))
        shapes.append(Text(x_at, floor + 15.0, f"{hour:02d}:00", 9.0, "middle"))
    return Scene(width=width, height=height, title=title, description=_described(profile, unit), shapes=tuple(shapes))


def _names(profile: Profile, axis: Axis, right: float) -> list[Shape]:
    """Words at the right end, apart from each other."""
    made: list[Shape] = []
    last = float("inf")
    for level, value in zip(profile.levels, profile.glucose[:, -1].tolist(), strict=True):
        y = min(axis(held(value)) + 3.0, last - 10.0)
        words = "median" if level == 50.0 else f"{level:g} %"
        made.append(Text(right + 5.0, y, words, 9.0, bold=level == 50.0))
        last = y
    return made


def _described(profile: Profile, unit: Unit) -> str:
    said = []
    for hour in range(0, 24, 3):
        at = profile.glucose[:, int(hour * 60 / 15)]
        if np.isfinite(at).all():
            said.append(
                f"{hour:02d}:00 median {unit.words(at[2])}, half of readings {unit.words(at[1])} to {unit.words(at[3])}"
            )
    return "; ".join(said) if said else "Too few days for a profile."
