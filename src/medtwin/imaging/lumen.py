"""Contrast-filled thin structures that hang on the aorta: the coronary lumen, before anything is measured.

Thick structures (aorta, chambers, great veins) are what an opening with a ball of ``THICK`` mm leaves of the bright voxels; thin
ones are the rest. Coronary arteries are those thin components that touch the aorta, and further ones that continue an
end across a narrowing too dark to be seen. Work is done on coarse voxels where that is enough; only boxes around the vessels
are full.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from medtwin.errors import ImageError
from medtwin.imaging.aorta import Aorta
from medtwin.imaging.volume import Volume

Array = NDArray[np.float64]
THICK = 4.1  #: mm, radius; coronary arteries are thinner
SMOOTH = 0.3  #: mm, one standard deviation, before thresholds
LEVEL = 0.27  #: of the aortic CT number above that of muscle: under half, for what is small loses contrast
CHAMBER = 0.22  #: alike, for thick structures: a right heart that is hardly brighter than muscle is still no artery
MUSCLE = 100.0  #: HU, in the arterial phase
CALCIUM = 250.0  #: HU above the lumen
BRIGHT = 0.42  #: of the tree's CT number above muscle: what a part beyond a gap has at least; veins have less
GAP = 14.0  #: mm, the longest narrowing that is bridged
WIDE_END = 0.6  #: of a part's width, that its end at a gap has
LEAST = 8.0  #: mm, extent of a component that may continue a vessel
MOST, SHORTEST = 5, 25.0  #: components at the aorta that are followed; mm, extent of what may be a coronary tree
OSTIUM = 3.0  #: mm from the aorta's wall within which a coronary artery begins


@dataclass(frozen=True)
class Bridge:
    """A stretch that is not bright enough to be lumen but joins two parts of a vessel; points in mm."""

    begin: Array
    end: Array


@dataclass(frozen=True)
class Lumen:
    """Voxels of one coronary tree."""

    voxels: NDArray[np.intp]  #: (n, 3), indices in the full volume
    root: Array  #: (3,), mm: where it leaves the aorta, or the seed
    level: float  #: HU, that nine tenths of its voxels stay under
    bridges: tuple[Bridge, ...]


@dataclass(frozen=True)
class Thin:
    """All thin bright voxels of a volume."""

    labels: NDArray[np.int32]  #: (i, j, k), component, 0 outside
    threshold: float
    thick: NDArray[np.bool_]  #: on the coarse grid, of ``step`` voxels
    step: NDArray[np.intp]


def thin(volume: Volume, hu: float) -> Thin:
    """Components of thin structures brighter than ``LEVEL`` between muscle and the lumen's ``hu``."""
    threshold = MUSCLE + LEVEL * (hu - MUSCLE)
    smooth = ndimage.gaussian_filter(np.clip(volume.values, -200.0, hu + 150.0), SMOOTH / volume.spacing, truncate=2.5)
    bright = smooth > threshold
    step = np.maximum(np.round(0.8 / volume.spacing).astype(int), 1)
    shape = -(-np.asarray(bright.shape) // step)
    padded = np.pad(smooth, [(0, n * k - m) for n, k, m in zip(shape, step, smooth.shape, strict=True)], mode="edge")
    cut = padded.reshape(shape[0], step[0], shape[1], step[1], shape[2], step[2])
    # smoothed, since one dark voxel of noise would be a hole that no ball fits around
    even = ndimage.gaussian_filter(cut.mean((1, 3, 5), dtype=np.float32), 0.9)
    some = even > MUSCLE + CHAMBER * (hu - MUSCLE)
    size = volume.spacing * step
    core = ndimage.distance_transform_edt(np.pad(some, 1, mode="edge"), sampling=size)[1:-1, 1:-1, 1:-1] > THICK
    thick = ndimage.distance_transform_edt(~core, sampling=size) < THICK + 0.9 if core.any() else core
    whole = np.repeat(np.repeat(np.repeat(thick, step[0], 0), step[1], 1), step[2], 2)
    bright &= ~whole[tuple(slice(0, n) for n in bright.shape)]
    labels, _ = ndimage.label(bright, np.ones((3, 3, 3), bool))
    return Thin(labels.astype(np.int32), threshold, thick, step)


def from_aorta(volume: Volume, aorta: Aorta) -> list[Lumen]:
    """The left and the right coronary tree.

    Raises:
        ImageError: nothing thin and bright leaves the aorta.
    """
    found = thin(volume, aorta.hu)
    parts = _parts(found, volume)
    touching = {}
    for number, voxels in parts.items():
        points = volume.world(voxels)
        away = aorta.distance(points)
        if (away < OSTIUM).sum() >= 6 and float(away.max()) > LEAST / 2 and _extent(points) > LEAST / 2:
            touching[number] = points[away < float(away.min()) + 1.2].mean(0)
    if not touching:
        raise ImageError(
            "no coronary artery that leaves the aorta",
            expected=f"thin vessels above {found.threshold:.0f} HU within {OSTIUM:g} mm of it",
            where="around the ascending aorta", remedy="point at the arteries with --seed x,y,z, one for each",
        )  # fmt: skip
    largest = sorted(touching, key=lambda number: -len(parts[number]))[:MOST]
    grown = _grown(volume, parts, {number: touching[number] for number in largest})
    long = [one for one in grown if _extent(volume.world(one.voxels)) >= SHORTEST]
    return sorted(long, key=lambda one: -len(one.voxels))[:2] or grown[:1]


def from_seeds(volume: Volume, seeds: Array, hu: float) -> list[Lumen]:
    """One tree for each seed ``(n, 3)``, mm, which is its root.

    Raises:
        ImageError: a seed lies in no thin bright structure.
    """
    found = thin(volume, hu)
    parts = _parts(found, volume)
    roots: dict[int, Array] = {}
    for seed in seeds:
        place = {number: float(np.linalg.norm(volume.world(v) - seed, axis=1).min()) for number, v in parts.items()}
        number = min(place, key=lambda one: place[one], default=0)
        if not place or place[number] > 2.0:
            raise ImageError(
                f"a seed at {', '.join(f'{x:.1f}' for x in seed)} mm that lies in no vessel",
                expected=f"a place within 2 mm of a thin vessel above {found.threshold:.0f} HU",
                remedy="coordinates are the patient's: x to the left, y to the back, z to the head, mm",
            )  # fmt: skip
        roots[number] = seed
    return _grown(volume, parts, roots)


def _parts(found: Thin, volume: Volume) -> dict[int, NDArray[np.intp]]:
    """Voxels of each component that is not only noise."""
    flat = np.flatnonzero(found.labels)
    labels = found.labels.ravel()[flat]
    least = int(3.0 / float(np.prod(volume.spacing)))
    order = np.argsort(labels, kind="stable")
    flat, labels = flat[order], labels[order]
    numbers, begins, counts = np.unique(labels, return_index=True, return_counts=True)
    return {
        int(n): np.stack(np.unravel_index(flat[b : b + c], found.labels.shape), 1)
        for n, b, c in zip(numbers, begins, counts, strict=True)
        if c >= least
    }


def _extent(points: Array) -> float:
    return float(np.linalg.norm(np.ptp(points, axis=0)))


def _grown(volume: Volume, parts: dict[int, NDArray[np.intp]], roots: dict[int, Array]) -> list[Lumen]:
    """Trees with what continues them across gaps."""
    trees = {number: [parts[number]] for number in roots}
    bridges: dict[int, list[Bridge]] = {number: [] for number in roots}
    free = {
        number: volume.world(voxels) for number, voxels in parts.items()
        if number not in roots and _extent(volume.world(voxels)) >= LEAST
    }  # fmt: skip
    level = {n: float(np.percentile(volume.values[tuple(v.T)], 90)) for n, v in parts.items()}
    while free:
        joined: dict[tuple[int, int], Bridge] = {}
        for root, voxels in trees.items():
            mine = volume.world(np.concatenate(voxels))
            near = cKDTree(mine)
            for number, other in free.items():
                if level[number] < MUSCLE + BRIGHT * (level[root] - MUSCLE):
                    continue  # a vein
                if (bridge := _joined(mine, near, other)) is not None:
                    joined[root, number] = bridge
        if not joined:
            break
        # the shortest first, whichever tree it belongs to
        root, number = min(joined, key=lambda one: float(np.linalg.norm(joined[one].end - joined[one].begin)))
        bridges[root].append(joined[root, number])
        trees[root].append(parts[number])
        free.pop(number)
    return [Lumen(np.concatenate(trees[n]), roots[n], level[n], tuple(bridges[n])) for n in roots]


def _joined(mine: Array, near: cKDTree, other: Array) -> Bridge | None:
    """A bridge to another component, where that continues an end of this one."""
    distance, at = near.query(other, distance_upper_bound=GAP)
    if not np.isfinite(distance).any():
        return None
    closest = int(np.argmin(distance))
    end, begin = other[closest], mine[at[closest]]
    way = end - begin
    length = float(np.linalg.norm(way))
    if length < 1e-6 or (
        length > 2.5
        and _crowd(other, end[None])[0]
        < WIDE_END * np.percentile(_crowd(other, other[:: max(len(other) // 200, 1)]), 90)
    ):
        return None  # a vessel goes on with its wide end
    ahead = _direction(other, end)
    behind = -_direction(mine, begin)
    if length <= 2.5:
        straight = float(ahead @ behind) > 0.0
    else:
        straight = min(float(ahead @ way), float(behind @ way)) / length > 0.7
    return Bridge(begin, end) if straight else None


def _crowd(points: Array, at: Array) -> Array:
    """How many points lie ahead of and behind each place within 3 mm; at an end half of it is missing, which is made up for."""
    tree = cKDTree(points)
    count = tree.query_ball_point(at, 3.0, return_length=True)
    return np.asarray(count * (2.0 if len(at) == 1 else 1.0), float)


def _direction(points: Array, end: Array) -> Array:
    """Unit vector from an end into what lies within 6 mm of it."""
    close = points[np.linalg.norm(points - end, axis=1) < 6.0]
    way = close.mean(0) - end
    return np.asarray(way / max(float(np.linalg.norm(way)), 1e-9))
