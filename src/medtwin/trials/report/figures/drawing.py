"""Moved to :mod:`medtwin.reports.figures.drawing`; kept here for those who import it by this name."""

from medtwin.reports.figures.drawing import (
    COLOURS,
    DASHES,
    SERIES,
    Circle,
    Line,
    Point,
    Polygon,
    Polyline,
    Scene,
    Shape,
    Stroke,
    Text,
    arrow,
    rectangle,
    series,
    square,
)

__all__ = [
    "COLOURS",
    "DASHES",
    "SERIES",
    "Circle",
    "Line",
    "Point",
    "Polygon",
    "Polyline",
    "Scene",
    "Shape",
    "Stroke",
    "Text",
    "arrow",
    "rectangle",
    "series",
    "square",
]
