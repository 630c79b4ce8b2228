"""How well coronary geometry is read from CT: ``python -m medtwin.evidence.coronary_geometry --phantoms N``.

Each phantom (:mod:`medtwin.imaging.phantoms`) is analysed without seeds. A line of JSON is kept for each (``--results``), so
that a run goes
on where it stopped; lines of another version of the code are made again. Then ``docs/evidence/coronary-geometry.md`` is
written. Half of the
combinations of lesion profile, section, plaque and kernel were never looked at while the method was set: both halves are
reported apart.

Measures of centrelines are those of the Rotterdam framework (Schaap et al., Med Image Anal 2009;13:701): OV, OF, OT and AI,
for each true vessel
from its ostium to its end. Points correspond to the nearest one of the other line, not by the minimal sum of the paper.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

import medtwin.imaging
from medtwin.errors import ImageError
from medtwin.imaging import coronary
from medtwin.imaging.coronary import Extracted, Side
from medtwin.imaging.phantoms import phantom as phantoms
from medtwin.imaging.phantoms.heart import in_aorta
from medtwin.imaging.phantoms.phantom import Phantom
from medtwin.imaging.phantoms.vessels import Vessel

Array = NDArray[np.float64]
RESULTS, PAGE = Path(".cache/coronary-geometry.jsonl"), Path("docs/evidence/coronary-geometry.md")
FINE = 0.1  #: mm between points of lines that are compared
TOLD = 25.0  #: percent stenosis from which the analysis tells a narrowing
ARTEFACTS: dict[str, dict[str, Any]] = {
    "none": {},
    "step": {"steps": (0.0, 1.2, 0.0)},
    "motion": {"motion": (2.0, 0.0, 0.0), "motion_at": (-36.0, -8.0, 5.0)},
}


@cache
def version() -> str:
    """A hash of the code that makes the results (reading and writing DICOM have no part in them)."""
    hasher = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(medtwin.imaging.__path__[0]).rglob("*.py")):
        if path.name not in ("series.py", "dicom.py"):
            hasher.update(path.read_bytes())
    return hasher.hexdigest()


def one(seed: int, artefact: str = "none") -> dict[str, Any]:
    """All measures of one phantom."""
    made = phantoms.make(seed, artefacts=ARTEFACTS[artefact])
    begin = time.process_time()
    row: dict[str, Any] = {"seed": seed, "artefact": artefact, "held_out": made.held_out, "version": version()}
    try:
        found = coronary.extract(made.volume)
    except ImageError as error:
        return {**row, "error": str(error)}
    row["seconds"] = time.process_time() - begin
    row["steps_said"] = len(found.quality.steps)
    row["dice"] = dice(made, found)
    row["lines"] = [line(made, found, vessel) for vessel in made.heart.vessels]
    row["radius"] = radii(made, found)
    row["lesions"] = lesions(made, found)
    row["false"] = false_narrowings(made, found)
    row["segments"] = sum(len(x.tree.segments) for x in found.sides)
    row["refused"] = sum(len(x.refused) for x in found.sides)
    row["refused_small"] = sum(sum("narrower" in why for why in x.refused.values()) for x in found.sides)
    return row


def dice(made: Phantom, found: Extracted) -> float:
    """Overlap of the true lumen with tubes of the radii found, outside of the aorta."""
    volume = made.volume
    mask = np.zeros(volume.values.shape, bool)
    for side in found.sides:
        for branch in side.measured:
            at = np.arange(0.0, branch.branch.arc[-1], 0.2)
            points = np.stack([np.interp(at, branch.branch.arc, x) for x in branch.points.T], 1)
            radius = np.interp(at, branch.branch.arc, branch.radius)
            reach = np.ceil((radius.max() + 0.3) / volume.spacing).astype(int)
            box = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), -1).reshape(-1, 3)
            index = np.round(volume.index(points)).astype(int)
            for offset in box:
                voxel = index + offset
                near = np.linalg.norm(volume.world(voxel) - points, axis=1) <= radius
                inside = near & ((voxel >= 0) & (voxel < mask.shape)).all(1)
                mask[tuple(voxel[inside].T)] = True
    truth = made.mask
    place = np.argwhere(mask | truth)
    out = in_aorta(volume.world(place)) > 0.0
    a, b = mask[tuple(place[out].T)], truth[tuple(place[out].T)]
    return float(2.0 * (a & b).sum() / (a.sum() + b.sum()))


def way_of(made: Phantom, vessel: Vessel) -> tuple[Array, Array]:
    """The true line from the aorta's wall to a vessel's end, and the radius along it, every ``FINE`` mm."""
    by_name = {one.name: one for one in made.heart.vessels}
    centre, radius, end = vessel.centre, vessel.reference, vessel
    while end.parent is not None:
        above = by_name[end.parent]
        keep = above.arc < end.parent_at - 1e-6
        centre, radius = np.concatenate([above.centre[keep], centre]), np.concatenate([above.reference[keep], radius])
        end = above
    start = int(np.argmax(in_aorta(centre) >= 0.0))
    seen = phantoms.seen(made, centre[start:])
    points = even(seen)
    return points, radius[start:][cKDTree(seen).query(points)[1]]


def even(points: Array) -> Array:
    """The same line every ``FINE`` mm."""
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.arange(0.0, arc[-1] + 1e-9, FINE)
    return np.stack([np.interp(at, arc, x) for x in points.T], 1)


def found_way(side: Side, end: Array) -> Array:
    """From a tree's root to its place nearest to a true end."""
    near = [float(np.linalg.norm(x.points - end, axis=1).min()) for x in side.measured]
    number = int(np.argmin(near))
    cut = int(np.argmin(np.linalg.norm(side.measured[number].points - end, axis=1))) + 1
    parts = []
    place: int | None = number
    while place is not None:
        one = side.measured[place]
        parts.append(one.points[:cut])
        place, cut = one.branch.parent, one.branch.parent_at
    return np.concatenate(parts[::-1])


