"""A tree of vessels: segments with their radius along the centreline, and how they hang together.

The file form (JSON, ``dialect`` ``medtwin-vessel-tree/1``)::

    {"dialect": "medtwin-vessel-tree/1", "label": "left coronary, phantom 7", "synthetic": true,
     "segments": [
       {"name": "LM",   "parent": null, "arc_length_mm": [0, 5, 10],  "radius_mm": [2.2, 2.2, 2.1],
        "reference_radius_mm": [2.2, 2.2, 2.1], "radius_sd_mm": 0.05},
       {"name": "pLAD", "parent": "LM", "arc_length_mm": [0, 10, 20], "radius_mm": [1.8, 0.9, 1.7],
        "centreline_mm": [[0, 0, 0], [10, 0, 0], [20, 0, 0]]}],
     "outlets": {"pLAD": {"flow_ml_per_min": 80}},
     "aortic_pressure_mmhg": 93, "venous_pressure_mmhg": 5, "resting_flow_ml_per_min": 150,
     "myocardial_mass_g": 130, "viscosity_mpa_s": 3.5, "density_kg_per_m3": 1060}

- One segment has ``parent`` null: it begins at the ostium. A segment begins where its parent ends.
- ``arc_length_mm`` begins at 0 and grows; the lists of one segment are equally long, two points at least.
- ``radius_mm`` is the lumen's, of equal area; 0 is a total occlusion. ``reference_radius_mm``: what the vessel would have without
  disease: a list, one number, or left out; then it is a robust straight line through the segment's own radii (:func:`taper`).
- ``outlets``: for segments without children. ``flow_ml_per_min``: the hyperaemic flow that leaves there as it is, or
  ``resistance_mmhg_min_per_ml``: of the bed beyond, hyperaemic. Either all outlets are named, or none; without any the bed
  beyond follows from ``resting_flow_ml_per_min``, or from ``myocardial_mass_g``.
- A ``"collaterals"`` list is refused for now: flow that comes from elsewhere is not in the network's equations.

Errors are :class:`medtwin.errors.FormatError` and name the segment and the key.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medtwin.errors import FormatError

DIALECT = "medtwin-vessel-tree/1"
KEYS = {
    "dialect", "label", "synthetic", "segments", "outlets", "aortic_pressure_mmhg", "venous_pressure_mmhg",
    "resting_flow_ml_per_min", "myocardial_mass_g", "viscosity_mpa_s", "density_kg_per_m3",
}  # fmt: skip
SEGMENT_KEYS = {"name", "parent", "arc_length_mm", "radius_mm", "reference_radius_mm", "radius_sd_mm", "centreline_mm"}
SMALLEST_REFERENCE = 0.2  #: mm; smaller vessels are not seen by any CT: another unit
LARGEST = 15.0  #: mm; a coronary artery has 1 to 3, an aneurysm up to 10
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Segment:
    """A stretch of vessel between two branchings; arrays ``(points,)``, mm."""

    name: str
    parent: int | None  #: place of the parent among the tree's segments
    arc_length: Array
    radius: Array
    reference: Array
    stated_reference: bool  #: else it was fitted to the radii
    radius_sd: float | None = None  #: measurement error of the radius, mm
    centreline: Array | None = None  #: ``(points, 3)``, mm

    @property
    def length(self) -> float:
        return float(self.arc_length[-1])


@dataclass(frozen=True)
class Outlet:
    """What lies beyond a leaf: the flow that leaves (mL/min) or the bed's resistance (mmHg min/mL), hyperaemic."""

    flow: float | None = None
    resistance: float | None = None


