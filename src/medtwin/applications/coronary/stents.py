"""Virtual stents: which one, or which pair, is worth most, and how sure that is.

A stent replaces the lumen between two places by the reference radius there (or by a stated diameter), less what it leaves of
the
stenosis; the beds keep their hyperaemic resistance, so that flow rises, and what a second lesion costs rises with it. That
interaction is
why serial lesions cannot be judged one by one (De Bruyne et al., Circulation 2000;101:1840), and is told for each lesion:
what FFR a
stent promises from the pull-back alone, and what it gives.

Assumptions: a stent opens fully and evenly; branches that it crosses stay as they are; beds neither recruit nor tire. In
patients FFR after
a stent was 0.03 to 0.04 under what planners told (Bom et al. 2020: 0.85 told, 0.89 measured, limits -0.10 to 0.18).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medtwin.anatomy.vessel_tree import Tree
from medtwin.applications.coronary.flow import Interval, Posed, around, interval, pose, pressures, radii
from medtwin.errors import AnalysisError

Array = NDArray[np.float64]
EDGE = 2.0  #: mm of healthy wall that a stent covers at both ends
STEP = 0.1  #: mm over which the lumen goes from a stent's to the vessel's
MOST = 3  #: lesions stented together in a proposal


@dataclass(frozen=True)
class Stent:
    """From ``begin`` to ``end`` mm; ``diameter`` mm, else the reference there; ``left``: percent stenosis that stays."""

    segment: str
    begin: float
    end: float
    diameter: float | None = None
    left: float = 0.0

    @property
    def words(self) -> str:
        size = "" if self.diameter is None else f", {self.diameter:g} mm"
        return f"{self.segment} {self.begin:.0f} to {self.end:.0f} mm{size}"


@dataclass(frozen=True)
class Option:
    """What a set of stents gives, at the lowest outlet and at each of the others."""

    stents: tuple[Stent, ...]
    outlets: dict[str, Interval]
    gain: Interval  #: of FFR at the outlet that was lowest; ``chance_low`` has no meaning here and is nan
    chance_open: float  #: that all outlets are above 0.80
    chance_best: float  #: that no other option of as many stents gives more at the worst outlet
    promised: float | None  #: gain that the pull-back before promises, middle; None for no stent
    pullback: dict[str, Array]  #: FFR along the way to the outlet that was lowest, middle, by segment


def parse(text: str) -> Stent:
    """``LAD:10-28``, ``LAD:10-28:3.0`` (diameter, mm) or ``LAD:10-28:3.0:10`` (and percent stenosis left)."""
    parts = text.rsplit(":", text.count(":")) if ":" in text else []
    try:
        begin, end = (float(x) for x in parts[1].split("-"))
        diameter = float(parts[2]) if len(parts) > 2 and parts[2] else None
        left = float(parts[3]) if len(parts) > 3 else 0.0
        if len(parts) > 4 or not parts[0]:
            raise ValueError
    except (ValueError, IndexError) as error:
        raise AnalysisError(f"a stent {text!r}", expected="SEGMENT:BEGIN-END[:DIAMETER[:PERCENT LEFT]], mm") from error
    return Stent(parts[0], begin, end, diameter, left)


def check(tree: Tree, stent: Stent) -> None:
    """Raise AnalysisError where a stent does not fit the tree."""
    segment = tree.segments[tree.place(stent.segment)]
    if not 0.0 <= stent.begin < stent.end <= segment.length + 1e-9:
        raise AnalysisError(
            f"a stent from {stent.begin:g} to {stent.end:g} mm", expected=f"within 0 to {segment.length:g} mm",
            where=f"segment {stent.segment}", remedy="a stent over a branching is one for each segment",
        )  # fmt: skip
    if stent.diameter is not None and not 1.5 <= stent.diameter <= 7.0:
        raise AnalysisError(f"a diameter of {stent.diameter:g} mm", expected="1.5 to 7 mm", where=stent.words)
    if not 0.0 <= stent.left < 100.0:
        raise AnalysisError(f"{stent.left:g} percent left", expected="0 to under 100", where=stent.words)


def proposals(tree: Tree) -> list[Stent]:
    """One stent for each narrowing, with a little healthy wall at both ends."""
    from medtwin.physiology.coronary_flow import narrowings

    made = []
    for one in narrowings(tree):
        segment = tree.segments[one.segment]
        if (1.0 - segment.radius[one.first : one.last + 1] / segment.reference[one.first : one.last + 1]).max() < 0.3:
            continue  # nobody stents less than 30 percent
        # to the points beside it, where the lumen is healthy
        last = min(one.last + 1, len(segment.radius) - 1)
        begin, end = segment.arc_length[max(one.first - 1, 0)] - EDGE, segment.arc_length[last] + EDGE
        made.append(Stent(segment.name, float(max(begin, 0.0)), float(min(end, segment.length))))
    return made


def edged(tree: Tree, sets: list[tuple[Stent, ...]]) -> Tree:
    """The tree with points at the stents' ends, inside and just outside."""
    wanted: dict[int, list[float]] = {}
    for stent in itertools.chain.from_iterable(sets):
        ends = (stent.begin - STEP, stent.begin, stent.end, stent.end + STEP)
        wanted.setdefault(tree.place(stent.segment), []).extend(ends)
    return tree.with_points(wanted)


