"""Steady flow in a tree of coronary arteries: pressure along every segment, for many samples at once.

Drawing::

    Pa --[segment]--+--[segment]-- bed R_i -- Pv        every segment: viscous loss a Q and expansion loss b Q|Q|
                    +--[segment]-- bed R_i -- Pv

Equations
---------
Loss of a segment::

    dP = k_v 8 pi mu Q Int dx / A(x)²  +  sum over its narrowings of  k_t rho/2 (1/A_s - 1/A_0)² Q|Q|
         +  k_b rho/2 (Q/A_in)²        at its begin, where it leaves another segment

``A_s`` is the narrowing's smallest area, ``A_0`` the reference area there: the expansion term is that of a sudden widening
(Borda-Carnot: Young & Tsai 1973; Seeley & Young 1976). Only the integral of the area enters the viscous term, never a single
length: with a lesion's whole length as that of its throat the loss comes out twice too large. The expansion loss is counted
between the throat and the narrowing's end, in proportion to the way.

Beds: flow through an outlet i is (P_i - Pv) / R_i. Conservation at the branchings and these relations are one system, solved by
Newton's iteration: each loss is linearised about the last flow, and the linear tree is then solved exactly from leaf to
root (of every node the pressure is E + R Q in what flows into it) and from root to leaf. Losses grow with flow, so that there
is one solution; ``ITERATIONS`` leave an error below 1e-9 mmHg in the tests' trees.

FFR (fractional flow reserve; Pijls et al., N Engl J Med 1996;334:1703) is P / Pa at maximal hyperaemia; P is the recovered
pressure, as the losses say; the static pressure inside a throat is lower.

Assumptions
-----------
Steady, Newtonian, rigid walls, fully developed flow outside of narrowings, no collaterals. Losses of branchings (``k_b``) have no
agreed value: 0 unless it is said; reports of reduced models name errors of tens of percent there (arXiv 2508.21165).

Units: mm, mL/s, mmHg, mPa s, kg/m³.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from medtwin.anatomy.vessel_tree import Tree

MMHG = 133.322  #: Pa
NARROW = 0.1  #: a narrowing begins where the radius is a tenth under its reference
SMALLEST = 0.05  #: mm; a lumen below it is an occlusion, and this keeps its resistance finite: next to nothing flows
ITERATIONS = 12


class Narrowing(NamedTuple):
    """A stretch of a segment that is narrower than its reference: indices of points, ends included."""

    segment: int
    first: int
    last: int


class Grid(NamedTuple):
    """A tree as arrays, padded by its longest segment; the padding repeats the last point."""

    parents: tuple[int | None, ...]
    narrowings: tuple[Narrowing, ...]
    arc_length: NDArray[np.float64]  #: (segment, point)
    radius: NDArray[np.float64]
    reference: NDArray[np.float64]
    points: tuple[int, ...]


class Law(NamedTuple):
    """Coefficients of the losses, scalars or one for each sample."""

    viscous: Any = 1.0  #: k_v
    expansion: Any = 1.52  #: k_t; for blunt plugs, Seeley & Young 1976
    branching: Any = 0.0  #: k_b
    viscosity: Any = 3.5  #: mPa s
    density: Any = 1060.0  #: kg/m³


class Flow(NamedTuple):
    """The answer."""

    flow: Float[Array, "segment sample"]  #: mL/s
    pressure: Float[Array, "segment point sample"]  #: mmHg


def grid(tree: Tree) -> Grid:
    """A tree as arrays, with its narrowings."""
    longest = max(len(one.radius) for one in tree.segments)

    def padded(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.pad(values, (0, longest - len(values)), mode="edge")

    return Grid(
        parents=tuple(one.parent for one in tree.segments),
        narrowings=narrowings(tree),
        arc_length=np.stack([padded(one.arc_length) for one in tree.segments]),
        radius=np.stack([padded(one.radius) for one in tree.segments]),
        reference=np.stack([padded(one.reference) for one in tree.segments]),
        points=tuple(len(one.radius) for one in tree.segments),
    )


def narrowings(tree: Tree) -> tuple[Narrowing, ...]:
    """Each stretch in which the radius stays more than ``NARROW`` under its reference, parents' first.

    Two throats in one stretch are two where the lumen between them comes back halfway from the wider throat to the reference.
    """
    found = []
    for place, one in enumerate(tree.segments):
        narrow = one.radius < (1.0 - NARROW) * one.reference
        edges = np.flatnonzero(np.diff(np.concatenate([[False], narrow, [False]]).astype(int)))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            ratio = one.radius[begin:end] / one.reference[begin:end]
            for first, last in _throats(ratio):
                found.append(Narrowing(place, int(begin) + first, int(begin) + last))
    return tuple(found)


def _throats(ratio: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Cut a stretch where it widens again; first and last point of each piece."""
    whole = (0, len(ratio) - 1)
    for place in np.argsort(-ratio[1:-1]) + 1 if len(ratio) > 2 else ():
        left, right = ratio[: place + 1].min(), ratio[place:].min()
        wider = max(left, right)
        if ratio[place] >= wider + 0.5 * (1.0 - wider) and ratio[place] > wider:
            cut = int(place)
            return [
                *_throats(ratio[: cut + 1]),
                *((first + cut, last + cut) for first, last in _throats(ratio[cut:])),
            ]
    return [whole]


