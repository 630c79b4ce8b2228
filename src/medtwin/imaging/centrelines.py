"""Centrelines by minimal paths inside the lumen's voxels.

Voxels are a graph of 26 neighbours; a step costs its length over ``((0.15 + d/1 mm) b)²``, d the distance to the lumen's
border and
b the brightness between muscle and lumen, so that the cheapest way keeps to the middle of what is bright; calcium and the
voxels around it count as dark. From the root the geodesically farthest voxel is reached first; each further branch is the
voxel that lies farthest from all branches there are, until none is ``SHORTEST`` mm beyond them. (Distance transforms serve to
find the way, never to measure the radius.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.interpolate import make_smoothing_spline
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from medtwin.imaging.aorta import Aorta
from medtwin.imaging.lumen import CALCIUM, MUSCLE, Lumen
from medtwin.imaging.volume import Volume

Array = NDArray[np.float64]
SHORTEST = 5.0  #: mm
STEP = 0.5  #: mm between points
MOST = 40  #: branches of a tree
OSTIUM_REACH = 7.0  #: mm, the longest way to the aorta's wall


@dataclass(frozen=True)
class Branch:
    """A way from its begin on the parent to an end; points ``(n, 3)``, mm, the first lies on the parent's line."""

    points: Array
    parent: int | None
    parent_at: int  #: number of the parent's point
    dark: NDArray[np.bool_]  #: (n,) points on a bridge: no lumen was seen there

    @property
    def arc(self) -> Array:
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.points, axis=0), axis=1))])


def trace(volume: Volume, lumen: Lumen) -> list[Branch]:
    """Branches, parents first."""
    nodes, cost, graph, bridged = _graph(volume, lumen)
    points = nodes
    root = int(np.argmin(np.linalg.norm(points - lumen.root, axis=1)))
    width, length = cost
    raw: list[tuple[list[int], int | None, int]] = []
    on_path = np.zeros(len(points), bool)
    on_path[root] = True
    owner: dict[int, tuple[int, int]] = {}
    sources = [root]
    while len(raw) < MOST:
        away = csgraph.dijkstra(length, indices=sources, min_only=True)
        away[~np.isfinite(away)] = -1.0
        if raw:
            on = np.flatnonzero(on_path)
            distance, at = cKDTree(points[on]).query(points)
            away[distance < 1.6 * width[on][at] + 0.8] = -1.0
        far = int(np.argmax(away))
        if away[far] < (SHORTEST + (float(width[on_path].max()) if raw else 0.0)):
            break
        _, before, _ = csgraph.dijkstra(graph, indices=sources, min_only=True, return_predecessors=True)
        way = [far]
        while before[way[-1]] >= 0:
            way.append(int(before[way[-1]]))
        way.reverse()
        parent, at_parent = owner.get(way[0], (None, 0)) if raw else (None, 0)
        number = len(raw)
        raw.append((way, parent, at_parent))
        for place, node in enumerate(way):
            owner.setdefault(node, (number, place))
        on_path[way] = True
        sources = [int(x) for x in np.flatnonzero(on_path)]
    return _smoothed(points, raw, bridged)


def to_wall(branches: list[Branch], aorta: Aorta) -> list[Branch]:
    """The same branches, the first one led on from its first millimetres to the aorta's wall."""
    first = branches[0]
    arc = first.arc
    begin, beyond = (int(np.searchsorted(arc, x)) for x in (2.0, 4.5))
    if beyond >= len(arc) - 1 or any(one.parent == 0 and one.parent_at <= begin for one in branches):
        return branches
    way = first.points[begin] - first.points[beyond]
    way = way / np.linalg.norm(way)
    points = [first.points[begin]]
    for _ in range(int(OSTIUM_REACH / STEP)):  # bent towards the wall, since vessels may leave along it
        inward = aorta.inward(points[-1])
        way = 0.75 * way + 0.25 * inward
        way = way / np.linalg.norm(way)
        points.append(points[-1] + STEP * way)
    line = np.stack(points[1:])
    outside = aorta.distance(line) > 0.0
    count = int(np.argmin(aorta.distance(line))) + 1 if outside.all() else int(np.argmin(outside)) + 1
    new = np.concatenate([line[:count][::-1], first.points[begin:]])
    shift = count - begin
    made = [replace(first, points=new, dark=np.concatenate([np.zeros(count, bool), first.dark[begin:]]))]
    return made + [replace(one, parent_at=one.parent_at + shift) if one.parent == 0 else one for one in branches[1:]]


