"""The lumen along a traced tree: radius with its standard error, centre, CT number, and what could not be judged.

Three passes of :mod:`medtwin.imaging.radius`: wide sections with a free point spread; all sections with that spread and the
lumen's CT number as the wide ones have it along the way; all again about the centres found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from medtwin.errors import ImageError
from medtwin.imaging import radius as sections
from medtwin.imaging.aorta import Aorta
from medtwin.imaging.blurred_disc import share
from medtwin.imaging.centrelines import Branch
from medtwin.imaging.lumen import MUSCLE
from medtwin.imaging.radius import Sections
from medtwin.imaging.volume import Volume

Array = NDArray[np.float64]
WIDE = 1.25  #: mm, radius from which a section tells the point spread and the lumen's CT number
LEAST_WIDE = 8  #: sections of that width
MIDDLE = 0.33  #: mm, assumed spread where too few are wide
LUMEN_SD = 12.0  #: HU, of a section's lumen about the line along the tree
ALONG = 0.6  #: mm, one standard deviation of the smoothing along the vessel
CLOSED = 0.18  #: mm; a fitted lumen below it on a dark stretch is none
AT_WALL = 0.8  #: mm from the aorta's wall within which a section shows the aorta
OSTIUM = 2.0  #: mm from the wall within which the lumen is not judged: ostial narrowings are not seen
ROOT = 4.0  #: mm from the root within which a lumen far smaller than beyond is the aorta's wall
UNSEEN = 0.3  #: share of judged sections under which an end branch is left out
UNLIKE = 2.5  #: times the tree's usual residual: a section that looks like no vessel
VEIN = 0.42  #: of the brightness that a lumen of that size shows; veins have at most a third in the arterial phase
MOST_OFF = 1.0  #: mm, of a centre from the traced line


@dataclass(frozen=True)
class Point:
    """What holds for the whole tree."""

    spread_plane: float  #: mm, point spread in the axial plane, one standard deviation
    spread_axis: float  #: mm, across it
    lumen: float  #: HU at the root
    fall: float  #: HU per mm
    wide: int  #: sections that told so


@dataclass(frozen=True)
class Measured:
    """A branch with its lumen; arrays ``(n,)``."""

    branch: Branch
    run: Array  #: mm from the root
    points: Array  #: (n, 3), mm, centres of the lumen
    radius: Array  #: mm
    sd: Array  #: mm
    judged: NDArray[np.bool_]  #: False: radius is filled in from beside, or seen through too much calcium
    calcium: Array  #: share of the section
    residual: Array  #: HU
    contrast: Array  #: HU


def measure(
    volume: Volume, branches: list[Branch], hu: float, aorta: Aorta | None = None
) -> tuple[list[Measured], Point]:
    """Measure a tree whose lumen has about ``hu`` HU at its root; what lies in or at the ``aorta`` does not count.

    Raises:
        ImageError: no section is wide enough to learn anything from.
    """
    branches = without_veins(volume, branches, hu)
    runs = _runs(branches)
    points = np.concatenate([one.points for one in branches])
    tangent = np.concatenate([tangents(one.points) for one in branches])
    run = np.concatenate(runs)
    of = np.concatenate([np.full(len(one.points), k) for k, one in enumerate(branches)])
    guess = sections.half_maximum(volume, points, tangent, np.full(len(points), hu))
    free = _foreign(points, tangent, guess, of, aorta)
    wide = np.flatnonzero((guess > WIDE) & (free.mean((1, 2)) < 0.15) & ~np.concatenate([one.dark for one in branches]))
    if len(wide) > 160:
        wide = wide[:: len(wide) // 160 + 1]
    if not len(wide):
        raise ImageError(
            "no vessel wide enough to be measured", expected=f"at least one stretch of more than {WIDE:g} mm radius",
            where="the whole tree", remedy="look at the seed, or at the voxel size",
        )  # fmt: skip
    first = sections.fit(volume, points[wide], tangent[wide], guess[wide], lumen=np.full(len(wide), hu), lumen_sd=80.0,
                         spread=np.full(len(wide), MIDDLE), spread_free=True, excluded=free[wide])  # fmt: skip
    point = _point(first, tangent[wide], run[wide], hu)
    spread = spread_across(point, tangent)
    lumen = np.maximum(point.lumen - point.fall * run, 150.0)
    found = sections.fit(volume, points, tangent, guess, lumen=lumen, lumen_sd=LUMEN_SD, spread=spread, excluded=free)
    moved, size = points.copy(), found.radius.copy()
    for k in range(len(branches)):
        mine = of == k
        good = _good(found, mine, points, aorta)
        shift = np.where(good[:, None], found.centre[mine] - points[mine], 0.0)
        shift = ndimage.gaussian_filter1d(shift, 2.0, axis=0, mode="nearest")
        moved[mine] = points[mine] + shift
        tangent[mine] = tangents(ndimage.gaussian_filter1d(moved[mine], 1.5, axis=0, mode="nearest"))
        size[mine] = ndimage.median_filter(found.radius[mine], 5, mode="nearest")
    size = np.clip(size, 0.4, 4.0)
    free = _foreign(moved, tangent, size, of, aorta)
    found = sections.fit(volume, moved, tangent, size, lumen=lumen, lumen_sd=LUMEN_SD,
                         spread=spread_across(point, tangent), excluded=free)  # fmt: skip
    made = [_along(branch, runs[k], found, of == k, moved, size, branches, aorta) for k, branch in enumerate(branches)]
    return _without_unseen(made), point


def _without_unseen(made: list[Measured]) -> list[Measured]:
    """Without end branches of which hardly a section could be judged: noise, a chamber's rim, a fold of the wall."""
    kept = list(range(len(made)))
    while True:
        ends = [k for k in kept if k and not any(made[j].branch.parent == k for j in kept)]
        out = [k for k in ends if made[k].judged.mean() < UNSEEN and not made[k].branch.dark.any()]
        if not out:
            break
        kept = [k for k in kept if k not in out]
    place = {k: number for number, k in enumerate(kept)}
    return [
        replace(made[k], branch=replace(made[k].branch, parent=None if (up := made[k].branch.parent) is None else place[up]))
        for k in kept
    ]  # fmt: skip