def viscous(grid: Grid, radius: Float[Array, "segment point sample"], law: Law) -> Float[Array, "segment point sample"]:
    """Viscous resistance from a segment's begin to each point, mmHg s/mL; exact where the radius is linear between points.

    The integral of 1/r⁴ over a length L in which r goes evenly from r1 to r2 is L (r1² + r1 r2 + r2²) / (3 r1³ r2³).
    """
    lumen = jnp.maximum(radius, SMALLEST)
    one, two = lumen[:, :-1], lumen[:, 1:]
    mean = (one**2 + one * two + two**2) / (3.0 * (one * two) ** 3)
    steps = jnp.diff(jnp.asarray(grid.arc_length), axis=1)[:, :, None] * mean / jnp.pi**2
    along = jnp.concatenate([jnp.zeros_like(lumen[:, :1]), jnp.cumsum(steps, axis=1)], axis=1)
    return jnp.broadcast_to(law.viscous * 8.0 * jnp.pi * law.viscosity / MMHG, lumen.shape[-1:])[None, None] * along


def expansion(
    grid: Grid, radius: Float[Array, "segment point sample"], law: Law
) -> Float[Array, "segment point sample"]:
    """Coefficient of Q|Q| from a segment's begin to each point, mmHg s²/mL²."""
    scale = 0.5 * law.density / MMHG  # (1/mm²)² (mL/s)² is 1e12 m⁻⁴ times 1e-12 m⁶/s²
    area = jnp.pi * jnp.maximum(radius, SMALLEST) ** 2
    along = jnp.zeros_like(area)
    points = np.arange(area.shape[1])
    for one in grid.narrowings:
        inside = area[one.segment, one.first : one.last + 1]
        reference = np.pi * grid.reference[one.segment, one.first : one.last + 1, None] ** 2
        at = jnp.argmin(inside / reference, axis=0)
        throat, healthy = jnp.take_along_axis(inside, at[None], 0)[0], jnp.asarray(reference[:, 0])[at]
        loss = (
            jnp.broadcast_to(law.expansion * scale, throat.shape) * jnp.maximum(1.0 / throat - 1.0 / healthy, 0.0) ** 2
        )
        places = jnp.asarray(grid.arc_length[one.segment])
        begin, end = places[one.first + at], places[min(one.last + 1, grid.points[one.segment] - 1)]
        way = jnp.clip((places[:, None] - begin[None]) / jnp.maximum(end - begin, 1e-9)[None], 0.0, 1.0)
        share = jnp.where(points[:, None] > one.last, 1.0, way)
        last = (
            points[:, None] >= grid.points[one.segment] - 1
        )  # what is not regained inside belongs to the segment's end
        along = along.at[one.segment].add(loss[None] * jnp.where(last, 1.0, share))
    if any(parent is not None for parent in grid.parents):
        leaves = jnp.asarray([0.0 if parent is None else 1.0 for parent in grid.parents])[:, None]
        coefficient = jnp.broadcast_to(law.branching * scale, area.shape[-1:])[None]
        along = along + (coefficient * leaves / area[:, 0] ** 2)[:, None]
    return along


