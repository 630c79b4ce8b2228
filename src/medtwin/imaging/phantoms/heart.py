"""A heart with its great vessels and coronary arteries, drawn from a seed.

Frame: mm, x to the left, y to the back, z to the head; the heart's long axis lies along z, apex down, which is simpler than in
people. Sizes are judgement within the range of adults: reference radii of left main 2.2, anterior descending 1.75,
circumflex 1.6, right
1.75 mm at their begins (near Dodge et al., Circulation 1992;86:232, from memory), each times a lognormal factor of one person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medtwin.imaging.phantoms.vessels import Lesion, Vessel, curve

Array = NDArray[np.float64]
CENTRE, AXES = np.array([0.0, 0.0, -12.0]), np.array([38.0, 36.0, 42.0])  #: of the epicardium
AORTA, AORTA_RADIUS = np.array([-4.0, -4.0]), 13.0
SMALLEST = 0.55  #: mm, reference radius at the end of branches


@dataclass(frozen=True)
class Body:
    """An ellipsoid (``axes``) or a tube (``end``, radius ``axes[0]``) of one CT number."""

    centre: Array
    axes: Array
    contrast: str  #: key of the scan's CT numbers
    end: Array | None = None


@dataclass(frozen=True)
class Heart:
    """What a scan sees."""

    vessels: tuple[Vessel, ...]  #: parents first; those without a parent begin in the aorta
    veins: tuple[Vessel, ...]
    bodies: tuple[Body, ...]  #: later ones over earlier ones


def on_surface(longitude: Array, latitude: Array, lift: float = 1.0) -> Array:
    """Points ``(n, 3)`` on the epicardium, ``lift`` mm outside; degrees, longitude 0 left, -90 front."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    unit = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)
    return CENTRE + unit * (AXES + lift)


def outward(points: Array) -> Array:
    """Unit normals of the ellipsoid through points ``(n, 3)``."""
    normal = (points - CENTRE) / AXES**2
    return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))


def ostium(degrees: float, height: float, inside: float) -> Array:
    """A point of the aorta's wall, ``inside`` mm towards its axis."""
    angle = np.radians(degrees)
    return np.array([*(AORTA + (AORTA_RADIUS - inside) * np.array([np.cos(angle), np.sin(angle)])), height])


def in_aorta(points: Array) -> Array:
    """mm outside of the ascending aorta's wall, negative within, of points ``(n, 3)`` at its height."""
    return np.asarray(np.linalg.norm(points[:, :2] - AORTA, axis=1) - AORTA_RADIUS)


#: name -> (parent, share of the parent's length, waypoints (longitude, latitude), reference radius at begin and end, mm)
PATHS: dict[str, tuple[str | None, float, list[tuple[float, float]], float, float]] = {
    "LAD": ("LM", 1.0, [(-47, 46), (-62, 22), (-72, -8), (-78, -38), (-84, -62)], 1.75, 0.75),
    "LCX": ("LM", 1.0, [(2, 44), (30, 27), (55, 18), (80, 13)], 1.60, 0.80),
    "D1": ("LAD", 0.24, [(-45, 12), (-34, -8), (-26, -28)], 1.05, SMALLEST),
    "D2": ("LAD", 0.45, [(-58, -22), (-48, -40), (-40, -54)], 0.95, SMALLEST),
    "OM1": ("LCX", 0.38, [(20, 8), (14, -12), (10, -32)], 1.15, 0.6),
    "OM2": ("LCX", 0.72, [(52, 0), (46, -18), (42, -34)], 1.0, SMALLEST),
    "AM": ("RCA", 0.52, [(-172, 0), (-160, -20), (-148, -36)], 0.9, SMALLEST),
    "PDA": ("RCA", 1.0, [(112, -10), (104, -32), (100, -54)], 1.05, SMALLEST),
    "PLV": ("RCA", 1.0, [(98, 4), (82, -8), (68, -22)], 1.0, SMALLEST),
}
#: where lesions may be: vessel -> range of the share of its length
PLACES = {"LAD": (0.12, 0.55), "LCX": (0.15, 0.6), "RCA": (0.15, 0.7), "OM1": (0.3, 0.5), "D1": (0.3, 0.5)}
LESION_LENGTHS = (6.0, 16.0)