@dataclass(frozen=True)
class Tree:
    """Segments, parents before children, and what the file says of pressures and flows."""

    segments: tuple[Segment, ...]
    outlets: dict[int, Outlet] = field(default_factory=dict)  #: by place of the leaf
    label: str = ""
    synthetic: bool = False
    aortic_pressure: float | None = None  #: mean, mmHg
    venous_pressure: float | None = None  #: mmHg
    resting_flow: float | None = None  #: mL/min through the ostium
    myocardial_mass: float | None = None  #: g, that this tree feeds
    viscosity: float = 3.5  #: mPa s
    density: float = 1060.0  #: kg/m³

    @property
    def leaves(self) -> tuple[int, ...]:
        """Places of the segments without children."""
        parents = {one.parent for one in self.segments}
        return tuple(place for place in range(len(self.segments)) if place not in parents)

    def path(self, place: int) -> tuple[int, ...]:
        """From the ostium to this segment."""
        way = [place]
        while (above := self.segments[way[-1]].parent) is not None:
            way.append(above)
        return tuple(reversed(way))

    def place(self, name: str) -> int:
        """Where a segment of this name stands. Raises FormatError where there is none."""
        names = [one.name for one in self.segments]
        if name not in names:
            raise FormatError(f"no segment {name!r}", expected=f"one of {', '.join(names)}")
        return names.index(name)

    def with_points(self, wanted: dict[int, list[float]]) -> Tree:
        """The same tree with further points, mm along segments (by place); radii are linear between points: nothing changes."""
        segments = list(self.segments)
        for place, more in wanted.items():
            one = segments[place]
            inside = [x for x in more if 0.0 < x < one.length]
            arc = np.union1d(one.arc_length, inside)
            line = one.centreline
            segments[place] = replace(
                one,
                arc_length=arc,
                radius=np.interp(arc, one.arc_length, one.radius),
                reference=np.interp(arc, one.arc_length, one.reference),
                centreline=None if line is None else np.stack([np.interp(arc, one.arc_length, x) for x in line.T], 1),
            )
        return replace(self, segments=tuple(segments))


def taper(arc_length: Array, radius: Array) -> Array:
    """Reference radius: a straight line through the wider part of the segment, never wider towards the end.

    Least squares on all points, then five times again on those that lie not more than 5 % under the line: a lesion falls out,
    the healthy wall stays. A segment that is narrow all along cannot be told from a small healthy one.
    """
    keep = np.ones(len(radius), bool)
    line = np.full(len(radius), float(radius.max()))
    for _ in range(6):
        x, y = arc_length[keep], radius[keep]
        slope = 0.0 if len(x) < 3 or np.ptp(x) == 0 else min(float(np.polyfit(x, y, 1)[0]), 0.0)
        line = y.mean() + slope * (arc_length - x.mean())
        kept = radius >= 0.95 * line
        if kept.sum() < 2 or (kept == keep).all():
            break
        keep = kept
    return np.maximum(line, 1e-3)


def read(text: str | bytes) -> Tree:
    """A tree from its file form. Raises FormatError with the segment and key where something is wrong."""
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError("a file that is not JSON", expected=f"a tree, dialect {DIALECT}", where=str(error)) from error
    if not isinstance(found, dict) or found.get("dialect") != DIALECT:
        dialect = found.get("dialect") if isinstance(found, dict) else type(found).__name__
        raise FormatError(f"dialect {dialect!r}", expected=DIALECT, remedy='state "dialect" in the file')
    _known(found, KEYS, "the tree")
    told = found.get("segments")
    if not isinstance(told, list) or not told or not all(isinstance(one, dict) for one in told):
        raise FormatError("no list of segments", expected="at least one segment", where="segments")
    segments = _sorted(told)
    tree = Tree(
        segments=tuple(segments),
        label=str(found.get("label", "")),
        synthetic=bool(found.get("synthetic", False)),
        aortic_pressure=_number(found, "aortic_pressure_mmhg", 20.0, 250.0),
        venous_pressure=_number(found, "venous_pressure_mmhg", 0.0, 40.0),
        resting_flow=_number(found, "resting_flow_ml_per_min", 1.0, 2000.0),
        myocardial_mass=_number(found, "myocardial_mass_g", 5.0, 1000.0),
        viscosity=_number(found, "viscosity_mpa_s", 0.5, 20.0) or 3.5,
        density=_number(found, "density_kg_per_m3", 900.0, 1200.0) or 1060.0,
    )
    return replace(tree, outlets=_outlets(found, tree))