@partial(jax.jit, static_argnames=("parents",))
def solve(
    parents: tuple[int | None, ...],
    linear: Float[Array, "segment sample"],
    square: Float[Array, "segment sample"],
    bed: Float[Array, "segment sample"],
    aortic: Float[Array, " sample"],
    venous: Float[Array, " sample"],
) -> Float[Array, "segment sample"]:
    """Flow through each segment, mL/s; ``bed`` is the resistance beyond a leaf and not read elsewhere. Differentiable."""
    children: list[list[int]] = [
        [k for k, parent in enumerate(parents) if parent == place] for place in range(len(parents))
    ]

    def newton(flow: Array, _: Any) -> tuple[Array, None]:
        size = jnp.abs(flow)
        slope, offset = linear + 2.0 * square * size, -square * flow * size
        source: list[Any] = [None] * len(parents)
        resistance: list[Any] = [None] * len(parents)
        for place in reversed(range(len(parents))):
            if children[place]:
                conductance = sum(1.0 / resistance[k] for k in children[place])
                below = 1.0 / conductance
                level = below * sum(source[k] / resistance[k] for k in children[place])
            else:
                below, level = bed[place], venous
            source[place] = level + offset[place]
            resistance[place] = below + slope[place]
        pressure: list[Any] = [None] * len(parents)
        made: list[Any] = [None] * len(parents)
        for place, parent in enumerate(parents):
            above = aortic if parent is None else pressure[parent]
            made[place] = (above - source[place]) / resistance[place]
            pressure[place] = above - slope[place] * made[place] - offset[place]
        return jnp.stack(made), None

    return jax.lax.scan(newton, jnp.zeros_like(linear), None, length=ITERATIONS)[0]


@partial(jax.jit, static_argnames=("parents",))
def pressures(
    parents: tuple[int | None, ...],
    along_linear: Float[Array, "segment point sample"],
    along_square: Float[Array, "segment point sample"],
    flow: Float[Array, "segment sample"],
    aortic: Float[Array, " sample"],
) -> Float[Array, "segment point sample"]:
    """Recovered pressure at each point, mmHg, of known flows."""
    drop = along_linear * flow[:, None] + along_square * (flow * jnp.abs(flow))[:, None]
    made: list[Any] = []
    for place, parent in enumerate(parents):
        above = aortic if parent is None else made[parent][-1]
        made.append(above[None] - drop[place])
    return jnp.stack(made)


@eqx.filter_jit
def driven(grid: Grid, radius: Array, law: Law, bed: Array, aortic: Array, venous: Array) -> Flow:
    """Flow and pressure of a tree whose beds are known: ``radius`` (segment, point, sample), ``bed`` (segment, sample)."""
    linear, square = viscous(grid, radius, law), expansion(grid, radius, law)
    flow = solve(grid.parents, linear[:, -1], square[:, -1], bed, aortic, venous)
    return Flow(flow, pressures(grid.parents, linear, square, flow, aortic))


@eqx.filter_jit
def carrying(grid: Grid, radius: Array, law: Law, outlets: Array, aortic: Array) -> Flow:
    """The same where what leaves each outlet is known: ``outlets`` (segment, sample), mL/s, 0 where a segment has children."""
    linear, square = viscous(grid, radius, law), expansion(grid, radius, law)
    flow = through_outlets(grid.parents, outlets)
    return Flow(flow, pressures(grid.parents, linear, square, flow, aortic))


def through_outlets(
    parents: tuple[int | None, ...], outlets: Float[Array, "segment sample"]
) -> Float[Array, "segment sample"]:
    """Flow of each segment from those that leave at the leaves (0 elsewhere)."""
    flow = [outlets[place] for place in range(len(parents))]
    for place in reversed(range(len(parents))):
        parent = parents[place]
        if parent is not None:
            flow[parent] = flow[parent] + flow[place]
    return jnp.stack(flow)
