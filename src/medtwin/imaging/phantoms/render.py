"""A heart on a grid of voxels: each voxel is the mean of what lies in it, before any scanner blurs it.

Large bodies have edges as wide as a voxel. Around vessels each voxel is cut into ``FINE``³ parts that are lumen, calcium, wall or
whatever is around; a curved vessel is taken as straight within a voxel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from medtwin.imaging.phantoms.heart import Body, Heart
from medtwin.imaging.phantoms.vessels import Vessel, lumen
from medtwin.imaging.volume import Volume

Array = NDArray[np.float64]
FINE = 4
REACH = 1.2  #: mm beyond the reference radius that is looked at
SLEEVE = 2.5  #: mm around arteries where no chamber is


@dataclass(frozen=True)
class Contrast:
    """CT numbers, HU. Lumen falls by ``fall`` per mm along a vessel."""

    aorta: float = 420.0
    left: float = 400.0
    right: float = 220.0
    muscle: float = 110.0
    fat: float = -90.0
    lung: float = -850.0
    vein: float = 150.0
    wall: float = 45.0
    calcium: float = 1200.0
    fall: float = 0.5  #: HU per mm
    thickness: float = 0.25  #: mm, of a healthy wall


@dataclass(frozen=True)
class Scene:
    """What was rendered: object and truth, on one grid."""

    objects: Volume  #: HU without scanner
    calcium: NDArray[np.float32]  #: (i, j, k), HU that calcium adds
    mask: NDArray[np.bool_]  #: coronary lumen, half of the voxel or more


def render(heart: Heart, contrast: Contrast, frame: Volume, *, background: float | None = None) -> Scene:
    """Render a heart on the grid of ``frame`` (its values are not read); ``background`` instead of lung."""
    shape = frame.values.shape
    values = np.full(shape, contrast.lung if background is None else background, np.float32)
    grid = Volume(values, frame.origin, frame.spacing, frame.direction)
    near = _near(heart, frame)
    for body in heart.bodies:
        _paint(grid, body, float(getattr(contrast, body.contrast)), near)
    for vein in heart.veins:
        place, at, _, u, v = _around(vein, grid)
        share = np.empty(len(at))
        for begin in range(0, len(at), 50_000):
            cut = slice(begin, begin + 50_000)
            share[cut] = (np.hypot(u[cut], v[cut]) < vein.reference[at[cut]][:, None]).mean(1)
        values[place] = (1.0 - share) * values[place] + share * contrast.vein
    total = [np.zeros(shape, np.float32) for _ in range(4)]  # lumen, its HU, calcium, wall
    for vessel in heart.vessels:
        place, at, along, u, v = _around(vessel, grid)
        inside, hard, soft = _parts(vessel, at, along, u, v, contrast.thickness)
        run = _from_aorta(heart, vessel) + vessel.arc[at]
        better = inside > total[0][place]
        total[1][place] = np.where(better, contrast.aorta - contrast.fall * run, total[1][place])
        for kind, part in ((0, inside), (2, hard), (3, soft)):
            total[kind][place] = np.maximum(total[kind][place], part)
    aorta = _in_aorta(heart, frame)
    stone = np.minimum(total[2], 1.0 - total[0])
    wall = np.where(aorta, 0.0, np.minimum(total[3], 1.0 - total[0] - stone))
    fraction = np.where(aorta, 0.0, total[0])
    rest = 1.0 - fraction - stone - wall
    added = stone * (contrast.calcium - contrast.wall)
    values[:] = rest * values + fraction * total[1] + (stone + wall) * contrast.wall + added
    return Scene(grid, added.astype(np.float32), fraction >= 0.5)


def _from_aorta(heart: Heart, vessel: Vessel) -> float:
    """mm from the aorta to the begin of a vessel."""
    by_name = {one.name: one for one in heart.vessels}
    run = 0.0
    while vessel.parent is not None:
        run, vessel = run + vessel.parent_at, by_name[vessel.parent]
    return run


def _parts(
    vessel: Vessel, at: NDArray[np.intp], along: Array, u: Array, v: Array, thickness: float
) -> tuple[Array, Array, Array]:
    """Shares of lumen, calcium and wall (with soft plaque) of each voxel."""
    shares = [np.empty(len(at)) for _ in range(3)]
    moved = vessel.centre - vessel.axis
    for begin in range(0, len(at), 20_000):
        cut = slice(begin, begin + 20_000)
        here = at[cut][:, None]
        a, x, y = along[cut], u[cut], v[cut]
        cx = (moved * vessel.first).sum(1)[here]
        cy = (moved * vessel.second).sum(1)[here]
        open_ = lumen(vessel, here, a, x - cx, y - cy)
        distance = np.hypot(x, y)
        outer = vessel.reference[here] + thickness
        hard = np.zeros_like(open_)
        for one in vessel.lesions:
            if one.plaque != "calcified":
                continue
            arc = vessel.arc[here] + a
            turned = np.cos(np.arctan2(y, x) - one.angle - np.pi)
            thick = (distance > 0.55 * outer) & (distance < outer) & (turned > np.cos(np.radians(55.0)))
            hard |= thick & (np.abs(arc - one.at) < 0.3 * one.length)
        hard &= ~open_
        for share, inside in zip(shares, (open_, hard, (distance < outer) & ~open_ & ~hard), strict=True):
            share[cut] = inside.mean(1)
    return shares[0], shares[1], shares[2]


def _around(vessel: Vessel, grid: Volume) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.intp], Array, Array, Array]:
    """Voxels near a vessel: their indices, the nearest point, and of each part mm along, and in the section's two directions."""
    spacing, shape = grid.spacing, np.asarray(grid.values.shape)
    reach = float(vessel.reference.max()) + REACH
    half = np.ceil(reach / spacing).astype(int)
    box = np.stack(np.meshgrid(*(np.arange(-h, h + 1) for h in half), indexing="ij"), -1).reshape(-1, 3)
    box = box[np.linalg.norm(box * spacing, axis=1) <= reach + spacing.max()]
    seen = np.unique(np.round(grid.index(vessel.axis)).astype(int), axis=0)
    marked = np.zeros(shape, bool)
    for offset in box:
        index = seen + offset
        index = index[((index >= 0) & (index < shape)).all(1)]
        marked[tuple(index.T)] = True
    place = np.nonzero(marked)
    points = grid.world(np.stack(place, 1))
    distance, at = cKDTree(vessel.axis).query(points)
    keep = distance <= vessel.reference[at] + REACH
    place, at, points = tuple(one[keep] for one in place), at[keep], points[keep]
    offsets = (np.stack(np.meshgrid(*[np.arange(FINE)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.5) / FINE - 0.5
    parts = (offsets * spacing) @ grid.direction.T
    from_point = points - vessel.axis[at]
    local = [
        ((from_point * axis[at]).sum(1)[:, None] + axis[at] @ parts.T).astype(np.float32)
        for axis in (vessel.tangent, vessel.first, vessel.second)
    ]
    # beyond the ends there is nothing, except a half step that joins a vessel to its parent
    beyond = ((at == 0) & (local[0].mean(1) < -0.5)) | ((at == len(vessel.arc) - 1) & (local[0].mean(1) > 0.5))
    keep = ~beyond
    return tuple(one[keep] for one in place), at[keep], local[0][keep], local[1][keep], local[2][keep]


def _near(heart: Heart, frame: Volume) -> cKDTree | None:
    lines = [one.axis[::2] for one in heart.vessels]
    return cKDTree(np.concatenate(lines)) if lines else None


def _paint(grid: Volume, body: Body, hu: float, near: cKDTree | None) -> None:
    """One body over what is there; chambers leave a sleeve of muscle around the arteries."""
    ends = np.stack([body.centre, body.centre if body.end is None else body.end])
    reach = body.axes if body.end is None else np.full(3, body.axes[0])
    corners = np.concatenate([ends - reach - 1.0, ends + reach + 1.0])
    low, high = grid.index(corners.min(0)[None])[0], grid.index(corners.max(0)[None])[0]
    begin = np.clip(np.floor(np.minimum(low, high)), 0, None).astype(int)
    end = np.minimum(np.ceil(np.maximum(low, high)).astype(int) + 1, grid.values.shape)
    if (end <= begin).any():
        return
    # the grids of phantoms lie along the patient's axes
    x, y, z = np.ix_(*(grid.origin[d] + grid.spacing[d] * np.arange(begin[d], end[d]) for d in range(3)))
    if body.end is None:
        norm = np.sqrt(sum(((p - c) / a) ** 2 for p, c, a in zip((x, y, z), body.centre, body.axes, strict=True)))
        distance = (norm - 1.0) * float(body.axes.min())
    else:
        way = body.end - body.centre
        length = float(np.linalg.norm(way))
        way = way / length
        p = [q - c for q, c in zip((x, y, z), body.centre, strict=True)]
        along = np.clip(sum(q * w for q, w in zip(p, way, strict=True)), 0.0, length)
        distance = np.sqrt(sum((q - along * w) ** 2 for q, w in zip(p, way, strict=True))) - body.axes[0]
    share = np.clip(0.5 - distance / float(grid.spacing.mean()), 0.0, 1.0).astype(np.float32)
    if body.contrast in ("left", "right") and near is not None:
        place = np.nonzero(share > 0)
        points = np.stack([place[0], place[1], place[2]], 1) + begin
        world = grid.origin + grid.spacing * points
        away, _ = near.query(world, distance_upper_bound=SLEEVE + 4.0)
        share[place] *= np.clip((away - SLEEVE - 1.7) / 0.4, 0.0, 1.0)
    cut = grid.values[tuple(slice(b, e) for b, e in zip(begin, end, strict=True))]
    cut[:] = (1.0 - share) * cut + share * hu


def _in_aorta(heart: Heart, frame: Volume) -> NDArray[np.bool_]:
    empty = Volume(np.zeros(frame.values.shape, np.float32), frame.origin, frame.spacing, frame.direction)
    for body in heart.bodies:
        if body.contrast == "aorta":
            _paint(empty, body, 1.0, None)
    return empty.values > 0.5