def heart(rng: np.random.Generator, lesions: dict[str, tuple[Lesion, ...]]) -> Heart:
    """A heart whose vessels have these lesions, by vessel; the same generator state gives the same heart."""
    size = float(np.exp(0.08 * rng.standard_normal()))
    made: dict[str, Vessel] = {}

    def add(name: str, parent: str | None, share: float, way: Array, begin: float, end: float) -> None:
        axis = curve(way)
        shares = np.linspace(0.0, 1.0, len(axis))
        reference = size * (begin + (end - begin) * shares)
        above = made[parent].length * share if parent else 0.0
        made[name] = Vessel(name, parent, above, axis, reference, outward(axis), lesions.get(name, ()))

    turn = rng.uniform(-8.0, 8.0)
    height = 28.0 + rng.uniform(-1.0, 1.0)
    left = [
        ostium(turn - 6.0, height, 3.0),
        ostium(turn - 6.0, height - 0.3, 0.0),
        ostium(turn - 8.0, height - 1.0, -3.5),
    ]
    split = on_surface(np.array([-22.0 + turn]), np.array([57.0]), 1.5)[0]
    add("LM", None, 0.0, np.stack([*left, split]), 2.25, 2.1)
    right = [
        ostium(turn - 105.0, height, 3.0),
        ostium(turn - 106.0, height - 0.5, 0.0),
        ostium(turn - 110.0, height - 2.0, -4.0),
    ]
    around = on_surface(np.array([-128.0, -158.0, -184.0, -208.0, -236.0]), np.array([50.0, 32.0, 20.0, 13.0, 9.0])
                        + 3.0 * rng.standard_normal(5), 1.5)  # fmt: skip
    add("RCA", None, 0.0, np.concatenate([np.stack(right), around]), 1.8, 1.25)
    for name, (parent, share, waypoints, begin, end) in PATHS.items():
        assert parent is not None
        wiggle = 2.0 * rng.standard_normal((len(waypoints), 2))
        lon, lat = (np.asarray(waypoints) + wiggle).T
        above = made[parent]
        share = share if share == 1.0 else float(np.clip(share + 0.04 * rng.standard_normal(), 0.1, 0.9))
        start = above.axis[round(share * (len(above.axis) - 1))]
        begin = min(begin, 0.95 * float(above.reference[round(share * (len(above.axis) - 1))]) / size)
        add(name, parent, share, np.concatenate([start[None], on_surface(lon, lat)]), begin, end)
    return Heart(tuple(made.values()), _veins(), _bodies())


def _veins() -> tuple[Vessel, ...]:
    """The great cardiac vein beside the anterior descending artery, and the coronary sinus beside the circumflex."""
    great = curve(on_surface(np.array([-68, -60, -52.0]) - 16.0, np.array([-50, -15, 15.0]), 1.0))
    sinus = curve(on_surface(np.array([20, 50, 80.0]), np.array([36, 27, 22.0]), 0.5))
    return (
        Vessel("great cardiac vein", None, 0.0, great, np.full(len(great), 1.4), outward(great)),
        Vessel("coronary sinus", None, 0.0, sinus, np.full(len(sinus), 2.3), outward(sinus)),
    )


def _bodies() -> tuple[Body, ...]:
    at = lambda *x: np.array(x, float)  # noqa: E731
    tube = lambda begin, end, radius, contrast: Body(at(*begin), at(radius, 0, 0), contrast, at(*end))  # noqa: E731
    return (
        Body(CENTRE, AXES + 5.0, "fat"),
        tube((-4, -4, 16), (-4, -4, 80), AORTA_RADIUS + 3.0, "fat"),
        Body(CENTRE, AXES, "muscle"),
        Body(at(-17, -8, -14), at(14, 17, 22), "right"),
        Body(at(8, 5, -16), at(26, 25, 33), "muscle"),
        Body(at(8, 5, -16), at(17, 16, 25), "left"),
        Body(at(3, 19, 14), at(16, 11, 9), "left"),
        Body(at(-19, 10, 12), at(12, 12, 10), "right"),
        tube((14, 22, 15), (45, 40, 17), 5.0, "left"),
        tube((-6, 22, 15), (-40, 40, 18), 5.0, "left"),
        tube((2, -20, 10), (14, -22, 80), 10.0, "right"),
        tube((-26, 8, 12), (-26, 8, 80), 8.0, "right"),
        tube((22, 44, -80), (22, 44, 80), 9.0, "aorta"),
        tube((-2, -2, 4), (-4, -4, 20), 11.0, "aorta"),
        tube((-4, -4, 20), (-4, -4, 80), AORTA_RADIUS, "aorta"),
    )