def stented(posed: Posed, stents: tuple[Stent, ...]) -> Array:
    """Radius ``(segment, point, sample)`` with the stents in."""
    lumen = radii(posed).copy()
    for stent in stents:
        place = posed.tree.place(stent.segment)
        arc = posed.grid.arc_length[place]
        inside = (arc >= stent.begin - 1e-9) & (arc <= stent.end + 1e-9)
        reference = (
            posed.grid.reference[place, inside]
            if stent.diameter is None
            else np.full(inside.sum(), stent.diameter / 2.0)
        )
        lumen[place, inside] = (reference * (1.0 - stent.left / 100.0))[:, None]
    return lumen


def compare(
    tree: Tree, sets: list[tuple[Stent, ...]] | None = None, *, samples: int = 500, seed: int = 0,
    pressure: float | None = None, factor: float | None = None,
) -> list[Option]:  # fmt: skip
    """No stent, then each set, best first within as many stents.

    Args:
        tree: as for :func:`medtwin.applications.coronary.flow.analyse`.
        sets: what to compare; by default each narrowing of 30 % or more alone, each pair, up to ``MOST`` of them.
        samples: shared by all options, so that they are compared pair by pair.

    Raises:
        AnalysisError: a stent does not fit, or no flow is told.
    """
    if sets is None:
        single = proposals(tree)
        sets = [
            group for size in range(1, min(len(single), MOST) + 1) for group in itertools.combinations(single, size)
        ]
    for group in sets:
        for stent in group:
            check(tree, stent)
    posed = pose(edged(tree, sets), samples=samples, seed=seed, pressure=pressure, factor=factor)
    bed = held(posed)
    leaves = tree.leaves
    before, _ = pressures(posed, bed=bed)
    lowest = min(leaves, key=lambda place: float(np.median(before[place, -1])))
    every = [((), before), *((group, pressures(posed, radius=stented(posed, group), bed=bed)[0]) for group in sets)]
    worst = [made[list(leaves), -1].min(0) for _, made in every]
    options = []
    for k, (group, made) in enumerate(every):
        rivals = np.stack([worst[j] for j, (other, _) in enumerate(every) if len(other) == len(group)])
        gain = made[lowest, -1] - before[lowest, -1]
        way = tree.path(lowest)
        options.append(
            Option(
                stents=group,
                outlets={tree.segments[place].name: interval(made[place, -1]) for place in leaves},
                gain=_without_chance(interval(gain)),
                chance_open=float((worst[k] > 0.80).mean()),
                chance_best=float((worst[k] >= rivals.max(0)).mean()),
                promised=_promised(posed, before, group, way) if group else None,
                pullback={
                    tree.segments[place].name: np.median(made[place, : posed.grid.points[place]], -1) for place in way
                },
            )
        )
    return [options[0], *sorted(options[1:], key=lambda one: (len(one.stents), -one.chance_best, -one.gain.median))]


def held(posed: Posed) -> Array:
    """Hyperaemic resistance of the beds, ``(segment, sample)``: where flows are stated, what lets them pass before any stent."""
    beyond = around(posed)
    if beyond.flow is None:
        return beyond.hyperaemic
    ratio, flow = pressures(posed)
    end = ratio[:, -1] * beyond.aortic
    return np.maximum(end - beyond.venous, 1e-3) / np.maximum(flow, 1e-9)


def _promised(posed: Posed, before: Array, stents: tuple[Stent, ...], way: tuple[int, ...]) -> float:
    """What the pull-back before loses over the stents, on the way to the lowest outlet."""
    total = 0.0
    for stent in stents:
        place = posed.tree.place(stent.segment)
        if place in way:
            arc = posed.grid.arc_length[place]
            inside = np.flatnonzero((arc >= stent.begin - 1e-9) & (arc <= stent.end + 1e-9))
            after = min(int(inside[-1]) + 1, posed.grid.points[place] - 1)
            total += float(np.median(before[place, inside[0]] - before[place, after]))
    return total


def _without_chance(one: Interval) -> Interval:
    return Interval(one.median, one.low, one.high, float("nan"))