def write(tree: Tree) -> str:
    """The file form; :func:`read` gives the same tree again."""
    content: dict[str, Any] = {"dialect": DIALECT, "label": tree.label, "synthetic": tree.synthetic, "segments": []}
    for one in tree.segments:
        row: dict[str, Any] = {
            "name": one.name,
            "parent": None if one.parent is None else tree.segments[one.parent].name,
            "arc_length_mm": one.arc_length.tolist(),
            "radius_mm": one.radius.tolist(),
        }
        if one.stated_reference:
            row["reference_radius_mm"] = one.reference.tolist()
        if one.radius_sd is not None:
            row["radius_sd_mm"] = one.radius_sd
        if one.centreline is not None:
            row["centreline_mm"] = one.centreline.tolist()
        content["segments"].append(row)
    if tree.outlets:
        content["outlets"] = {
            tree.segments[place].name: (
                {"flow_ml_per_min": one.flow}
                if one.flow is not None
                else {"resistance_mmhg_min_per_ml": one.resistance}
            )
            for place, one in tree.outlets.items()
        }
    for key, value in (
        ("aortic_pressure_mmhg", tree.aortic_pressure), ("venous_pressure_mmhg", tree.venous_pressure),
        ("resting_flow_ml_per_min", tree.resting_flow), ("myocardial_mass_g", tree.myocardial_mass),
        ("viscosity_mpa_s", tree.viscosity), ("density_kg_per_m3", tree.density),
    ):  # fmt: skip
        if value is not None:
            content[key] = value
    return json.dumps(content, allow_nan=False)


def _known(found: dict[str, Any], keys: set[str], where: str) -> None:
    if unknown := sorted(set(found) - keys):
        raise FormatError(
            f"key {unknown[0]!r}", expected=f"one of {', '.join(sorted(keys))}", where=where,
            remedy="units stand in the names: lengths are mm, flows mL/min, pressures mmHg",
        )  # fmt: skip


def _sorted(told: list[dict[str, Any]]) -> list[Segment]:
    """Parents before children, whatever the file's order."""
    names = [one.get("name") for one in told]
    for place, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise FormatError(f"name {name!r}", expected="a word", where=f"segments[{place}]")
        if names.index(name) != place:
            raise FormatError(f"two segments called {name!r}", expected="names that differ", where="segments")
    roots = [one["name"] for one in told if one.get("parent") is None]
    if len(roots) != 1:
        raise FormatError(
            f"{len(roots)} segments without a parent", expected="one, which begins at the ostium", where="segments",
            remedy="a left and a right tree are two files",
        )  # fmt: skip
    for one in told:
        if one.get("parent") is not None and one["parent"] not in names:
            raise FormatError(f"parent {one['parent']!r}", expected="a segment's name", where=f"segment {one['name']}")
    order: list[str] = list(roots)
    for name in order:  # grows while it is read
        order.extend(one["name"] for one in told if one.get("parent") == name)
    if len(order) != len(told):
        lost = sorted(set(map(str, names)) - set(order))
        raise FormatError(f"segments in a ring: {', '.join(lost)}", expected="a tree", where="segments")
    by_name = {one["name"]: one for one in told}
    return [
        _segment(by_name[name], None if i == 0 else order.index(by_name[name]["parent"]))
        for i, name in enumerate(order)
    ]