def line(made: Phantom, found: Extracted, vessel: Vessel) -> dict[str, Any]:
    """OV, OF, OT and AI of one vessel."""
    truth, radius = way_of(made, vessel)
    # of the tree that begins where this vessel's does: another one may pass near its end
    side = min(found.sides, key=lambda x: float(np.linalg.norm(x.measured[0].points[0] - truth[0])))
    return {"vessel": vessel.name, **overlap(truth, radius, found_way(side, truth[-1]))}


def overlap(truth: Array, radius: Array, way: Array) -> dict[str, float]:
    """Measures of a line against a true one of local ``radius`` (at least 0.5 mm is allowed)."""
    mine = even(way)
    allowed = np.maximum(radius, 0.5)
    away, at = cKDTree(truth).query(mine)
    back, _ = cKDTree(mine).query(truth)
    hit_mine, hit_truth = away <= allowed[at], back <= allowed
    both = lambda a, b: float((a.sum() + b.sum()) / (len(a) + len(b)))  # noqa: E731
    first = int(np.argmax(~hit_truth)) if (~hit_truth).any() else len(truth)
    wide = radius >= 0.75
    last = int(np.flatnonzero(wide)[-1]) + 1 if wide.any() else 0
    return {
        "ov": both(hit_mine, hit_truth), "of": first / len(truth), "ot": both(hit_mine[at < last], hit_truth[:last]),
        "ai": float(away[hit_mine].mean()) if hit_mine.any() else float("inf"),
    }  # fmt: skip


def radii(made: Phantom, found: Extracted) -> list[list[float]]:
    """True radius, error, stated standard error and whether calcium is near, of every second judged point on a true vessel."""
    vessels = made.heart.vessels
    truth = np.concatenate([phantoms.seen(made, x.centre) for x in vessels])
    radius = np.concatenate([x.radius for x in vessels])
    tree = cKDTree(truth)
    rows = []
    for side in found.sides:
        for branch in side.measured:
            away, at = tree.query(branch.points)
            keep = branch.judged & (away < 1.0)
            error = branch.radius - radius[at]
            stone = branch.calcium > 0.02
            kept = np.stack([radius[at], error, branch.sd, stone.astype(float)], 1)[keep][::2]
            rows.extend([[round(float(x), 4) for x in row] for row in kept])
    return rows