def tangents(points: Array) -> Array:
    """Unit tangents ``(n, 3)`` of a line, over about 2 mm."""
    smooth = ndimage.gaussian_filter1d(points, 1.5, axis=0, mode="nearest") if len(points) > 6 else points
    way = np.gradient(smooth, axis=0)
    return np.asarray(way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9))


def spread_across(point: Point, tangent: Array) -> Array:
    """Point spread, mm, in planes across tangents ``(n, 3)``: the mean of the variances in the plane's two directions."""
    upright = tangent[:, 2] ** 2
    axis = 0.5 * (1.0 - upright)  # how much of the plane lies along the patient's axis
    return np.sqrt((1.0 - axis) * point.spread_plane**2 + axis * point.spread_axis**2)


def _runs(branches: list[Branch]) -> list[Array]:
    made: list[Array] = []
    for one in branches:
        made.append(one.arc + (0.0 if one.parent is None else made[one.parent][one.parent_at]))
    return made


def without_veins(volume: Volume, branches: list[Branch], hu: float) -> list[Branch]:
    """Without end branches that are much darker all along than their size explains: veins, and what noise joins to a vessel."""
    kept = list(range(len(branches)))
    while True:
        ends = [k for k in kept if k and not any(branches[j].parent == k for j in kept)]
        dark = [k for k in ends if _fill(volume, branches[k], hu) < VEIN]
        if not dark:
            break
        kept = [k for k in kept if k not in dark]
    place = {k: number for number, k in enumerate(kept)}
    return [replace(branches[k], parent=None if (above := branches[k].parent) is None else place[above]) for k in kept]


