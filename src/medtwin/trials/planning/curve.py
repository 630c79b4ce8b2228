"""Power curves as data, and as a picture: one small static SVG, no script, no font, readable in black and white."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from medtwin.errors import AnalysisError

COLOURS = ("#0b5394", "#b45f06", "#38761d", "#741b47", "#434343")
DASHES = ("", "7 4", "2 3", "10 3 2 3", "4 2")


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: its name and its points."""

    name: str
    x: tuple[float, ...]
    power: tuple[float, ...]
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Lines over one quantity."""

    title: str
    kind: str = ""  #: what it is drawn against: controls | correlation | dropout
    across: str  #: what x is, with its unit
    curves: tuple[Curve, ...]
    target: float  #: planned power, drawn across
    marked: float | None = None  #: planned x, drawn upright


def svg(figure: Figure, width: int = 720, height: int = 440) -> str:
    """The figure as a self-contained SVG document; its text is in ``<title>`` and ``<desc>`` for readers of the screen."""
    xs = [x for curve in figure.curves for x in curve.x]
    if not xs:
        raise AnalysisError("a figure without points", expected="one curve or more")
    low, high = min(xs), max(xs)
    span = (high - low) or 1.0
    left, right, top, bottom = 62.0, 16.0, 40.0, 54.0 + 16.0 * len(figure.curves)

    def at_x(x: float) -> float:
        return left + (x - low) / span * (width - left - right)

    def at_y(power: float) -> float:
        return top + (1.0 - power) * (height - top - bottom)

    described = "; ".join(
        f"{c.name}: {c.power[0]:.0%} at {c.x[0]:g}, {c.power[-1]:.0%} at {c.x[-1]:g}" for c in figure.curves
    )
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" font-family="sans-serif" font-size="12">',
        f"<title>{escape(figure.title)}</title>",
        f"<desc>{escape(described)}</desc>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{left:g}" y="22" font-size="15" font-weight="bold">{escape(figure.title)}</text>',
    ]
    for tenth in range(0, 11, 2):
        y = at_y(tenth / 10.0)
        out.append(f'<line x1="{left:g}" x2="{width - right:g}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        out.append(f'<text x="{left - 6:g}" y="{y + 4:.1f}" text-anchor="end">{tenth * 10} %</text>')
    floor = at_y(0.0)
    for x in _ticks(low, high):
        out.append(
            f'<line x1="{at_x(x):.1f}" x2="{at_x(x):.1f}" y1="{floor:.1f}" y2="{floor + 4:.1f}" stroke="#000000"/>'
        )
        out.append(f'<text x="{at_x(x):.1f}" y="{floor + 17:.1f}" text-anchor="middle">{x:g}</text>')
    centre = (left + width - right) / 2.0
    out.append(f'<text x="{centre:.1f}" y="{floor + 34:.1f}" text-anchor="middle">{escape(figure.across)}</text>')
    y = at_y(figure.target)
    out.append(
        f'<line x1="{left:g}" x2="{width - right:g}" y1="{y:.1f}" y2="{y:.1f}" stroke="#000000" stroke-dasharray="1 3"/>'
    )
    if figure.marked is not None and low <= figure.marked <= high:
        x = at_x(figure.marked)
        out.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:g}" y2="{floor:.1f}" stroke="#000000" stroke-dasharray="1 3"/>'
        )
    for number, curve in enumerate(figure.curves):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        stroke = f'stroke="{colour}" stroke-width="2"' + (f' stroke-dasharray="{dash}"' if dash else "")
        points = " ".join(f"{at_x(x):.1f},{at_y(p):.1f}" for x, p in zip(curve.x, curve.power, strict=True))
        out.append(f'<polyline points="{points}" fill="none" {stroke}/>')
        y = floor + 52.0 + 16.0 * number
        out.append(f'<line x1="{left:g}" x2="{left + 28:g}" y1="{y - 4:.1f}" y2="{y - 4:.1f}" {stroke}/>')
        out.append(f'<text x="{left + 36:g}" y="{y:.1f}">{escape(f"{curve.name} ({curve.method})")}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def _ticks(low: float, high: float) -> Sequence[float]:
    """About six round numbers between ``low`` and ``high``."""
    rough = ((high - low) or 1.0) / 6.0
    scale = 10.0 ** (len(f"{int(rough)}") - 1) if rough >= 1.0 else 10.0 ** -(_zeros(rough) + 1)
    step = next(m * scale for m in (1, 2, 5, 10) if m * scale >= rough)
    first = -(-low // step) * step
    return [round(first + i * step, 10) for i in range(int((high - first) / step + 1e-9) + 1)]


def _zeros(value: float) -> int:
    count = 0
    while value < 0.1:
        value *= 10.0
        count += 1
    return count
