"""A scene: a few kinds of shapes in points, from the top left corner, and the colours by the part that they play.

Colours stay apart for colour-blind readers (after the palette of Okabe and Ito 2008, darkened for
lines on white) and never stand alone: series differ by dash and by mark too, so that they can be told in black and white.
"""

from __future__ import annotations

from dataclasses import dataclass

from medtwin.errors import AnalysisError

#: By role: on light paper, on dark paper.
COLOURS = {
    "paper": ("#ffffff", "#17191d"),
    "ink": ("#1a1a1a", "#e9e9e9"),
    "muted": ("#595959", "#a8adb4"),
    "grid": ("#d9d9d9", "#3b3f46"),
    "series1": ("#0060a0", "#62b5f0"),
    "series2": ("#c24e00", "#ff9a52"),
    "series3": ("#00735a", "#45cfa4"),
    "series4": ("#8a3f78", "#e5a3d2"),
    "series5": ("#4d4d4d", "#c9c9c9"),
}
SERIES = tuple(role for role in COLOURS if role.startswith("series"))
DASHES = ((), (7.0, 4.0), (2.0, 3.0), (10.0, 3.0, 2.0, 3.0), (4.0, 2.0))

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """How a line is drawn."""

    colour: str = "ink"  #: a role
    width: float = 1.0
    dash: tuple[float, ...] = ()  #: lengths on and off


@dataclass(frozen=True, slots=True)
class Line:
    """From one point to another."""

    x1: float
    y1: float
    x2: float
    y2: float
    stroke: Stroke = Stroke()
    key: str = ""  #: what it stands for, never shown: "interval 0"


@dataclass(frozen=True, slots=True)
class Polyline:
    """A line through points."""

    points: tuple[Point, ...]
    stroke: Stroke = Stroke()
    key: str = ""


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed area."""

    points: tuple[Point, ...]
    fill: str | None = "ink"
    stroke: Stroke | None = None
    opacity: float = 1.0
    key: str = ""


@dataclass(frozen=True, slots=True)
class Circle:
    """A mark around its centre."""

    x: float
    y: float
    radius: float
    fill: str | None = "ink"
    stroke: Stroke | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """One line of words; ``y`` is its base line."""

    x: float
    y: float
    words: str
    size: float = 10.0
    anchor: str = "start"  #: start | middle | end
    bold: bool = False
    colour: str = "ink"
    turned: bool = False  #: reads upwards
    key: str = ""


Shape = Line | Polyline | Polygon | Circle | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A figure. ``title`` and ``description`` are its words for those who cannot see it."""

    width: float
    height: float
    title: str
    description: str
    shapes: tuple[Shape, ...]

    def __post_init__(self) -> None:
        if not (0.0 < self.width < 1e5 and 0.0 < self.height < 1e5):
            raise AnalysisError(f"a figure of {self.width:g} by {self.height:g}", expected="a size in points")


def rectangle(
    x: float, y: float, width: float, height: float, fill: str | None = "ink", stroke: Stroke | None = None,
    opacity: float = 1.0, key: str = "",
) -> Polygon:  # fmt: skip
    """With its top left corner at ``x, y``."""
    corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    return Polygon(corners, fill, stroke, opacity, key)


def square(
    x: float, y: float, half: float, fill: str | None = "ink", stroke: Stroke | None = None, key: str = ""
) -> Polygon:
    """Around its centre."""
    return rectangle(x - half, y - half, 2.0 * half, 2.0 * half, fill, stroke, key=key)


def arrow(x: float, y: float, right: bool, colour: str = "ink", key: str = "") -> Polygon:
    """A head whose tip stands at ``x, y``: what it marks lies beyond the axis."""
    back = x - 7.0 if right else x + 7.0
    return Polygon(((x, y), (back, y - 4.0), (back, y + 4.0)), colour, None, 1.0, key)


def series(number: int, width: float = 1.8) -> Stroke:
    """Colour and dash of the line of this number."""
    return Stroke(colour=SERIES[number % len(SERIES)], width=width, dash=DASHES[number % len(DASHES)])
