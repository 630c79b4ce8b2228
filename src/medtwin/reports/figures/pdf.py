"""A scene for a PDF page by reportlab: vectors and embedded words, the same shapes in the same places as the SVG.

The face is Bitstream Vera Sans, which comes with reportlab and holds the Latin alphabets. A character that it lacks is
written as its code point, ``<U+4E2D>``: never left out, never a box that says nothing.
"""

from __future__ import annotations

from typing import Any

from reportlab.graphics import shapes
from reportlab.graphics.shapes import Drawing, Group
from reportlab.lib.colors import HexColor
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from medtwin.reports.figures.drawing import COLOURS, Circle, Line, Polygon, Polyline, Scene, Shape, Stroke, Text
from medtwin.reports.figures.text import clean

FACE, BOLD = "MedtwinSans", "MedtwinSans-Bold"
_FILES = {FACE: "Vera.ttf", BOLD: "VeraBd.ttf"}
_NEAR = {0x2010: "-", 0x2011: "-", 0x2212: "-", 0x2192: "->", 0x00A0: " ", 0x202F: " ", 0x2009: " "}


def fonts() -> None:
    """Made known to reportlab, once in a process."""
    known = pdfmetrics.getRegisteredFontNames()
    for name, file in _FILES.items():
        if name not in known:
            pdfmetrics.registerFont(TTFont(name, file))


def printable(words: object) -> str:
    """The words with what the face lacks written as code points; line breaks are kept."""
    fonts()
    held = pdfmetrics.getFont(FACE).face.charToGlyph
    return "".join(
        sign if ord(sign) in held or sign in "\n\t" else _NEAR.get(ord(sign), f"<U+{ord(sign):04X}>")
        for sign in clean(words)
    )


def drawing(scene: Scene, scale: float = 1.0) -> Drawing:
    """The scene as a drawing of reportlab's, that may stand in the flow of a document. Its y points upwards."""
    fonts()
    made = Drawing(scene.width * scale, scene.height * scale)
    whole = Group()
    whole.transform = (scale, 0, 0, scale, 0, 0)
    for shape in scene.shapes:
        whole.add(_element(shape, scene.height))
    made.add(whole)
    return made


def _element(shape: Shape, height: float) -> Any:
    if isinstance(shape, Text):
        at = (0.0, 0.0) if shape.turned else (shape.x, height - shape.y)
        words = shapes.String(
            *at, printable(shape.words), fontName=BOLD if shape.bold else FACE, fontSize=shape.size,
            textAnchor=shape.anchor, fillColor=_colour(shape.colour),
        )  # fmt: skip
        if not shape.turned:
            return words
        turned = Group(words)
        turned.transform = (0, 1, -1, 0, shape.x, height - shape.y)
        return turned
    if isinstance(shape, Line):
        return shapes.Line(shape.x1, height - shape.y1, shape.x2, height - shape.y2, **_pen(shape.stroke))
    if isinstance(shape, Circle):
        return shapes.Circle(
            shape.x, height - shape.y, shape.radius, fillColor=_colour(shape.fill), **_pen(shape.stroke)
        )
    flat = [value for x, y in shape.points for value in (x, height - y)]
    if isinstance(shape, Polyline):
        return shapes.PolyLine(flat, **_pen(shape.stroke))
    assert isinstance(shape, Polygon)
    return shapes.Polygon(flat, fillColor=_colour(shape.fill), fillOpacity=shape.opacity, **_pen(shape.stroke))


def _colour(role: str | None) -> Any:
    return None if role is None else HexColor(COLOURS[role][0])


def _pen(stroke: Stroke | None) -> dict[str, Any]:
    if stroke is None:
        return {"strokeColor": None}
    return {
        "strokeColor": _colour(stroke.colour), "strokeWidth": stroke.width, "strokeDashArray": list(stroke.dash) or None,
    }  # fmt: skip