def lesions(made: Phantom, found: Extracted) -> list[dict[str, Any]]:
    """Each true lesion with what was found there."""
    rows = []
    for vessel in made.heart.vessels:
        for lesion in vessel.lesions:
            inside = np.abs(vessel.arc - lesion.at) < 0.5 * lesion.length
            throat = phantoms.seen(made, vessel.centre[[int(np.argmin(np.abs(vessel.arc - lesion.at)))]])[0]
            truth = float(100.0 * (1.0 - (vessel.radius / vessel.reference)[inside].min()))
            told = [
                (float(np.linalg.norm(np.asarray(x.place) - throat)), x, side)
                for side in found.sides for x in side.narrowings
            ]  # fmt: skip
            near = [x for x in told if x[0] < 0.5 * lesion.length + 2.0]
            best = max(near, key=lambda x: x[1].stenosis, default=None)
            refused = _refused(found, throat)
            rows.append({
                "vessel": vessel.name, "true": truth, "plaque": lesion.plaque, "section": lesion.section,
                "profile": lesion.profile,
                "found": None if best is None else best[1].stenosis, "sd": None if best is None else best[1].stenosis_sd,
                "judged": best[1].judged if best is not None else True, "refused": refused,
            })  # fmt: skip
    return rows


def _refused(found: Extracted, place: Array) -> bool:
    """Whether the segment nearest to a place is refused, or nothing was found within 3 mm."""
    best, name, side = 3.0, "", None
    for one in found.sides:
        for segment in one.tree.segments:
            assert segment.centreline is not None
            away = float(np.linalg.norm(segment.centreline - place, axis=1).min())
            if away < best:
                best, name, side = away, segment.name, one
    return side is not None and name in side.refused


def false_narrowings(made: Phantom, found: Extracted) -> list[float]:
    """Percent stenosis of judged narrowings of 50 % and more where no lesion is."""
    centres = [
        (phantoms.seen(made, v.centre[[int(np.argmin(np.abs(v.arc - x.at)))]])[0], x.length)
        for v in made.heart.vessels for x in v.lesions
    ]  # fmt: skip
    rows = []
    for side in found.sides:
        for x in side.narrowings:
            far = all(np.linalg.norm(np.asarray(x.place) - c) > 0.5 * length + 3.0 for c, length in centres)
            if far and x.stenosis >= 50.0 and x.judged and x.segment not in side.refused:
                rows.append(x.stenosis)
    return rows


def main(arguments: list[str] | None = None) -> int:
    told = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    told.add_argument("--phantoms", type=int, default=72, metavar="N", help="how many; 72 are all combinations once")
    told.add_argument("--first", type=int, default=0, metavar="N", help="the first seed")
    told.add_argument(
        "--artefacts", type=int, default=4, metavar="N", help="the first N again with a step and with motion"
    )
    told.add_argument("--only-page", action="store_true", help="the page of what is there, without more phantoms")
    told.add_argument("--results", type=Path, default=RESULTS, metavar="FILE")
    told.add_argument("--page", type=Path, default=PAGE, metavar="FILE")
    given = told.parse_args(arguments)
    seeds = range(given.first, given.first + given.phantoms)
    asked = [(seed, "none") for seed in seeds]
    asked += [(seed, artefact) for artefact in ("step", "motion") for seed in seeds[: given.artefacts]]
    rows = resumed(given.results)
    if given.only_page:
        asked = sorted(rows)
    for number, (seed, artefact) in enumerate(asked):
        if (seed, artefact) in rows:
            continue
        rows[seed, artefact] = one(seed, artefact)
        given.results.parent.mkdir(parents=True, exist_ok=True)
        with given.results.open("a") as file:
            file.write(json.dumps(rows[seed, artefact]) + "\n")
        print(f"{number + 1} of {len(asked)}", file=sys.stderr)
    from medtwin.evidence.coronary_geometry_page import page

    given.page.write_text(page([rows[key] for key in asked]))
    return 0


def resumed(path: Path) -> dict[tuple[int, str], dict[str, Any]]:
    """Lines of this version of the code."""
    if not path.exists():
        return {}
    rows = [json.loads(text) for text in path.read_text().splitlines() if text]
    return {(row["seed"], row["artefact"]): row for row in rows if row["version"] == version()}


if __name__ == "__main__":
    sys.exit(main())
