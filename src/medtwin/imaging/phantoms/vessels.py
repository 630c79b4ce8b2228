"""Vessels of a phantom: a centreline, a radius without disease, lesions, and what follows from them.

A lesion narrows the lumen to ``(1 - severity w(s))`` of the reference radius, the radius being that of a circle of equal
area; ``w`` is one of :data:`PROFILES` along the lesion's length, 1 at its throat. The lumen may leave the vessel's axis
(``eccentricity``), and
may be an ellipse or a disc that a chord cuts (``section``), always with the same area. What lumen loses is plaque: soft, or with
a deposit of calcium on the side where the plaque is thick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

Array = NDArray[np.float64]
STEP = 0.25  #: mm between points of a centreline
CUT, ELLIPSE = 0.25, 1.6  #: chord's distance over radius; longer over shorter axis, both at the throat


def _ramp(x: Array, width: float) -> Array:
    """1 within, falling to 0 over the last ``width`` of the half length."""
    return np.clip((1.0 - np.abs(x)) / width, 0.0, 1.0)


def _smooth(x: Array) -> Array:
    return x * x * (3.0 - 2.0 * x)


PROFILES: dict[str, Callable[[Array], Array]] = {
    "cosine": lambda x: np.where(np.abs(x) < 1.0, 0.5 * (1.0 + np.cos(np.pi * x)), 0.0),
    "trapezoid": lambda x: _ramp(x, 0.5),
    "abrupt": lambda x: _smooth(_ramp(x, 0.25)),
    "skewed": lambda x: _smooth(np.clip(np.where(x < 0.5, (x + 1.0) / 1.5, (1.0 - x) / 0.5), 0.0, 1.0)),
}
SECTIONS = ("circle", "ellipse", "cut")
PLAQUES = ("soft", "calcified")


@dataclass(frozen=True)
class Lesion:
    """A narrowing of one vessel; lengths in mm along it."""

    at: float  #: the middle
    length: float
    severity: float  #: of diameter, 0 to 1; 1 is an occlusion
    profile: str = "cosine"
    section: str = "circle"
    plaque: str = "soft"
    eccentricity: float = 0.0  #: 0 on the axis, 1 at the wall
    angle: float = 0.0  #: rad, side to which the lumen is pushed, from the outward normal

    def weight(self, arc: Array) -> Array:
        """How far the lesion is developed at each place, 0 to 1."""
        return PROFILES[self.profile](2.0 * (arc - self.at) / self.length)


@dataclass(frozen=True)
class Vessel:
    """One vessel from its begin to its end, not cut at its branches. Arrays ``(points,)``, mm; ``axis`` is ``(points, 3)``."""

    name: str
    parent: str | None
    parent_at: float  #: mm along the parent
    axis: Array
    reference: Array
    outward: Array  #: (points, 3): away from the heart
    lesions: tuple[Lesion, ...] = ()

    arc: Array = field(init=False)
    tangent: Array = field(init=False)
    first: Array = field(init=False)  #: unit normals of the section
    second: Array = field(init=False)
    radius: Array = field(init=False)  #: of equal area
    centre: Array = field(init=False)  #: (points, 3): centroid of the lumen
    ratio: Array = field(init=False)  #: of the ellipse's axes
    chord: Array = field(init=False)  #: its distance over the disc's radius; 1 cuts nothing
    side: Array = field(init=False)  #: rad, to which the lumen is pushed

    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        steps = np.linalg.norm(np.diff(self.axis, axis=0), axis=1)
        arc = np.concatenate([[0.0], np.cumsum(steps)])
        tangent = np.gradient(self.axis, arc, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        first = self.outward - (self.outward * tangent).sum(1, keepdims=True) * tangent
        first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
        second = np.cross(tangent, first)
        openness, ratio, chord = np.ones(len(arc)), np.ones(len(arc)), np.ones(len(arc))
        push, side = np.zeros(len(arc)), np.zeros(len(arc))
        for one in self.lesions:
            weight = one.weight(arc)
            narrowed = 1.0 - one.severity * weight
            here = narrowed < openness
            openness = np.minimum(openness, narrowed)
            if one.section == "ellipse":
                ratio = np.where(here, 1.0 + (ELLIPSE - 1.0) * weight, ratio)
            if one.section == "cut":
                chord = np.where(here, 1.0 - (1.0 - CUT) * weight, chord)
            push = np.where(here, one.eccentricity, push)
            side = np.where(here, one.angle, side)
        shift = push * (1.0 - openness) * self.reference
        toward = np.cos(side)[:, None] * first + np.sin(side)[:, None] * second
        for name, value in (
            ("arc", arc), ("tangent", tangent), ("first", first), ("second", second), ("radius", openness * self.reference),
            ("centre", self.axis + shift[:, None] * toward), ("ratio", ratio), ("chord", chord), ("side", side),
        ):  # fmt: skip
            put(name, value)

    @property
    def length(self) -> float:
        return float(self.arc[-1])


def kept(chord: Array) -> Array:
    """Share of a disc's area that a chord at ``chord`` radii from its centre leaves."""
    return 1.0 - (np.arccos(chord) - chord * np.sqrt(1.0 - chord**2)) / np.pi


def lumen(vessel: Vessel, at: NDArray[np.intp], along: Array, u: Array, v: Array) -> NDArray[np.bool_]:
    """Whether places are in the lumen.

    Args:
        vessel: of which.
        at: number of the nearest point.
        along: mm from that point along the tangent.
        u, v: mm from that point's lumen centre, along the section's normals; shapes broadcast with ``at``.
    """
    slope = np.gradient(vessel.radius, vessel.arc)
    radius = np.maximum(vessel.radius[at] + slope[at] * along, 0.0)
    c, s = np.cos(vessel.side[at]), np.sin(vessel.side[at])
    x, y = c * u + s * v, -s * u + c * v
    stretch = np.sqrt(vessel.ratio[at])
    chord = vessel.chord[at]
    disc = radius / np.sqrt(kept(chord))
    # the removed cap lies at the far side of the push; the centroid moves the other way
    moved = (2.0 / 3.0) * (1.0 - chord**2) ** 1.5 / (np.pi * kept(chord)) * disc
    x = x + moved
    return np.asarray(((x * stretch) ** 2 + (y / stretch) ** 2 < disc**2) & (x > -chord * disc) & (radius > 0.02))


def curve(waypoints: Array, step: float = STEP) -> Array:
    """A smooth line through points ``(n, 3)``, even in arc length, ``(m, 3)``."""
    along = np.concatenate([[0.0], np.cumsum(np.sqrt(np.linalg.norm(np.diff(waypoints, axis=0), axis=1)))])
    spline = make_interp_spline(along, waypoints, k=min(3, len(waypoints) - 1))
    fine = spline(np.linspace(0.0, along[-1], 4000))
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    even = np.linspace(0.0, arc[-1], max(round(arc[-1] / step) + 1, 2))
    return np.stack([np.interp(even, arc, x) for x in fine.T], 1)
