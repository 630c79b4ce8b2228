"""Kaplan-Meier curves by arm with pointwise bands, marks of those censored where their times are known, numbers at risk.

The numbers below the axis are of patients whose follow-up reaches the tick. A curve alone does not hold the times of
censoring; between two events it then gives bounds only, shown as ``12-15``. With the times of censoring they are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from medtwin.errors import AnalysisError
from medtwin.reports.figures.axis import Axis, named
from medtwin.reports.figures.drawing import (
    SERIES,
    Line,
    Point,
    Polygon,
    Polyline,
    Scene,
    Shape,
    Stroke,
    Text,
    series,
)
from medtwin.reports.figures.text import fitted, width
from medtwin.trials.analysis.kaplan import Curve

WIDTH = 720.0
FINE = 0.15  #: points; steps that are smaller in both directions are drawn as one
MOST_MARKS = 400  #: of those censored, in an arm; more would be a smear


def kaplan_meier(
    curves: Mapping[str, Curve], *, title: str = "Kaplan-Meier", across: str = "time", confidence: float = 0.95,
    censored: Mapping[str, Sequence[float]] | None = None, patients: Mapping[str, int] | None = None,
) -> Scene:  # fmt: skip
    """``curves`` by arm; ``censored``: times by arm; ``patients``: by arm at time 0, where the curve alone does not say."""
    if not curves:
        raise AnalysisError("no curves", expected="one for each arm", where=title)
    ends = [curve.followed_until for curve in curves.values()]
    latest = max(ends)
    if not latest > 0.0:
        raise AnalysisError("follow-up of no length", expected="a time above 0", where=title)
    names = list(curves)
    longest = max(width(name, 9.0) for name in names)
    left, right, top, floor = min(max(longest + 68.0, 84.0), 210.0), WIDTH - 24.0, 44.0, 304.0
    time = Axis(low=0.0, high=latest, start=left, end=right)
    upward = Axis(low=0.0, high=1.0, start=floor, end=top)
    shapes: list[Shape] = [Text(12.0, 24.0, fitted(title, WIDTH - 24.0, 13.0, True), 13.0, bold=True)]
    for fifth in range(6):
        y = upward(fifth / 5.0)
        shapes.append(Line(left, y, right, y, Stroke(colour="grid", width=0.7)))
        shapes.append(Text(left - 6.0, y + 3.5, f"{fifth * 20} %", 9.0, "end"))
    ticks = named(time, 8)
    for value, text in ticks:
        shapes.append(Line(time(value), floor, time(value), floor + 4.0, Stroke(colour="muted")))
        shapes.append(Text(time(value), floor + 16.0, text, 9.0, "middle"))
    shapes.append(Line(left, floor, right, floor, Stroke(colour="muted")))
    shapes.append(Text((left + right) / 2.0, floor + 34.0, fitted(across, right - left), 10.0, "middle"))
    seen = [_seen(curve, time, upward) for curve in curves.values()]
    for number, curve in enumerate(curves.values()):
        band = _band(curve, seen[number], time, upward, confidence)
        if len(band) > 2:
            shapes.append(Polygon(band, SERIES[number % len(SERIES)], None, 0.14, f"band {number}"))
    for number, (name, curve) in enumerate(curves.items()):
        points = tuple((time(t), upward(s)) for t, s in _steps(curve, seen[number]))
        shapes.append(Polyline(points, series(number), f"curve {number}"))
        for t in _marks(censored, name, curve):
            y = upward(curve.at(t)[0])
            shapes.append(
                Line(time(t), y - 4.0, time(t), y + 4.0, Stroke(colour="ink", width=1.0), f"censored {number}")
            )
    y = floor + 58.0
    shapes.append(Text(12.0, y, "Number at risk", 9.5, bold=True))
    for number, (name, curve) in enumerate(curves.items()):
        y += 17.0
        stroke = series(number)
        shapes.append(Line(12.0, y - 3.5, 36.0, y - 3.5, stroke))
        shapes.append(Text(42.0, y, fitted(name, left - 66.0, 9.0), 9.0, colour=stroke.colour))
        for value, _ in ticks:
            least, most = at_risk(curve, value, (censored or {}).get(name), (patients or {}).get(name))
            shown = f"{least}" if least == most else f"{least}+" if most is None else f"{least}-{most}"
            shapes.append(Text(time(value), y, shown, 8.5, "middle", key=f"at risk {number}"))
    y += 20.0
    told = f"Band: {100.0 * confidence:g} % pointwise interval"
    told += "; strokes: censored." if censored else "; a range: bounds, the times of censoring are not held."
    shapes.append(Text(12.0, y, told, 9.0, colour="muted"))
    described = "; ".join(
        f"{name}: {curve.survival[-1] if len(curve.survival) else 1.0:.1%} without the event at "
        f"{curve.times[-1] if len(curve.times) else curve.followed_until:g}, {int(curve.events.sum())} events"
        for name, curve in curves.items()
    )
    return Scene(width=WIDTH, height=y + 12.0, title=title, description=described, shapes=tuple(shapes))


def at_risk(
    curve: Curve, time: float, censored: Sequence[float] | None = None, patients: int | None = None
) -> tuple[int, int | None]:
    """Least and most patients with a follow-up of ``time`` or longer; the same number twice where it is known.

    Before the first event nothing but ``patients`` says how many there are at most: then none.
    """
    if time > curve.followed_until:
        return 0, 0
    after = int(np.searchsorted(curve.times, time, side="left"))  # events strictly before
    if censored is not None:
        times = np.asarray(censored, dtype=float)
        later = int((times >= time).sum()) + round(float(curve.events[after:].sum()))
        return later, later
    least = round(float(curve.at_risk[after])) if after < len(curve.times) else 1
    if after:
        return least, round(float(curve.at_risk[after - 1] - curve.events[after - 1]))
    if time <= 0.0 and patients is not None:
        return patients, patients
    return least, patients


def _seen(curve: Curve, time: Axis, upward: Axis) -> list[int]:
    """The event times that the eye can tell apart: each a ``FINE`` point or more from the one before, and the last."""
    kept: list[int] = []
    at = (time(0.0), upward(1.0))
    for number, (t, s) in enumerate(zip(curve.times, curve.survival, strict=True)):
        here = (time(float(t)), upward(float(s)))
        if number + 1 == len(curve.times) or max(abs(here[0] - at[0]), abs(here[1] - at[1])) >= FINE:
            kept.append(number)
            at = here
    return kept


def _steps(curve: Curve, seen: Sequence[int]) -> list[Point]:
    """Corners of the curve in time and survival, from (0, 1) to the last follow-up."""
    corners: list[Point] = [(0.0, 1.0)]
    for number in seen:
        t, s = float(curve.times[number]), float(curve.survival[number])
        corners += [(t, corners[-1][1]), (t, s)]
    if curve.followed_until > corners[-1][0]:
        corners.append((curve.followed_until, corners[-1][1]))
    return corners


def _band(curve: Curve, seen: Sequence[int], time: Axis, upward: Axis, confidence: float) -> tuple[Point, ...]:
    """Upper limits onwards, lower limits back; it ends with the last step that has an interval."""
    upper: list[Point] = []
    lower: list[Point] = []
    for number, following in zip(seen, [*seen[1:], None], strict=True):
        if not 0.0 < curve.survival[number] < 1.0:
            break
        t = float(curve.times[number])
        low, high = curve.interval(t, confidence)
        until = curve.followed_until if following is None else float(curve.times[following])
        upper += [(time(t), upward(high)), (time(until), upward(high))]
        lower += [(time(t), upward(low)), (time(until), upward(low))]
    return (*upper, *reversed(lower))


def _marks(censored: Mapping[str, Sequence[float]] | None, name: str, curve: Curve) -> list[float]:
    times = sorted({float(t) for t in (censored or {}).get(name, ()) if 0.0 <= float(t) <= curve.followed_until})
    every = -(-len(times) // MOST_MARKS)
    return times[::every] if every > 1 else times