def _segment(told: dict[str, Any], parent: int | None) -> Segment:
    where = f"segment {told['name']}"
    _known(told, SEGMENT_KEYS, where)
    arc = _list(told, "arc_length_mm", where)
    radius = _list(told, "radius_mm", where)
    if len(arc) < 2 or len(arc) != len(radius):
        raise FormatError(
            f"{len(arc)} arc lengths and {len(radius)} radii",
            expected="two points at least, and as many of each",
            where=where,
        )
    if arc[0] != 0.0 or (np.diff(arc) <= 0).any():
        raise FormatError(
            "arc lengths that do not grow from 0", expected="0, then each larger", where=f"{where}, arc_length_mm"
        )
    if (radius < 0).any() or (radius > LARGEST).any():
        raise FormatError(
            f"a radius of {radius[(radius < 0) | (radius > LARGEST)][0]:g}", expected=f"0 to {LARGEST:g} mm",
            where=f"{where}, radius_mm", remedy="radii, not diameters, in mm",
        )  # fmt: skip
    stated = told.get("reference_radius_mm")
    if stated is None:
        if not (radius > 0).any():
            raise FormatError(
                "an occluded segment without a reference radius", expected="reference_radius_mm", where=where
            )
        reference = taper(arc, radius)
    else:
        reference = (
            np.full(len(arc), float(stated))
            if isinstance(stated, (int, float))
            else _list(told, "reference_radius_mm", where)
        )
        if len(reference) != len(arc) or not (reference >= SMALLEST_REFERENCE).all() or (reference > LARGEST).any():
            raise FormatError(
                "reference radii that do not fit",
                expected=f"{len(arc)} of {SMALLEST_REFERENCE:g} to {LARGEST:g} mm",
                where=where,
            )
    if reference.max() < SMALLEST_REFERENCE:
        raise FormatError(
            f"a reference radius of {reference.max():g} mm", expected=f"{SMALLEST_REFERENCE:g} to {LARGEST:g} mm", where=where,
            remedy="lengths are mm",
        )  # fmt: skip
    if stated is not None and np.median(radius / reference) > 1.5:
        raise FormatError(
            f"a lumen {np.median(radius / reference):.1f} times its reference", where=where,
            expected="a reference as wide as the healthy lumen",
            remedy="narrowings would not be seen: leave reference_radius_mm out, and it is fitted",
        )  # fmt: skip
    line = told.get("centreline_mm")
    centreline = None
    if line is not None:
        try:
            centreline = np.asarray(line, float)
        except (TypeError, ValueError):
            centreline = np.zeros(0)
        if centreline.shape != (len(arc), 3) or not np.isfinite(centreline).all():
            raise FormatError(
                "a centreline that does not fit", expected=f"{len(arc)} points of x, y, z in mm", where=where
            )
    return Segment(
        name=told["name"], parent=parent, arc_length=arc, radius=radius, reference=reference,
        stated_reference=stated is not None, radius_sd=_number(told, "radius_sd_mm", 0.0, 2.0), centreline=centreline,
    )  # fmt: skip


def _outlets(found: dict[str, Any], tree: Tree) -> dict[int, Outlet]:
    told = found.get("outlets") or {}
    if not isinstance(told, dict):
        raise FormatError(
            "outlets that are no table", expected='{"segment": {"flow_ml_per_min": ...}}', where="outlets"
        )
    made: dict[int, Outlet] = {}
    for name, one in told.items():
        place = tree.place(name)
        where = f"outlet {name}"
        if place not in tree.leaves:
            raise FormatError(
                f"an outlet at {name!r}, which has children", expected="segments without children", where=where
            )
        if not isinstance(one, dict) or len(one) != 1 or set(one) - {"flow_ml_per_min", "resistance_mmhg_min_per_ml"}:
            raise FormatError(
                "an outlet with other keys",
                expected="flow_ml_per_min or resistance_mmhg_min_per_ml, one of them",
                where=where,
            )
        made[place] = Outlet(
            flow=_number(one, "flow_ml_per_min", 0.0, 1000.0, where),
            resistance=_number(one, "resistance_mmhg_min_per_ml", 1e-6, 1e6, where),
        )
    if made and set(made) != set(tree.leaves):
        missing = [tree.segments[place].name for place in tree.leaves if place not in made]
        raise FormatError(
            f"no outlet at {', '.join(missing)}", expected="all segments without children, or none", where="outlets"
        )
    if len({one.flow is None for one in made.values()}) > 1:
        raise FormatError(
            "outlets with flows and outlets with resistances", expected="one kind in a file", where="outlets"
        )
    return made


def _list(told: dict[str, Any], key: str, where: str) -> Array:
    found = told.get(key)
    if not isinstance(found, list) or not all(isinstance(x, (int, float)) and math.isfinite(x) for x in found):
        raise FormatError(f"{key} that is no list of finite numbers", expected="a list, in mm", where=where)
    return np.asarray(found, float)


def _number(told: dict[str, Any], key: str, low: float, high: float, where: str = "the tree") -> float | None:
    found = told.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not low <= found <= high:
        raise FormatError(f"{key} {found!r}", expected=f"{low:g} to {high:g}", where=where)
    return float(found)
