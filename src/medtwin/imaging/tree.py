"""From measured branches to a tree of vessels with reference radii, narrowings, and what cannot be judged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medtwin.anatomy.vessel_tree import Segment, Tree
from medtwin.imaging.measure import Measured
from medtwin.imaging.names import Node

Array = NDArray[np.float64]
NARROW = 0.25  #: diameter stenosis from which a narrowing is told
UNJUDGED = 0.4  #: share of a segment without judgement from which it is refused
SMALLEST_SEGMENT = 2.0  #: mm; branchings nearer to each other are one
ENDS = 1.5  #: mm, diameter below which nothing is claimed (SCCT grades stenoses from 1.5 mm on)
REACH = 25.0  #: mm of its neighbours that a segment's reference looks at


@dataclass(frozen=True)
class Stretch:
    """A segment with its measurements; arrays ``(points,)``."""

    node: Node
    arc: Array
    sd: Array  #: mm
    judged: NDArray[np.bool_]
    calcium: Array
    reference: Array  #: mm


@dataclass(frozen=True)
class Narrowing:
    """A place where the lumen is narrower than its reference; mm along the segment."""

    segment: str
    begin: float
    throat: float
    end: float
    stenosis: float  #: percent of the diameter
    stenosis_sd: float  #: percent
    radius: float  #: mm, smallest
    reference: float  #: mm, there
    calcified: bool
    place: tuple[float, float, float]  #: of the throat, mm
    judged: bool


def stretches(measured: list[Measured]) -> list[Stretch]:
    """Branches cut at branchings, parents first."""
    made: list[Stretch] = []
    firsts: list[dict[int, int]] = []  # by branch: point of a branching -> node that ends there
    for k, one in enumerate(measured):
        count = len(one.points)
        places = sorted({m.branch.parent_at for m in measured[k + 1 :] if m.branch.parent == k})
        kept: list[int] = []
        snapped: dict[int, int] = {}
        for place in places:
            near = max(int(np.searchsorted(one.run - one.run[0], SMALLEST_SEGMENT)), 1)
            at = min(max(place, near), count - 1)
            if kept and one.run[at] - one.run[kept[-1]] < SMALLEST_SEGMENT:
                at = kept[-1]
            if one.run[-1] - one.run[at] < SMALLEST_SEGMENT:
                at = count - 1
            if at not in kept and at < count - 1:
                kept.append(at)
            snapped[place] = at
        parent: int | None = None
        if one.branch.parent is not None:
            parent = firsts[one.branch.parent][one.branch.parent_at]
        ends: dict[int, int] = {}
        begins = [0, *kept]
        for number, begin in enumerate(begins):
            end = begins[number + 1] if number + 1 < len(begins) else count - 1
            inside = slice(begin, end + 1)
            points = one.points[inside].copy()
            if parent is not None:
                points[0] = made[parent].node.points[-1]
                made[parent].node.children.append(len(made))
            node = Node(points, one.radius[inside], parent, [])
            steps = np.maximum(np.linalg.norm(np.diff(points, axis=0), axis=1), 1e-3)
            arc = np.concatenate([[0.0], np.cumsum(steps)])
            parent = len(made)
            ends[end] = parent
            made.append(Stretch(node, arc, one.sd[inside], one.judged[inside], one.calcium[inside], one.radius[inside]))
        firsts.append({place: ends[at] for place, at in snapped.items()})
    return made


def referenced(found: list[Stretch]) -> list[Stretch]:
    """With reference radii: a robust straight line through the healthy wall of each segment and of those it goes on in.

    Each segment's line goes through its own points and those of its parent and its widest child that are about as wide,
    within ``REACH``
    mm; it begins near an upper quantile, and what lies further under it than a bound that tightens is left out, so that
    lesions fall out. It never rises away from the root, and is never wider than the parent's reference at its end.
    """
    made: list[Stretch] = []
    for one in found:
        arc, radius, sd = [one.arc], [one.node.radius], [one.sd]
        usable = [one.judged & (one.node.radius > 0)]
        width = float(np.median(one.node.radius[usable[0]])) if usable[0].any() else 0.0
        beside = [] if one.node.parent is None else [(found[one.node.parent], True)]
        if one.node.children:
            beside.append(
                (max((found[k] for k in one.node.children), key=lambda x: float(np.median(x.node.radius))), False)
            )
        for other, upstream in beside:
            ok = other.judged & (other.node.radius > 0)
            wide = float(np.median(other.node.radius[ok])) if ok.any() else 0.0
            if not 0.75 * wide < width < 1.33 * wide:
                continue
            near = other.arc > other.arc[-1] - REACH if upstream else other.arc < REACH
            arc.append(other.arc[near] - other.arc[-1] if upstream else other.arc[near] + one.arc[-1])
            radius.append(other.node.radius[near])
            sd.append(other.sd[near])
            usable.append(ok[near])
        line = _line(np.concatenate(arc), np.concatenate(radius), np.concatenate(sd), np.concatenate(usable), one.arc)
        if one.node.parent is not None:
            line = np.minimum(line, made[one.node.parent].reference[-1])
        made.append(replace(one, reference=np.maximum(line, 0.3)))
    return made


def _line(arc: Array, radius: Array, sd: Array, usable: NDArray[np.bool_], at: Array) -> Array:
    if usable.sum() < 4:
        return np.full(len(at), float(np.median(radius[radius > 0])) if (radius > 0).any() else 0.5)
    x, y, s = arc[usable], radius[usable], np.maximum(sd[usable], 0.03)
    weight = 1.0 / s**2
    mean, slope, centre = float(y.mean()), 0.0, float(x.mean())
    for bound in (None, None, None, 0.2, 0.15, 0.12, 0.1, 0.08, 0.08):
        miss = y - mean - slope * (x - centre)
        if bound is None:  # towards an upper quantile, from which lesions fall out
            w = weight * np.where(miss < 0.0, 0.35, 0.65) / np.maximum(np.abs(miss) / (0.05 * mean), 1.0)
        else:
            under, over = np.maximum(bound * mean, 1.5 * s), np.maximum(0.12 * mean, 3.0 * s)
            inside = (miss > -under) & (miss < over)
            if inside.sum() < 4:
                break
            w = weight * inside
        centre, mean = float(np.average(x, weights=w)), float(np.average(y, weights=w))
        spread = float((w * (x - centre) ** 2).sum())
        # a slope that short stretches cannot tell is drawn to none
        slope = float((w * (x - centre) * (y - mean)).sum()) / (spread + 1.0 / 0.02**2)
        slope = float(np.clip(slope, -0.03, 0.0))
    return np.asarray(mean + slope * (at - centre))


def as_tree(found: list[Stretch], names: list[str], label: str, *, synthetic: bool) -> Tree:
    """The tree's file form; ``radius_sd`` of a segment is the root mean square of its points' errors."""
    segments = []
    for one, name in zip(found, names, strict=True):
        node = one.node
        segments.append(
            Segment(
                name=name, parent=node.parent, arc_length=one.arc, radius=node.radius, reference=one.reference,
                stated_reference=True, radius_sd=float(np.clip(np.sqrt(np.mean(one.sd**2)), 0.01, 2.0)), centreline=node.points,
            )
        )  # fmt: skip
    return Tree(tuple(segments), label=label, synthetic=synthetic)


def narrowings(found: list[Stretch], names: list[str]) -> list[Narrowing]:
    """Narrowings of ``NARROW`` and more, in vessels of 1.5 mm diameter and more."""
    made = []
    for one, name in zip(found, names, strict=True):
        ratio = one.node.radius / one.reference
        deep = (ratio < 1.0 - NARROW) & (2.0 * one.reference >= ENDS)
        wide = ratio < 0.9
        edges = np.flatnonzero(np.diff(np.concatenate([[0], wide.astype(int), [0]])))
        for begin, end in zip(edges[::2], edges[1::2] - 1, strict=True):
            inside = slice(begin, end + 1)
            if not deep[inside].any() or (one.arc[end] - one.arc[begin] < 1.0 and one.node.radius[inside].min() > 0):
                continue
            throat = int(begin + np.argmin(ratio[inside]))
            sd = 100.0 * one.sd[throat] / one.reference[throat]
            x, y, z = (float(v) for v in one.node.points[throat])
            made.append(
                Narrowing(
                    segment=name, begin=float(one.arc[begin]), throat=float(one.arc[throat]), end=float(one.arc[end]),
                    stenosis=float(100.0 * (1.0 - ratio[throat])), stenosis_sd=float(sd), radius=float(one.node.radius[throat]),
                    reference=float(one.reference[throat]), calcified=bool(one.calcium[inside].max() > 0.05), place=(x, y, z),
                    judged=bool(one.judged[inside].mean() > 0.5),
                )
            )  # fmt: skip
    return made


def refused(found: list[Stretch], names: list[str]) -> dict[str, str]:
    """Segments that cannot be judged, each with its reason."""
    made = {}
    for one, name in zip(found, names, strict=True):
        # within the parent, or the aorta's wall, nobody could judge
        inner = one.arc > 4.0 if one.arc[-1] > 8.0 else np.ones(len(one.arc), bool)
        share = float(1.0 - one.judged[inner].mean())
        bright = float((one.calcium[inner] > 0.5).mean())
        if 2.0 * float(np.median(one.reference)) < ENDS:
            made[name] = f"narrower than {ENDS:g} mm in diameter all along"
        elif share > UNJUDGED:
            made[name] = f"{share:.0%} of it shows no lumen that can be told from what lies around"
        elif bright > UNJUDGED:
            made[name] = f"calcium hides more than half of the section along {bright:.0%} of it"
        elif float(np.median(one.sd)) > 0.2 * float(np.median(one.reference)):
            made[name] = f"its radius is known to {float(np.median(one.sd)):.2f} mm only"
    return made
