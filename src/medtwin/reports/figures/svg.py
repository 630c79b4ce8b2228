"""A scene as SVG: one element that needs nothing else, without script, style sheet, font or any other origin.

Colours are attributes, so that the file stands alone, and classes too (``f-ink`` fills, ``s-grid`` lines), by which a page
that holds it may turn them for dark paper: :func:`dark_rules`. Numbers have two decimals, so that the same figure is the
same bytes on every machine.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from medtwin.reports.figures.drawing import COLOURS, Circle, Line, Polygon, Polyline, Scene, Shape, Stroke, Text
from medtwin.reports.figures.text import clean


def svg(scene: Scene, key: str = "figure") -> str:
    """The element. ``key`` makes its ids its own where a page holds several."""
    width, height = _number(scene.width), _number(scene.height)
    name = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in key)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="{name}-title {name}-desc" font-family="Verdana, DejaVu Sans, sans-serif">',
        f'<title id="{name}-title">{escape(clean(scene.title))}</title>',
        f'<desc id="{name}-desc">{escape(clean(scene.description))}</desc>',
        f'<rect width="{width}" height="{height}" fill="{COLOURS["paper"][0]}" class="f-paper"/>',
        *(_element(shape) for shape in scene.shapes),
        "</svg>",
    ]
    return "\n".join(lines)


def dark_rules(within: str = "") -> str:
    """CSS rules that turn every role's colour to the one for dark paper."""
    return "\n".join(
        f"{within}.f-{role} {{ fill: {dark}; }} {within}.s-{role} {{ stroke: {dark}; }}"
        for role, (_, dark) in COLOURS.items()
    )


def _element(shape: Shape) -> str:
    held = f" data-key={quoteattr(clean(shape.key))}" if shape.key else ""
    if isinstance(shape, Text):
        turn = f' transform="rotate(-90 {_number(shape.x)} {_number(shape.y)})"' if shape.turned else ""
        bold = ' font-weight="bold"' if shape.bold else ""
        anchor = f' text-anchor="{shape.anchor}"' if shape.anchor != "start" else ""
        return (
            f'<text x="{_number(shape.x)}" y="{_number(shape.y)}" font-size="{_number(shape.size)}"{anchor}{bold}{turn} '
            f'fill="{COLOURS[shape.colour][0]}" class="f-{shape.colour}"{held}>{escape(clean(shape.words))}</text>'
        )
    if isinstance(shape, Circle):
        return (
            f'<circle cx="{_number(shape.x)}" cy="{_number(shape.y)}" r="{_number(shape.radius)}"'
            f"{_paint(shape.fill, shape.stroke)}{held}/>"
        )
    if isinstance(shape, Line):
        ends = f'x1="{_number(shape.x1)}" y1="{_number(shape.y1)}" x2="{_number(shape.x2)}" y2="{_number(shape.y2)}"'
        return f"<line {ends}{_paint(None, shape.stroke)}{held}/>"
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.points)
    if isinstance(shape, Polyline):
        return f'<polyline points="{points}"{_paint(None, shape.stroke)}{held}/>'
    assert isinstance(shape, Polygon)
    see = f' fill-opacity="{_number(shape.opacity)}"' if shape.opacity < 1.0 else ""
    return f'<polygon points="{points}"{_paint(shape.fill, shape.stroke)}{see}{held}/>'


def _paint(fill: str | None, stroke: Stroke | None) -> str:
    inside = f' fill="{COLOURS[fill][0]}"' if fill else ' fill="none"'
    classes = [f"f-{fill}"] if fill else []
    edge = ""
    if stroke is not None:
        dash = f' stroke-dasharray="{" ".join(_number(length) for length in stroke.dash)}"' if stroke.dash else ""
        edge = f' stroke="{COLOURS[stroke.colour][0]}" stroke-width="{_number(stroke.width)}"{dash}'
        classes.append(f"s-{stroke.colour}")
    named = f' class="{" ".join(classes)}"' if classes else ""
    return f"{inside}{edge}{named}"


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
