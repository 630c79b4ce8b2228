"""FFR along a tree: the middle, 90 % intervals, what they are made of, and which measurement would narrow them most.

Samples are drawn of five groups that are independent:

- ``geometry``: the radius. Errors of a whole tree (a scanner's point spread, the window), of a segment and of a narrowing, each
  with sd ``radius_sd_mm`` / sqrt(3); where the tree states none, ``RADIUS_SD``, the aim for CT angiography on phantoms.
- ``flow``: resting flow and its split among the outlets.
- ``hyperaemia``: how far the beds open.
- ``pressure``: aortic and venous.
- ``law``: the loss laws. Viscous factor lognormal about 1 with sd 0.1, expansion factor lognormal about 1.52 with sd 0.4,
  loss at a
  branching uniform between 0 and 0.4 of the dynamic pressure (its middle 0). The second is a judgement on disagreeing
  sources: against axisymmetric laminar solutions 1.5 is near the best single value, and a fit on lesions of patients
  multiplied it by
  1.66. The third is a judgement alone.

The budget is the share of variance that goes when a group is put at its middle and the others keep their samples; shares
need not
add up to one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from medtwin.anatomy.vessel_tree import Segment, Tree
from medtwin.applications.coronary.bed import Beds, beds
from medtwin.errors import AnalysisError
from medtwin.physiology import coronary_flow as network
from medtwin.physiology.coronary_flow import Grid, Law

Array = NDArray[np.float64]
GROUPS = ("geometry", "flow", "hyperaemia", "pressure", "law")
MEASUREMENTS = {
    "geometry": "the lumen's size: intravascular imaging, or a sharper scan",
    "flow": "flow at rest: perfusion imaging, or the muscle's mass",
    "hyperaemia": "how far the beds open: flow reserve by perfusion imaging",
    "pressure": "aortic pressure during the test",
    "law": "nothing at the bedside: the loss laws themselves disagree",
}
RADIUS_SD = 0.05  #: mm
THRESHOLD = (
    0.80  #: FFR at or below which a vessel is called flow-limiting (FAME; Tonino et al., N Engl J Med 2009;360:213)
)
BEYOND = 20.0  #: mm after a narrowing at which its FFR is told, or the end of the way there is
LEVEL = 0.9


@dataclass(frozen=True)
class Interval:
    """Middle, 90 % interval, and the chance of 0.80 or less, of an FFR."""

    median: float
    low: float
    high: float
    chance_low: float  #: of FFR <= 0.80


@dataclass(frozen=True)
class Lesion:
    """A narrowing, its severity, and the pressure that it costs."""

    segment: str
    begin: float  #: mm along the segment
    throat: float
    end: float
    diameter_stenosis: float  #: percent, with interval by the radius error
    diameter_interval: tuple[float, float]
    area_stenosis: float
    drop: Interval  #: P(begin) - P(end) over Pa; ``chance_low`` has no meaning here and is nan
    ffr: Interval
    told_at: str  #: where its FFR is told


@dataclass(frozen=True)
class Result:
    """All of one tree; arrays by segment ``(points,)``."""

    tree: Tree
    basis: str
    samples: int
    ffr: tuple[Array, ...]
    low: tuple[Array, ...]
    high: tuple[Array, ...]
    flow: Array  #: (segment, 3): low, median, high, mL/min, hyperaemic
    resting_ratio: tuple[Array, ...] | None  #: Pd/Pa at rest, middle
    reserve: Array | None  #: (segment,) hyperaemic over resting flow, middle
    lesions: tuple[Lesion, ...]
    outlets: dict[str, Interval]
    lowest: str  #: outlet with the lowest FFR
    budget: dict[str, float]  #: of that outlet's FFR
    narrow_by: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Posed:
    """A tree ready to be asked: its grid and samples of all that is not known."""

    tree: Tree
    grid: Grid
    deviates: dict[str, Array]
    pressure: float | None
    factor: float | None


def pose(
    tree: Tree, *, samples: int = 1000, seed: int = 0, pressure: float | None = None, factor: float | None = None
) -> Posed:
    """Draw the samples; the first is the middle of all."""
    if samples < 1:
        raise AnalysisError(f"{samples} samples", expected="at least one")
    rng = np.random.default_rng(seed)
    grid = network.grid(tree)
    shapes = {
        "tree": (samples,), "segment": (len(tree.segments), samples), "narrowing": (max(len(grid.narrowings), 1), samples),
        **dict.fromkeys(("flow", "split", "hyperaemia", "aortic", "venous", "viscous", "expansion", "branching"), (samples,)),
    }  # fmt: skip
    deviates = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    for values in deviates.values():
        values[..., 0] = 0.0
    return Posed(tree, grid, deviates, pressure, factor)


KNOWN_WITH = {
    "geometry": ("tree", "segment", "narrowing"), "flow": ("flow", "split"), "hyperaemia": ("hyperaemia",),
    "pressure": ("aortic", "venous"), "law": ("viscous", "expansion", "branching"),
}  # fmt: skip


def known(posed: Posed, group: str) -> Posed:
    """The same samples, with one group at its middle."""
    held = {name: np.zeros_like(posed.deviates[name]) for name in KNOWN_WITH[group]}
    return replace(posed, deviates={**posed.deviates, **held})


def radii(posed: Posed) -> Array:
    """Radius of each point in each sample, ``(segment, point, sample)``, mm."""
    tree, grid, drawn = posed.tree, posed.grid, posed.deviates
    sd = np.asarray([RADIUS_SD if one.radius_sd is None else one.radius_sd for one in tree.segments]) / np.sqrt(3.0)
    moved = grid.radius[:, :, None] + sd[:, None, None] * (drawn["tree"][None, None] + drawn["segment"][:, None])
    for k, one in enumerate(grid.narrowings):
        moved[one.segment, one.first : one.last + 1] += sd[one.segment] * drawn["narrowing"][k]
    return np.where(grid.radius[:, :, None] > 0, np.maximum(moved, network.SMALLEST), 0.0)


def law(posed: Posed) -> Law:
    """Samples of the loss laws."""
    from scipy.special import ndtr

    drawn, tree = posed.deviates, posed.tree
    branching = 0.4 * ndtr(drawn["branching"])
    return Law(
        viscous=np.exp(0.1 * drawn["viscous"]),
        expansion=1.52 * np.exp(0.4 * drawn["expansion"]),
        branching=np.where(drawn["branching"] == 0.0, 0.0, branching),
        viscosity=tree.viscosity,
        density=tree.density,
    )


def around(posed: Posed) -> Beds:
    """Samples of what lies around the tree."""
    return beds(posed.tree, posed.deviates, pressure=posed.pressure, factor=posed.factor)


def pressures(
    posed: Posed, *, radius: Array | None = None, bed: Array | None = None, resting: bool = False
) -> tuple[Array, Array]:
    """Pressure ``(segment, point, sample)`` over aortic, and flow ``(segment, sample)`` in mL/s.

    ``radius``: others than the tree's own (a stent); ``bed``: resistances that are held instead of flows.
    """
    beds_, grid = around(posed), posed.grid
    lumen, coefficients = jnp.asarray(radii(posed) if radius is None else radius), Law(*map(jnp.asarray, law(posed)))
    aortic, venous = jnp.asarray(beds_.aortic), jnp.asarray(beds_.venous)
    if beds_.flow is not None and bed is None:
        made = network.carrying(grid, lumen, coefficients, jnp.asarray(beds_.flow), aortic)
    else:
        beyond = bed if bed is not None else beds_.resting if resting else beds_.hyperaemic
        assert beyond is not None
        made = network.driven(grid, lumen, coefficients, jnp.asarray(np.nan_to_num(beyond, nan=1.0)), aortic, venous)
    return np.asarray(made.pressure) / beds_.aortic, np.asarray(made.flow)


def analyse(
    tree: Tree, *, samples: int = 1000, seed: int = 0, pressure: float | None = None, factor: float | None = None
) -> Result:
    """FFR along a tree with intervals and their budget.

    Args:
        tree: with pressures and flows, or what tells them (:mod:`medtwin.applications.coronary.bed`).
        samples: of what is not known; 1 gives the middle alone, with intervals of no width.
        seed: of the samples.
        pressure: mean aortic pressure, mmHg, instead of the tree's.
        factor: hyperaemic over resting resistance, where it is known.

    Raises:
        AnalysisError: no pressure or no flow is told.
    """
    posed = pose(tree, samples=samples, seed=seed, pressure=pressure, factor=factor)
    ffr, flow = pressures(posed)
    if (ffr[..., 0] < 0).any():
        raise AnalysisError(
            "stated flows that the tree cannot carry: the pressure falls below zero", expected="flows through this lumen",
            where=tree.label or "the tree",
            remedy="look at the smallest radius, or state resistances or a resting flow instead",
        )  # fmt: skip
    notes = _notes(tree, posed, ffr)
    ffr = np.clip(ffr, 0.0, 1.0)
    rest_ratio, rest_flow = None, None
    if around(posed).resting is not None:
        rest_ratio, rest_flow = pressures(posed, resting=True)
    ends = {tree.segments[place].name: ffr[place, -1] for place in tree.leaves}
    outlets = {name: interval(values) for name, values in ends.items()}
    lowest = min(outlets, key=lambda name: outlets[name].median)
    budget = _budget(posed, tree.place(lowest), ends[lowest])
    points = posed.grid.points
    low, high = np.quantile(ffr, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=-1)
    by_segment = lambda values: tuple(values[k, : points[k]] for k in range(len(points)))  # noqa: E731
    return Result(
        tree=tree,
        basis=around(posed).basis,
        samples=samples,
        ffr=by_segment(np.median(ffr, axis=-1)),
        low=by_segment(low),
        high=by_segment(high),
        flow=np.quantile(flow, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=-1).T * 60.0,
        resting_ratio=None if rest_ratio is None else by_segment(np.median(rest_ratio, axis=-1)),
        reserve=None if rest_flow is None else np.median(flow / rest_flow, axis=-1),
        lesions=_lesions(posed, ffr),
        outlets=outlets,
        lowest=lowest,
        budget=budget,
        narrow_by=MEASUREMENTS[max(budget, key=lambda name: budget[name])] if samples > 1 else "",
        notes=notes,
    )


def interval(values: Array) -> Interval:
    """Middle, 90 % interval and the chance of 0.80 or less, of samples."""
    low, median, high = np.quantile(values, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    return Interval(float(median), float(low), float(high), float((values <= THRESHOLD).mean()))


def _budget(posed: Posed, place: int, values: Array) -> dict[str, float]:
    """Share of an outlet's variance that goes when a group is known."""
    whole = float(values.var())
    if whole == 0.0:
        return dict.fromkeys(GROUPS, 0.0)
    made = {}
    for group in GROUPS:
        other = np.clip(pressures(known(posed, group))[0][place, -1], 0.0, 1.0)
        made[group] = float(np.clip(1.0 - other.var() / whole, 0.0, 1.0))
    return made