def _graph(
    volume: Volume, lumen: Lumen
) -> tuple[Array, tuple[Array, sparse.csr_matrix], sparse.csr_matrix, NDArray[np.bool_]]:
    """Points of the nodes, (distance to the border, graph of lengths), graph of costs, and which nodes are a bridge's."""
    low = np.maximum(lumen.voxels.min(0) - 2, 0)
    box = np.zeros(lumen.voxels.max(0) - low + 3, bool)
    box[tuple((lumen.voxels - low).T)] = True
    here = volume.values[tuple(slice(a, a + n) for a, n in zip(low, box.shape, strict=True))]
    hard = np.zeros(box.shape, bool)
    hard[tuple(slice(0, n) for n in here.shape)] = here > lumen.level + CALCIUM
    width_box = ndimage.distance_transform_edt(box & ~hard, sampling=volume.spacing)
    number = np.full(box.shape, -1, np.int64)
    index = np.argwhere(box)
    number[tuple(index.T)] = np.arange(len(index))
    points = volume.world(index + low)
    width = width_box[tuple(index.T)]
    rows, columns = [], []
    for offset in [(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1) if (a, b, c) > (0, 0, 0)]:
        other = number[tuple((index + offset).T)]
        rows.append(np.flatnonzero(other >= 0))
        columns.append(other[other >= 0])
    row, column = np.concatenate(rows), np.concatenate(columns)
    bridged = np.zeros(len(points), bool)
    tree = cKDTree(points)
    for one in lumen.bridges:
        begin, end = int(tree.query(one.begin)[1]), int(tree.query(one.end)[1])
        count = max(int(np.linalg.norm(one.end - one.begin) / STEP), 1)
        inner = one.begin + (one.end - one.begin) * (np.arange(1, count) / count)[:, None]
        chain = np.array([begin, *range(len(points), len(points) + len(inner)), end])
        points, width = np.concatenate([points, inner]), np.concatenate([width, np.full(len(inner), 0.2)])
        bridged = np.concatenate([bridged, np.ones(len(inner), bool)])
        row, column = np.concatenate([row, chain[:-1]]), np.concatenate([column, chain[1:]])
    length = np.linalg.norm(points[row] - points[column], axis=1) + 1e-9
    bright = np.clip((volume.sample(points) - MUSCLE) / (lumen.level - MUSCLE), 0.05, 1.0)
    bright[: len(index)][ndimage.binary_dilation(hard)[tuple(index.T)]] = 0.1
    price = length / ((0.15 + 0.5 * (width[row] + width[column])) * 0.5 * (bright[row] + bright[column])) ** 2
    shape = (len(points), len(points))
    both = lambda x: sparse.csr_matrix(  # noqa: E731
        (np.concatenate([x, x]), (np.concatenate([row, column]), np.concatenate([column, row]))), shape
    )
    return points, (width, both(length)), both(price), bridged


def _smoothed(points: Array, raw: list[tuple[list[int], int | None, int]], bridged: NDArray[np.bool_]) -> list[Branch]:
    """Smooth lines at even steps; a child begins at a point of its parent's line."""
    made: list[Branch] = []
    for way, parent, at_parent in raw:
        line = points[way]
        at = 0
        if parent is not None:
            above = made[parent].points
            at = int(np.argmin(np.linalg.norm(above - points[raw[parent][0][at_parent]], axis=1)))
            line = np.concatenate([above[at][None], line[1:]]) if len(line) > 1 else np.stack([above[at], line[0]])
        smooth = even(line, 2.0)
        if parent is not None:
            smooth[0] = made[parent].points[at]
        dark = bridged[np.asarray(way)]
        near = cKDTree(points[way]).query(smooth)[1]
        made.append(Branch(smooth, parent, at, dark[near]))
    return made


def even(line: Array, strength: float, step: float = STEP) -> Array:
    """A smoothing spline through a line, at even steps; ``strength`` of the smoothing, mm³ or so."""
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    keep = np.concatenate([[True], np.diff(arc) > 1e-6])
    arc, line = arc[keep], line[keep]
    at = np.linspace(0.0, arc[-1], max(round(arc[-1] / step) + 1, 2))
    if len(arc) < 6:
        return np.stack([np.interp(at, arc, x) for x in line.T], 1)
    smooth = np.stack([make_smoothing_spline(arc, x, lam=strength)(at) for x in line.T], 1)
    again = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1))])
    at = np.linspace(0.0, again[-1], max(round(again[-1] / step) + 1, 2))
    return np.stack([np.interp(at, again, x) for x in smooth.T], 1)
