"""Where the ascending aorta runs: round, bright, even, and in front of the descending aorta.

On a volume of coarse voxels, circles are looked for in each axial slice (Hough transform, scikit-image) and joined from
slice to slice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.feature import canny
from skimage.transform import hough_circle, hough_circle_peaks

from medtwin.errors import ImageError
from medtwin.imaging.volume import Volume

Array = NDArray[np.float64]
COARSE = 1.5  #: mm
RADII = (9.0, 22.0)  #: mm, of an ascending aorta; more is an aneurysm that this does not look for
DIMMEST = 180.0  #: HU; with less there is no contrast to work with
BEHIND = 25.0  #: mm, that the descending aorta at least lies behind the ascending one


@dataclass(frozen=True)
class Aorta:
    """The ascending aorta as circles in axial slices, from head to feet."""

    centres: Array  #: (n, 3), mm
    radii: Array  #: (n,), mm
    hu: float  #: median in its middle
    noise: float  #: HU, one standard deviation there in the volume's own voxels

    def distance(self, points: Array) -> Array:
        """mm outside of the wall, negative within, for points ``(n, 3)``; large above and below."""
        z = self.centres[::-1, 2]
        x, y, r = (np.interp(points[:, 2], z, v[::-1]) for v in (self.centres[:, 0], self.centres[:, 1], self.radii))
        away = np.hypot(points[:, 0] - x, points[:, 1] - y) - r
        step = 2.0 * abs(float(np.median(np.diff(z)))) if len(z) > 1 else 2.0
        outside = np.maximum(np.maximum(z[0] - step - points[:, 2], points[:, 2] - z[-1] - step), 0.0)
        return np.asarray(np.where(outside > 0, np.hypot(np.maximum(away, 0.0), outside), away))

    def inward(self, point: Array) -> Array:
        """Unit vector, in the axial plane, from a point ``(3,)`` towards the middle of the aorta."""
        z = self.centres[::-1, 2]
        middle = np.array([np.interp(point[2], z, v[::-1]) for v in self.centres[:, :2].T])
        way = np.append(middle - point[:2], 0.0)
        return np.asarray(way / max(float(np.linalg.norm(way)), 1e-9))


@dataclass(frozen=True)
class Circle:
    centre: Array
    radius: float
    hu: float


def find(volume: Volume) -> Aorta:
    """The ascending aorta of a volume whose third axis points to the head.

    Raises :class:`ImageError` where none is found: no contrast, or not covered.
    """
    coarse = volume.coarse(COARSE)
    chains: list[list[Circle]] = []
    for k in range(coarse.values.shape[2] - 1, -1, -1):
        open_ = [
            chain for chain in chains if chain[-1].centre[2] <= coarse.world(np.array([[0, 0, k]]))[0, 2] + 3.2 * COARSE
        ]
        for circle in _circles(coarse, k):
            best = [chain for chain in open_ if _continues(chain[-1], circle)]
            if best:
                chain = min(best, key=lambda one: float(np.linalg.norm(one[-1].centre - circle.centre)))
                if chain[-1].centre[2] > circle.centre[2] + 1e-6:
                    chain.append(circle)
            else:
                chains.append([circle])
    long = [chain for chain in chains if chain[0].centre[2] - chain[-1].centre[2] >= 12.0 and len(chain) >= 6]
    if not long:
        raise ImageError(
            "no ascending aorta", expected=f"a round vessel of {RADII[0]:g} to {RADII[1]:g} mm radius above {DIMMEST:g} HU",
            where="the upper part of the volume",
            remedy="look at the contrast and at what is covered, or point at a coronary artery with --seed x,y,z",
        )  # fmt: skip
    hu = {id(chain): float(np.median([one.hu for one in chain])) for chain in long}
    back = {id(chain): float(np.median([one.centre[1] for one in chain])) for chain in long}
    brightest = max(hu.values())
    likely = [chain for chain in long if hu[id(chain)] > 0.8 * brightest]
    front = min(back[id(chain)] for chain in likely)
    likely = [chain for chain in likely if back[id(chain)] < front + BEHIND]
    chain = max(likely, key=lambda one: (one[0].centre[2] - one[-1].centre[2]) * hu[id(one)])
    centres = np.stack([one.centre for one in chain])
    radii = np.asarray([one.radius for one in chain])
    level, noise = _inner(volume, centres, radii)
    return Aorta(centres, radii, level, noise)


def _circles(coarse: Volume, k: int) -> list[Circle]:
    """Bright, even circles in one slice."""
    plane = np.clip(coarse.values[:, :, k], -100.0, 700.0)
    if (plane > DIMMEST).sum() < 20:
        return []
    spacing = float(coarse.spacing[0])
    edges = canny(plane, sigma=1.0, low_threshold=20.0, high_threshold=50.0)
    sizes = np.arange(int(RADII[0] / spacing), int(np.ceil(RADII[1] / spacing)) + 1)
    if not edges.any() or 2 * sizes[0] >= min(plane.shape):
        return []
    strength, x, y, r = hough_circle_peaks(hough_circle(edges, sizes), sizes, min_xdistance=4, min_ydistance=4,
                                           num_peaks=8, total_num_peaks=8)  # fmt: skip
    made = []
    i, j = np.ogrid[: plane.shape[0], : plane.shape[1]]
    for power, cj, ci, size in zip(strength, x, y, r, strict=True):
        inside = (i - ci) ** 2 + (j - cj) ** 2 <= (0.75 * size) ** 2
        values = plane[inside]
        level = float(np.median(values))
        if (
            power < 0.4
            or level < DIMMEST
            or float(values.std()) > 0.15 * level
            or len(values) < 0.9 * np.pi * (0.75 * size) ** 2 - 8
        ):
            continue
        made.append(Circle(coarse.world(np.array([[ci, cj, k]]))[0], float(size * spacing), level))
    return made


def _continues(one: Circle, other: Circle) -> bool:
    return (
        float(np.linalg.norm(one.centre[:2] - other.centre[:2])) < 2.6 * COARSE
        and abs(one.radius - other.radius) < 2.2 * COARSE
        and abs(one.hu - other.hu) < 0.15 * one.hu
    )


def _inner(volume: Volume, centres: Array, radii: Array) -> tuple[float, float]:
    """Median and standard deviation, HU, in the middle of the aorta."""
    values = []
    for centre, radius in zip(centres[::2], radii[::2], strict=True):
        reach = 0.6 * radius
        low = np.maximum(np.ceil(volume.index((centre - np.array([reach, reach, 0]))[None])[0]).astype(int), 0)
        high = np.floor(volume.index((centre + np.array([reach, reach, 0]))[None])[0]).astype(int) + 1
        values.append(
            volume.values[low[0] : high[0], low[1] : high[1], int(np.clip(low[2], 0, volume.values.shape[2] - 1))]
        )
    level = float(np.median(np.concatenate([one.ravel() for one in values])))
    noise = float(np.median([one.std() for one in values if one.size > 20] or [0.0]))
    return level, noise