def _lesions(posed: Posed, ffr: Array) -> tuple[Lesion, ...]:
    tree, grid = posed.tree, posed.grid
    lumen = radii(posed)
    made = []
    for one in grid.narrowings:
        segment, arc = tree.segments[one.segment], tree.segments[one.segment].arc_length
        inside = lumen[one.segment, one.first : one.last + 1]
        ratio = inside / grid.reference[one.segment, one.first : one.last + 1, None]
        stenosis = 100.0 * (1.0 - ratio.min(0))
        throat = one.first + int(ratio[:, 0].argmin())
        place, point, words = _beyond(tree, one.segment, one.last)
        drop = ffr[one.segment, one.first] - ffr[one.segment, min(one.last + 1, grid.points[one.segment] - 1)]
        low, high = np.quantile(np.clip(stenosis, 0.0, 100.0), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        middle = float(np.clip(stenosis[0], 0.0, 100.0))
        made.append(
            Lesion(
                segment=segment.name,
                begin=_edge(segment, one.first, one.first - 1),
                throat=float(arc[throat]),
                end=_edge(segment, one.last, one.last + 1),
                diameter_stenosis=middle,
                diameter_interval=(float(low), float(high)),
                area_stenosis=100.0 * (1.0 - (1.0 - middle / 100.0) ** 2),
                drop=replace(interval(drop), chance_low=float("nan")),
                ffr=interval(ffr[place, point]),
                told_at=words,
            )
        )
    return tuple(made)


def _edge(segment: Segment, inside: int, outside: int) -> float:
    """Where between two points the lumen passes a tenth under its reference, mm."""
    arc, ratio = segment.arc_length, segment.radius / segment.reference
    if not 0 <= outside < len(arc) or ratio[outside] < 1.0 - network.NARROW:
        return float(arc[inside])
    share = (1.0 - network.NARROW - ratio[inside]) / (ratio[outside] - ratio[inside])
    return float(arc[inside] + share * (arc[outside] - arc[inside]))


def _beyond(tree: Tree, place: int, last: int) -> tuple[int, int, str]:
    """Segment and point ``BEYOND`` mm after a narrowing, down the widest way; or the end of it."""
    way, begin = place, float(tree.segments[place].arc_length[last])
    left = BEYOND
    while True:
        arc = tree.segments[way].arc_length
        if arc[-1] - begin >= left:
            point = int(np.searchsorted(arc, begin + left - 1e-9))
            return way, point, f"{BEYOND:g} mm after it, in {tree.segments[way].name}"
        children = [k for k, one in enumerate(tree.segments) if one.parent == way]
        if not children:
            return (
                way,
                len(arc) - 1,
                f"the end of {tree.segments[way].name}, {BEYOND - left + arc[-1] - begin:.0f} mm after it",
            )
        left -= float(arc[-1] - begin)
        way, begin = max(children, key=lambda k: float(np.median(tree.segments[k].reference))), 0.0


def _notes(tree: Tree, posed: Posed, ffr: Array) -> tuple[str, ...]:
    notes = []
    closed = [one.name for one in tree.segments if (one.radius <= network.SMALLEST).any()]
    if closed:
        notes.append(
            f"{', '.join(closed)}: closed. Collaterals are not in this model; what lies beyond is not fed by it."
        )
    fitted = [one.name for one in tree.segments if not one.stated_reference]
    if fitted:
        notes.append(
            f"Reference radius fitted to the lumen itself in {', '.join(fitted)}: diffuse disease is not seen."
        )
    if all(one.radius_sd is None for one in tree.segments):
        notes.append(f"The tree states no error of its radii: {RADIUS_SD:g} mm is assumed.")
    if (under := float((ffr < 0).any((0, 1)).mean())) > 0:
        notes.append(f"In {under:.1%} of samples the stated flow could not pass: FFR is told as 0 there.")
    return tuple(notes)