def _fill(volume: Volume, branch: Branch, hu: float) -> float:
    """Median brightness of the middle over what a lumen of that size would show, both above muscle."""
    points = branch.points[min(6, len(branch.points) // 2) :]
    way = tangents(branch.points)[-len(points) :]
    size = sections.half_maximum(volume, points, way, np.full(len(points), hu))
    shown = (volume.sample(points) - MUSCLE) / (hu - MUSCLE)
    return float(np.median(shown / np.maximum(share(np.zeros(len(points)), size, np.full(len(points), MIDDLE)), 0.3)))


def _foreign(
    points: Array, tangent: Array, guess: Array, of: NDArray[np.intp], aorta: Aorta | None
) -> NDArray[np.bool_]:
    """Places of each section that belong to another branch, or to the aorta."""
    at, _, _, rho = sections.grid(points, tangent, guess)
    tree = cKDTree(points)
    count = len(points)
    made = np.zeros(at.shape[:3], bool)
    # only sections with something foreign near are looked at in full
    near = tree.query_ball_point(points, rho[:, -1] + 2.5)
    for k in range(count):
        other = [j for j in near[k] if of[j] != of[k]]
        if not other:
            continue
        other_ = np.asarray(other)
        place = at[k].reshape(-1, 3)
        own = [j for j in near[k] if of[j] == of[k]]
        foreign, which = cKDTree(points[other_]).query(place)
        mine, own_at = cKDTree(points[own]).query(place)
        outside = foreign - guess[other_][which] - 0.35 < 0.0
        closer = foreign - guess[other_][which] < mine - guess[np.asarray(own)][own_at]
        made[k] = (outside & closer).reshape(made.shape[1:])
    if aorta is not None:
        close = np.flatnonzero(aorta.distance(points) < rho[:, -1] + 1.0)
        if len(close):
            made[close] |= (aorta.distance(at[close].reshape(-1, 3)) < AT_WALL).reshape(len(close), *made.shape[1:])
    return made


def _point(first: Sections, tangent: Array, run: Array, hu: float) -> Point:
    """Spread and brightness of the wide sections."""
    keep = (first.radius > 0.9 * WIDE) & (first.contrast > 100.0) & (first.seen > 0.7)
    if keep.sum() < LEAST_WIDE:
        level = float(np.median(first.lumen[keep])) if keep.any() else hu
        return Point(MIDDLE, MIDDLE, level, 0.0, int(keep.sum()))
    square, upright = first.spread[keep] ** 2, tangent[keep, 2] ** 2
    axis = 0.5 * (1.0 - upright)
    # variances in the plane and along the axis, drawn towards each other where one of them is hardly seen
    design = np.stack([1.0 - axis, axis], 1)
    pull = 0.1 * len(square)
    both: Array = np.zeros(2)
    target = float(np.median(square))
    for _ in range(5):
        weight = np.ones(len(square))
        for _ in range(4):
            left = design.T @ (design * weight[:, None]) + pull * np.array([[1.0, -1.0], [-1.0, 1.0]]) * 0.1
            both = np.asarray(
                np.linalg.solve(left + 1e-6 * np.eye(2), design.T @ (square * weight) + 1e-6 * target), float
            )
            miss = square - design @ both
            size = 1.48 * float(np.median(np.abs(miss))) + 1e-6
            weight = 1.0 / np.maximum(np.abs(miss) / size, 1.0)
    plane, axial = (float(np.sqrt(np.clip(x, sections.SPREAD[0] ** 2, sections.SPREAD[1] ** 2))) for x in both)
    level, fall = _line(run[keep], first.lumen[keep])
    return Point(plane, axial, level, fall, int(keep.sum()))


def _line(run: Array, level: Array) -> tuple[float, float]:
    """Robust straight line of the lumen's CT number along the way: at the root, and its fall per mm (never a rise)."""
    weight = np.ones(len(run))
    a, b = float(np.median(level)), 0.0
    for _ in range(8):
        centre = float((weight * run).sum() / weight.sum())
        mean = float((weight * level).sum() / weight.sum())
        spread = float((weight * (run - centre) ** 2).sum()) + 25.0 * 100.0
        b = min(float((weight * (run - centre) * (level - mean)).sum()) / spread, 0.0)
        a = mean - b * centre
        miss = level - a - b * run
        size = 1.48 * float(np.median(np.abs(miss))) + 1.0
        weight = 1.0 / np.maximum(np.abs(miss) / (1.5 * size), 1.0)
    return a, -b


def _good(found: Sections, mine: NDArray[np.bool_], points: Array, aorta: Aorta | None) -> NDArray[np.bool_]:
    off = np.linalg.norm(found.centre[mine] - points[mine], axis=1)
    good = (off < MOST_OFF) & (found.seen[mine] > 0.4) & (found.contrast[mine] > 60.0)
    good &= found.residual[mine] < UNLIKE * np.median(found.residual)
    if aorta is not None:
        good &= aorta.distance(points[mine]) > OSTIUM
    return np.asarray(good)


def _along(
    branch: Branch, run: Array, found: Sections, mine: NDArray[np.bool_], moved: Array, size: Array, branches: list[Branch],
    aorta: Aorta | None,
) -> Measured:  # fmt: skip
    """One branch: what is no good is filled in from beside, then lightly smoothed along the vessel."""
    judged = _good(found, mine, moved, aorta)
    arc = branch.arc
    if branch.parent is not None:
        # within the parent there is no wall of the branch's own
        judged &= arc > _parent_radius(branch, branches, moved, size) + 0.3
    radius, sd = found.radius[mine].copy(), found.sd[mine].copy()
    if aorta is not None and branch.parent is None:
        beyond = judged & (arc > ROOT) & (arc < 2.5 * ROOT)
        if beyond.any():  # the wall of the aorta cuts sections at the ostium
            judged &= (arc > ROOT) | (radius > 0.7 * np.median(radius[beyond]))
    if not judged.any():
        judged_any = np.zeros(len(arc), bool)
        judged_any[-1] = True
        sd = np.maximum(sd, 0.3)
    else:
        judged_any = judged
    place = np.arange(len(arc))
    radius = np.interp(place, place[judged_any], radius[judged_any])
    away = np.abs(place[:, None] - place[judged_any]).min(1)
    sd = np.interp(place, place[judged_any], sd[judged_any]) + 0.04 * away
    weight = 1.0 / sd**2
    step = float(np.median(np.diff(arc)))
    smooth = lambda x: ndimage.gaussian_filter1d(x, ALONG / step, mode="nearest")  # noqa: E731
    radius = smooth(radius * weight) / smooth(weight)
    dark = ndimage.binary_dilation(branch.dark, iterations=2)
    shut = ndimage.binary_opening(dark & (found.radius[mine] < CLOSED), iterations=2)
    radius = np.where(shut, 0.0, radius)
    centre = np.where(judged[:, None], found.centre[mine], moved[mine])
    centre = ndimage.gaussian_filter1d(centre, 1.0, axis=0, mode="nearest")
    return Measured(
        branch, run, centre, radius, sd, judged, found.calcium[mine], found.residual[mine], found.contrast[mine]
    )


def _parent_radius(branch: Branch, branches: list[Branch], moved: Array, size: Array) -> float:
    assert branch.parent is not None
    begin = sum(len(one.points) for one in branches[: branch.parent])
    del moved
    return float(size[begin + branch.parent_at])
