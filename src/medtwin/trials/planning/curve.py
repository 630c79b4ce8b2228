"""Power curves as data, and as a picture: one small static SVG, no script, no font, readable in black and white."""

from __future__ import annotations

from dataclasses import dataclass


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
    from medtwin.reports.figures import svg as drawn
    from medtwin.trials.report.figures.power import power

    return drawn.svg(power(figure, float(width), float(height)), "power") + "\n"
